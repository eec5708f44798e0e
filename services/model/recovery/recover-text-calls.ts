import type { ToolSchema } from "../chat.ts";
import { asRecord, asText, findJsonEnd, parseJson } from "./call-arguments.ts";

/** A call found in plain text. */
export interface TextCall {
  readonly name: string;
  readonly arguments: string;
}

/** The calls in the order of the text, and the text without them. */
export interface Recovered {
  readonly calls: readonly TextCall[];
  readonly rest: string;
}

interface Block extends Recovered {
  /** Where the block ends in the text, exclusive. */
  readonly end: number;
}

const openings = /<tool_call>|<function=|\[TOOL_CALLS\]/g;

/**
 * Finds calls that a server left in the text because its parser is missing or does not fit the model: Hermes and Qwen
 * `<tool_call>`, `<function=…>` blocks, Mistral's `[TOOL_CALLS]`. A block counts only when it is whole and names an offered tool;
 * anything else stays text, so that nothing cut off is ever run.
 */
export function recoverTextCalls(text: string, tools: readonly ToolSchema[]): Recovered {
  const byName = new Map(tools.map((tool) => [tool.name, tool]));
  const calls: TextCall[] = [];
  let rest = "";
  let from = 0;
  openings.lastIndex = 0;
  for (let match = openings.exec(text); match !== null; match = openings.exec(text)) {
    const block = readBlock(text, match.index, match[0], byName);
    if (block === undefined) continue;
    calls.push(...block.calls);
    rest += text.slice(from, match.index);
    from = block.end;
    openings.lastIndex = block.end;
  }
  return { calls, rest: calls.length === 0 ? text : (rest + text.slice(from)).trim() };
}

type Tools = ReadonlyMap<string, ToolSchema>;

function readBlock(text: string, start: number, opening: string, tools: Tools): Block | undefined {
  if (opening === "[TOOL_CALLS]") return readMistral(text, start + opening.length, tools);
  if (opening === "<function=") return readFunction(text, start, tools);
  const inner = skipSpace(text, start + opening.length);
  if (text.startsWith("<function=", inner)) {
    const block = readFunction(text, inner, tools);
    return block && { ...block, end: skipClosing(text, block.end, "</tool_call>") };
  }
  const end = text[inner] === "{" ? findJsonEnd(text, inner) : -1;
  const call = end < 0 ? undefined : toCall(parseJson(text.slice(inner, end)), tools);
  return call && { calls: [call], rest: "", end: skipClosing(text, end, "</tool_call>") };
}

function toCall(value: unknown, tools: Tools): TextCall | undefined {
  const record = asRecord(value);
  const name = asText(record?.["name"]);
  if (record === undefined || !tools.has(name)) return undefined;
  const given = record["arguments"] ?? record["parameters"] ?? {};
  const parsed = typeof given === "string" ? parseJson(given) : given;
  return asRecord(parsed) === undefined ? undefined : { name, arguments: JSON.stringify(parsed) };
}

function readMistral(text: string, start: number, tools: Tools): Block | undefined {
  const from = skipSpace(text, start);
  if (text[from] === "[") {
    const end = findJsonEnd(text, from);
    const values = end < 0 ? undefined : parseJson(text.slice(from, end));
    if (!Array.isArray(values)) return undefined;
    const calls = values.map((value) => toCall(value, tools)).filter((call) => call !== undefined);
    return calls.length === 0 || calls.length !== values.length ? undefined : { calls, rest: "", end };
  }
  const head = /^([\w.-]+)\s*(?:\[ARGS\])?\s*(?=\{)/.exec(text.slice(from, from + 200));
  if (head === null) return undefined;
  const open = from + head[0].length;
  const end = findJsonEnd(text, open);
  const call = end < 0 ? undefined : toCall({ name: head[1], arguments: parseJson(text.slice(open, end)) }, tools);
  return call && { calls: [call], rest: "", end };
}

function readFunction(text: string, start: number, tools: Tools): Block | undefined {
  const head = /^<function=["']?([\w.-]+)["']?>/.exec(text.slice(start, start + 200));
  const close = "</function>";
  const end = head === null ? -1 : findFunctionEnd(text, start);
  const tool = tools.get(head?.[1] ?? "");
  if (head === null || end < 0 || tool === undefined) return undefined;
  const body = text.slice(start + head[0].length, end);
  const given = body.trim().startsWith("{") ? asRecord(parseJson(body.trim())) : readParameters(body, tool);
  return given && { calls: [{ name: tool.name, arguments: JSON.stringify(given) }], rest: "", end: end + close.length };
}

/** The closing tag that is not inside a parameter's value: a file's text may hold the words themselves. */
function findFunctionEnd(text: string, start: number): number {
  for (let at = text.indexOf("</function>", start); at >= 0; at = text.indexOf("</function>", at + 1)) {
    const before = text.slice(start, at);
    const opened = before.lastIndexOf("<parameter=");
    if (opened < 0 || before.trimEnd().endsWith("</parameter>")) return at;
  }
  return -1;
}

function readParameters(body: string, tool: ToolSchema): Record<string, unknown> | undefined {
  const given: Record<string, unknown> = {};
  const pattern = /<parameter=["']?([\w.-]+)["']?>([\s\S]*?)<\/parameter>(?=\s*(?:<parameter=|$))/g;
  const leftOver = body.replace(pattern, (_all, key: string, raw: string) => {
    given[key] = coerce(raw.replace(/^\r?\n/, "").replace(/\r?\n$/, ""), tool, key);
    return "";
  });
  return leftOver.trim() === "" ? given : undefined;
}

function coerce(raw: string, tool: ToolSchema, key: string): unknown {
  const schema = asRecord(asRecord(tool.parameters["properties"])?.[key]);
  const types = [schema?.["type"]].flat();
  if (types.includes("null") && raw.trim() === "null") return null;
  if (types.includes("string")) return raw;
  const parsed = parseJson(raw.trim());
  return parsed === undefined ? raw : parsed;
}

function skipSpace(text: string, from: number): number {
  let at = from;
  while (at < text.length && /\s/.test(text[at] ?? "")) at += 1;
  return at;
}

function skipClosing(text: string, from: number, tag: string): number {
  const at = skipSpace(text, from);
  return text.startsWith(tag, at) ? at + tag.length : from;
}
