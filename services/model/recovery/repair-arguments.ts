import { jsonrepair } from "jsonrepair";
import type { ToolSchema } from "../chat.ts";
import { coerceToSchema, findMismatch } from "./check-schema.ts";
import { asRecord, findJsonEnd, parseJson } from "./json-text.ts";

/** Arguments after repair. */
export interface RepairedArguments {
  /** One JSON object when `isWhole`, else the text as the model wrote it. */
  readonly text: string;
  readonly isWhole: boolean;
  /** What was mended, as short words. */
  readonly repairs: readonly string[];
}

// Larger arguments than any tool takes: repair is quadratic at worst, and hostile text must not cost minutes.
const repairCharactersMax = 256 * 1024;

/**
 * Undoes the ways in which servers and models spoil whole arguments. Nothing is ever closed or invented: text in which a string, an
 * object or an array is open stays as it is (half a file must not become a file), and what is mended by guessing at quotes and commas
 * counts only where the result fits the tool's schema and the answer was not cut.
 */
export function repairArguments(raw: string, tool: ToolSchema | undefined, isCut: boolean): RepairedArguments {
  const found = readObject(raw, tool, isCut);
  if (found === undefined) return { text: raw, isWhole: false, repairs: [] };
  if (tool === undefined) return { ...found, isWhole: true };
  const given = parseJson(found.text);
  const value = withoutNotes(given, tool.parameters);
  const coerced = JSON.stringify(coerceToSchema(value, tool.parameters));
  if (coerced === JSON.stringify(given)) return { ...found, isWhole: true };
  const repairs = [...found.repairs, ...(value === given ? [] : ["notes"])];
  const isCoerced = coerced !== JSON.stringify(value);
  return { text: coerced, isWhole: true, repairs: isCoerced ? [...repairs, "types"] : repairs };
}

/**
 * The arguments without what Claude Code's own tools take beside ours and what changes nothing: a `description` of the call for people,
 * and a wish that is not made (`run_in_background: false`). Models that were trained on them send these whatever the schema says.
 */
function withoutNotes(value: unknown, schema: Readonly<Record<string, unknown>>): unknown {
  const record = asRecord(value);
  const properties = asRecord(schema["properties"]);
  if (record === undefined || properties === undefined || schema["additionalProperties"] !== false) return value;
  const isNote = (name: string, item: unknown): boolean =>
    !Object.hasOwn(properties, name) &&
    ((name === "description" && typeof item === "string") || (name === "run_in_background" && item === false));
  const kept = Object.entries(record).filter(([name, item]) => !isNote(name, item));
  return kept.length === Object.keys(record).length ? value : Object.fromEntries(kept);
}

interface Found {
  readonly text: string;
  readonly repairs: readonly string[];
}

function readObject(raw: string, tool: ToolSchema | undefined, isCut: boolean): Found | undefined {
  const text = raw.trim();
  if (text === "" || text === "null") return { text: "{}", repairs: [] };
  const parsed = parseJson(text);
  if (asRecord(parsed) !== undefined) return { text, repairs: [] };
  if (typeof parsed === "string") {
    const inner = parsed.trim();
    return asRecord(parseJson(inner)) === undefined ? undefined : { text: inner, repairs: ["unwrapped"] };
  }
  if (parsed !== undefined) return undefined;
  return readFirstObject(text) ?? (isCut || tool === undefined ? undefined : mend(text, tool));
}

/**
 * The object at the start of a text that goes on with itself again (hermes streams, vllm#10395), with stray quotes or brackets, or with
 * the end marks of the model's own call format.
 */
function readFirstObject(text: string): Found | undefined {
  const start = text.startsWith('"{') ? 1 : 0;
  if (text[start] !== "{") return undefined;
  const end = findJsonEnd(text, start);
  if (end < 0) return undefined;
  const first = text.slice(start, end);
  if (asRecord(parseJson(first)) === undefined) return undefined;
  const rest = text.slice(end).trim();
  if (rest === first) return { text: first, repairs: ["doubled"] };
  const isStray = /^(?:["'`}\])]|<\/[a-z_]{1,32}>|<\|[a-z_]{1,32}\|>|<｜[^｜<>]{1,32}｜>|\s)*$/i.test(rest);
  return isStray ? { text: first, repairs: ["stray"] } : undefined;
}

/** Quotes, commas, comments, Python's words and raw line ends, mended; only where all that was opened is closed and the result fits. */
function mend(text: string, tool: ToolSchema): Found | undefined {
  if (text.length > repairCharactersMax) return undefined;
  // Gemma's own quotation mark (vllm#38946), beside or instead of JSON's.
  const quoted = text.replaceAll(/"?<\|"\|>"?/g, '"');
  const body = quoted.replace(/^```[a-z]{0,16}\s*\n/i, "").replace(/\n```$/, "");
  if (!isClosed(body)) return undefined;
  let mended: string;
  try {
    mended = jsonrepair(body);
  } catch {
    return undefined;
  }
  const value = parseJson(mended);
  if (asRecord(value) === undefined) return undefined;
  const isFitting = findMismatch(coerceToSchema(value, tool.parameters), tool.parameters) === undefined;
  return isFitting ? { text: mended, repairs: ["json"] } : undefined;
}

/** Whether the text is one object whose strings (in either quotation mark), objects and arrays are all closed, in their order. */
function isClosed(text: string): boolean {
  const open: string[] = [];
  let quote = "";
  for (let index = 0; index < text.length; index += 1) {
    const character = text[index] ?? "";
    if (quote !== "") {
      if (character === "\\") index += 1;
      else if (character === quote) quote = "";
    } else if (character === '"' || character === "'") quote = character;
    else if (character === "{" || character === "[") open.push(character === "{" ? "}" : "]");
    else if (character === "}" || character === "]") {
      if (open.pop() !== character) return false;
      // What stands behind the object was not meant for it.
      if (open.length === 0) return text.slice(index + 1).trim() === "";
    }
  }
  return false;
}
