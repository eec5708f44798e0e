import type { ToolSchema } from "../../chat.ts";
import { skipSpace } from "../json-text.ts";
import { type CallBlock, callOf, type ReadBlock, skipTag, type TextCall } from "./text-call.ts";

/** Llama 4: `<|python_start|>[read(file_path="a.ts", limit=20), bash(command='ls')]<|python_end|>`. */
export const readPythonStart: ReadBlock = (text, at, tools) => endedBy(text, at, tools, "<|python_end|>");

/** LFM2: the same list between `<|tool_call_start|>` and `<|tool_call_end|>`. */
export const readLfm: ReadBlock = (text, at, tools) => endedBy(text, at, tools, "<|tool_call_end|>");

function endedBy(text: string, at: number, tools: readonly ToolSchema[], tag: string): CallBlock | undefined {
  const block = readPythonList(text, skipSpace(text, at), tools);
  return block && { ...block, end: skipTag(text, block.end, tag) };
}

/** Deeper literals are nobody's arguments. */
const depthMax = 16;
/** A list of calls as Python writes it: names, named arguments, literals, nothing else. Undefined for all that is odd or cut. */
export function readPythonList(text: string, at: number, tools: readonly ToolSchema[]): CallBlock | undefined {
  const reader: Reader = { text, at };
  const calls: TextCall[] = [];
  if (!take(reader, "[")) return undefined;
  for (;;) {
    const call = readCall(reader, tools);
    if (call === undefined) return undefined;
    calls.push(call);
    const hasMore = take(reader, ",");
    if (take(reader, "]")) return { calls, end: reader.at };
    if (!hasMore) return undefined;
  }
}

interface Reader {
  readonly text: string;
  at: number;
}

/** A literal's value, in a box: `None` is a value too. */
type Read = { readonly value: unknown } | undefined;

function readCall(reader: Reader, tools: readonly ToolSchema[]): TextCall | undefined {
  const name = match(reader, /[A-Za-z_][\w.-]{0,63}/y);
  if (name === undefined || !take(reader, "(")) return undefined;
  const args = new Map<string, unknown>();
  while (!take(reader, ")")) {
    if (args.size > 0 && !take(reader, ",")) return undefined;
    if (args.size > 0 && take(reader, ")")) break;
    const key = match(reader, /[A-Za-z_]\w{0,63}/y);
    const read = key === undefined || args.has(key) || !take(reader, "=") ? undefined : readLiteral(reader, 0);
    if (key === undefined || read === undefined) return undefined;
    args.set(key, read.value);
  }
  return callOf(name, JSON.stringify(Object.fromEntries(args)), tools);
}

function readLiteral(reader: Reader, depth: number): Read {
  if (depth > depthMax) return undefined;
  if (take(reader, "[")) return readItems(reader, depth);
  if (take(reader, "{")) return readEntries(reader, depth);
  const text = readText(reader);
  if (text !== undefined) return { value: text };
  const word = match(reader, /[+-]?\d[\d_]{0,20}(?:\.\d{0,20})?(?:[eE][+-]?\d{1,3})?|[A-Za-z]{4,5}/y);
  if (word === undefined) return undefined;
  if (words.has(word)) return { value: words.get(word) };
  const number = Number(word.replaceAll("_", ""));
  return Number.isFinite(number) ? { value: number } : undefined;
}

/** Python's, and JSON's, which models mix up. */
const words: ReadonlyMap<string, unknown> = new Map<string, unknown>([
  ...(["True", "true"] as const).map((word) => [word, true] as const),
  ...(["False", "false"] as const).map((word) => [word, false] as const),
  ...(["None", "null"] as const).map((word) => [word, null] as const),
]);

function readItems(reader: Reader, depth: number): Read {
  const items: unknown[] = [];
  while (!take(reader, "]")) {
    if (items.length > 0 && !take(reader, ",")) return undefined;
    if (items.length > 0 && take(reader, "]")) break;
    const item = readLiteral(reader, depth + 1);
    if (item === undefined) return undefined;
    items.push(item.value);
  }
  return { value: items };
}

function readEntries(reader: Reader, depth: number): Read {
  const entries = new Map<string, unknown>();
  while (!take(reader, "}")) {
    if (entries.size > 0 && !take(reader, ",")) return undefined;
    if (entries.size > 0 && take(reader, "}")) break;
    const key = readText(reader);
    const value = key === undefined || !take(reader, ":") ? undefined : readLiteral(reader, depth + 1);
    if (key === undefined || value === undefined || entries.has(key)) return undefined;
    entries.set(key, value.value);
  }
  return { value: Object.fromEntries(entries) };
}

/** A string in any of Python's quotes; line ends in single quotes are forgiven, an end that is missing is not. */
function readText(reader: Reader): string | undefined {
  const quote = match(reader, /r?(?:"""|'''|"|')/y);
  if (quote === undefined) return undefined;
  const isRaw = quote.startsWith("r");
  const mark = isRaw ? quote.slice(1) : quote;
  const { text } = reader;
  let end = reader.at;
  while (end < text.length && !text.startsWith(mark, end)) end += text[end] === "\\" ? 2 : 1;
  if (end >= text.length) return undefined;
  const body = text.slice(reader.at, end);
  reader.at = end + mark.length;
  return isRaw ? body : unescaped(body);
}

const escapes: Readonly<Record<string, string>> = {
  ...{ n: "\n", t: "\t", r: "\r", "\\": "\\", "'": "'", '"': '"', "\n": "" },
  ...{ a: "\x07", b: "\b", f: "\f", v: "\v", "0": "\0" },
};

/** As Python reads it: an escape that it does not know stays as it is. */
function unescaped(body: string): string {
  return body.replaceAll(
    /\\(?:x([\da-fA-F]{2})|u([\da-fA-F]{4})|U([\da-fA-F]{8})|([\s\S]))/g,
    (whole, x?: string, u?: string, long?: string, one?: string) => {
      const code = x ?? u ?? long;
      if (code === undefined) return escapes[one ?? ""] ?? whole;
      const point = Number.parseInt(code, 16);
      return point > 0x10ffff ? whole : String.fromCodePoint(point);
    },
  );
}

function take(reader: Reader, mark: string): boolean {
  const at = skipSpace(reader.text, reader.at);
  if (!reader.text.startsWith(mark, at)) return false;
  reader.at = at + mark.length;
  return true;
}

/** What `pattern` (sticky) finds at the next place that is no white space. */
function match(reader: Reader, pattern: RegExp): string | undefined {
  pattern.lastIndex = skipSpace(reader.text, reader.at);
  const found = pattern.exec(reader.text)?.[0];
  if (found !== undefined) reader.at = pattern.lastIndex;
  return found;
}
