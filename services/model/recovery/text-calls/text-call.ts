import type { ToolSchema } from "../../chat.ts";
import { findMismatch } from "../check-schema.ts";
import { asRecord, asText, findJsonEnd, parseJson, skipSpace } from "../json-text.ts";
import { repairArguments } from "../repair-arguments.ts";
import { matchToolName } from "../tool-names.ts";

/** A call found in plain text. */
export interface TextCall {
  readonly name: string;
  readonly arguments: string;
}

/** Calls that stand together in the text, and where their block ends (exclusive). */
export interface CallBlock {
  readonly calls: readonly TextCall[];
  readonly end: number;
}

/** Tries to read a block whose opening mark ends at `at`; undefined when there is no whole call. */
export type ReadBlock = (text: string, at: number, tools: readonly ToolSchema[]) => CallBlock | undefined;

/** The call in `{name, arguments}` in one of the spellings that models use; only of an offered tool. */
export function toTextCall(value: unknown, tools: readonly ToolSchema[]): TextCall | undefined {
  const outer = asRecord(value);
  const record = asRecord(outer?.["function"]) ?? outer;
  const name = asText(record?.["name"]) || asText(record?.["tool"]) || asText(record?.["tool_name"]);
  if (record === undefined || name === "") return undefined;
  const given = record["arguments"] ?? record["parameters"] ?? record["input"] ?? record["args"] ?? {};
  return callOf(name, typeof given === "string" ? given : JSON.stringify(given), tools);
}

/** A call of the tool that `name` means, with the arguments mended; undefined when they are no whole object. */
export function callOf(name: string, args: string, tools: readonly ToolSchema[]): TextCall | undefined {
  const matched = matchToolName(name, tools);
  const tool = tools.find((candidate) => candidate.name === matched);
  if (tool === undefined) return undefined;
  const { text, isWhole } = repairArguments(args, tool, false);
  return isWhole ? { name: tool.name, arguments: compact(text) } : undefined;
}

/** Whether the call fits its tool's schema: asked of forms that could also be an example in prose. */
export function isValidCall(call: TextCall, tools: readonly ToolSchema[]): boolean {
  const tool = tools.find((candidate) => candidate.name === call.name);
  return tool !== undefined && findMismatch(parseJson(call.arguments), tool.parameters) === undefined;
}

/** The call whose JSON object begins at or after `from` (white space apart), in the form `{name, arguments}`. */
export function readJsonCall(text: string, from: number, tools: readonly ToolSchema[]): CallBlock | undefined {
  const start = skipSpace(text, from);
  const end = text[start] === "{" ? findJsonEnd(text, start) : -1;
  const call = end < 0 ? undefined : toTextCall(parseLoose(text.slice(start, end)), tools);
  return call && { calls: [call], end };
}

/** The call of the tool `name` whose arguments are the JSON object that begins at or after `from`. */
export function readNamedCall(
  name: string,
  text: string,
  from: number,
  tools: readonly ToolSchema[],
): CallBlock | undefined {
  const start = skipSpace(text, from);
  const end = text[start] === "{" ? findJsonEnd(text, start) : -1;
  const call = end < 0 ? undefined : callOf(name, text.slice(start, end), tools);
  return call && { calls: [call], end };
}

/** The end after `tag`, where that comes next; else `from`. */
export function skipTag(text: string, from: number, tag: string): number {
  const at = skipSpace(text, from);
  return text.startsWith(tag, at) ? at + tag.length : from;
}

/** JSON whose strings hold raw line ends, as models write them in text: the only repair without a schema at hand. */
function parseLoose(text: string): unknown {
  return parseJson(text) ?? parseJson(escapeLineEnds(text));
}

function escapeLineEnds(text: string): string {
  let isInString = false;
  let escaped = "";
  for (let index = 0; index < text.length; index += 1) {
    const character = text[index] ?? "";
    if (isInString && character === "\\") {
      escaped += character + (text[index + 1] ?? "");
      index += 1;
      continue;
    }
    if (character === '"') isInString = !isInString;
    escaped += isInString ? (rawControls[character] ?? character) : character;
  }
  return escaped;
}

const rawControls: Readonly<Record<string, string>> = { "\n": "\\n", "\r": "\\r", "\t": "\\t" };

function compact(text: string): string {
  const value = parseJson(text);
  return value === undefined ? text : JSON.stringify(value);
}
