import type { ToolSchema } from "../../chat.ts";
import { takesText } from "../check-schema.ts";
import { asRecord, parseJson, skipSpace } from "../json-text.ts";
import { matchToolName } from "../tool-names.ts";
import { type CallBlock, callOf, type ReadBlock, readJsonCall, skipTag } from "./text-call.ts";

/** What stands behind `<tool_call>`: Hermes' JSON, Qwen's `<function=…>`, or GLM's name with `<arg_key>` and `<arg_value>`. */
export const readToolCall: ReadBlock = (text, at, tools) => {
  const inner = skipSpace(text, at);
  const opening = "<function=";
  const block = text.startsWith(opening, inner)
    ? readFunction(text, inner + opening.length, tools)
    : text[inner] === "{"
      ? readJsonCall(text, inner, tools)
      : readGlm(text, inner, tools);
  return block && { ...block, end: skipTag(text, block.end, "</tool_call>") };
};

/** Qwen3-Coder and Llama: the name, then parameters as elements or one JSON object, to `</function>`. */
export const readFunction: ReadBlock = (text, at, tools) => {
  const head = /^["']?([\w.-]{1,64})["']?>/.exec(text.slice(at, at + 100));
  const tool = head === null ? undefined : toolOf(head[1] ?? "", tools);
  if (head === null || tool === undefined) return undefined;
  return readElements(text, at + head[0].length, tool, {
    open: "<function=",
    close: "</function>",
    parameter: /<parameter=["']?([\w.-]{1,64})["']?>/,
    closeParameter: "</parameter>",
  });
};

/** MiniMax and models trained on Anthropic's form: `<invoke name="read"><parameter name="file_path">…</parameter></invoke>`. */
export const readInvoke: ReadBlock = (text, at, tools) => {
  const head = /^["']?([\w.-]{1,64})["']?\s*>/.exec(text.slice(at, at + 100));
  const tool = head === null ? undefined : toolOf(head[1] ?? "", tools);
  if (head === null || tool === undefined) return undefined;
  return readElements(text, at + head[0].length, tool, {
    open: "<invoke name=",
    close: "</invoke>",
    parameter: /<parameter name=["']?([\w.-]{1,64})["']?[^<>]{0,64}>/,
    closeParameter: "</parameter>",
  });
};

function readGlm(text: string, from: number, tools: readonly ToolSchema[]): CallBlock | undefined {
  const head = /^([\w.-]{1,64})\s*(?=<arg_key>|<\/tool_call>)/.exec(text.slice(from, from + 100));
  const close = text.indexOf("</tool_call>", from);
  const tool = head === null ? undefined : toolOf(head[1] ?? "", tools);
  if (head === null || close < 0 || tool === undefined) return undefined;
  // A value may hold the words themselves: the end is the first closing tag behind a closed value.
  for (let at = close; at >= 0; at = text.indexOf("</tool_call>", at + 1)) {
    const body = text.slice(from + head[0].length, at).trim();
    if (body !== "" && !body.endsWith("</arg_value>")) continue;
    const args = readPairs(body, tool);
    const call = args && callOf(tool.name, JSON.stringify(args), tools);
    return call && { calls: [call], end: at };
  }
  return undefined;
}

function readPairs(body: string, tool: ToolSchema): Record<string, unknown> | undefined {
  const pattern = /\s*<arg_key>([\w.-]{1,64})<\/arg_key>\s*<arg_value>([\s\S]*?)<\/arg_value>(?=\s*(?:<arg_key>|$))/y;
  const args: Record<string, unknown> = {};
  let from = 0;
  while (from < body.length) {
    pattern.lastIndex = from;
    const pair = pattern.exec(body);
    if (pair === null) return undefined;
    args[pair[1] ?? ""] = valueOf(pair[2] ?? "", tool, pair[1] ?? "");
    from = pattern.lastIndex;
  }
  return countOf(body, "<arg_key>") === Object.keys(args).length ? args : undefined;
}

interface Markup {
  readonly open: string;
  readonly close: string;
  readonly parameter: RegExp;
  readonly closeParameter: string;
}

/**
 * Values in markup are not escaped, so that a file about this very markup is ambiguous. What is not clear is no call: a value cut at an
 * inner closing tag would be half a file.
 */
function readElements(text: string, from: number, tool: ToolSchema, markup: Markup): CallBlock | undefined {
  const end = findEnd(text, from, markup);
  if (end < 0) return undefined;
  const body = text.slice(from, end);
  const args = body.trim().startsWith("{") ? asRecord(parseJson(body.trim())) : readParameters(body, tool, markup);
  const call = args && callOf(tool.name, JSON.stringify(args), [tool]);
  return call && { calls: [call], end: end + markup.close.length };
}

/** The closing tag that is not inside a parameter's value, as far as that can be told. */
function findEnd(text: string, from: number, { open, close, parameter, closeParameter }: Markup): number {
  for (let at = text.indexOf(close, from); at >= 0; at = text.indexOf(close, at + 1)) {
    const before = text.slice(from, at);
    const isBetween = !parameter.test(before) || before.trimEnd().endsWith(closeParameter);
    if (isBetween && countOf(before, open) <= countOf(before, close)) return at;
  }
  return -1;
}

function readParameters(body: string, tool: ToolSchema, markup: Markup): Record<string, unknown> | undefined {
  const { source } = markup.parameter;
  const pattern = new RegExp(`\\s*${source}([\\s\\S]*?)${markup.closeParameter}(?=\\s*(?:${source}|$))`, "y");
  const args: Record<string, unknown> = {};
  let from = 0;
  while (body.slice(from).trim() !== "") {
    pattern.lastIndex = from;
    const match = pattern.exec(body);
    if (match === null) return undefined;
    const key = match[1] ?? "";
    if (key in args) return undefined;
    args[key] = valueOf((match[2] ?? "").replace(/^\r?\n/, "").replace(/\r?\n$/, ""), tool, key);
    from = pattern.lastIndex;
  }
  const opened = body.match(new RegExp(source, "g"))?.length ?? 0;
  return opened === Object.keys(args).length ? args : undefined;
}

/** Text stays as it is where the schema takes text; everything else is read as JSON. */
function valueOf(raw: string, tool: ToolSchema, key: string): unknown {
  const schema = asRecord(asRecord(tool.parameters["properties"])?.[key]);
  if (takesText(schema)) return raw.trim() === "null" && schema !== undefined && !isOnlyText(schema) ? null : raw;
  return parseJson(raw.trim()) ?? raw;
}

function isOnlyText(schema: Readonly<Record<string, unknown>>): boolean {
  return schema["type"] === "string" || Array.isArray(schema["enum"]);
}

function toolOf(name: string, tools: readonly ToolSchema[]): ToolSchema | undefined {
  const matched = matchToolName(name, tools);
  return tools.find((tool) => tool.name === matched);
}

function countOf(text: string, part: string): number {
  return text.split(part).length - 1;
}
