import { findJsonEnd, parseJson, skipSpace } from "../json-text.ts";
import { readPythonList } from "./python-format.ts";
import {
  type CallBlock,
  isValidCall,
  type ReadBlock,
  readJsonCall,
  readNamedCall,
  skipTag,
  toTextCall,
} from "./text-call.ts";

/** Mistral: `[TOOL_CALLS]` before a list, or before `name{…}` or `name[ARGS]{…}`. */
export const readMistral: ReadBlock = (text, at, tools) => {
  const from = skipSpace(text, at);
  if (text[from] === "[") return readList(text, from, tools);
  const head = /^([\w.-]{1,64})\s*(?:\[CALL_ID\]\w{1,64}\s*)?(?:\[ARGS\])?\s*(?=\{)/.exec(text.slice(from, from + 200));
  return head === null ? undefined : readNamedCall(head[1] ?? "", text, from + head[0].length, tools);
};

function readList(text: string, from: number, tools: Parameters<ReadBlock>[2]): CallBlock | undefined {
  const end = findJsonEnd(text, from);
  const values = end < 0 ? undefined : parseJson(text.slice(from, end));
  if (!Array.isArray(values)) return undefined;
  const calls = values.map((value) => toTextCall(value, tools)).filter((call) => call !== undefined);
  // One of several that cannot be read may be what the others were meant to follow.
  return calls.length === 0 || calls.length !== values.length ? undefined : { calls, end };
}

/** Llama 3: `<|python_tag|>{…}`, several with semicolons between them. */
export const readPythonTag: ReadBlock = (text, at, tools) => {
  let block = readJsonCall(text, at, tools);
  while (block !== undefined) {
    const separator = skipSpace(text, block.end);
    const next = text[separator] === ";" ? readJsonCall(text, separator + 1, tools) : undefined;
    if (next === undefined) break;
    block = { calls: [...block.calls, ...next.calls], end: next.end };
  }
  return block && { ...block, end: skipTag(text, block.end, "<|eom_id|>") };
};

/** Kimi: `<|tool_call_begin|>functions.read:0<|tool_call_argument_begin|>{…}<|tool_call_end|>`. */
export const readKimi: ReadBlock = (text, at, tools) => {
  const head = /^\s*([\w.:-]{1,80})\s*<\|tool_call_argument_begin\|>/.exec(text.slice(at, at + 200));
  if (head === null) return undefined;
  const block = readNamedCall(head[1] ?? "", text, at + head[0].length, tools);
  return block && { ...block, end: skipTag(text, block.end, "<|tool_call_end|>") };
};

/** DeepSeek: V3 writes `function<｜tool▁sep｜>name` and a fence, V3.1 `name<｜tool▁sep｜>{…}`. */
export const readDeepSeek: ReadBlock = (text, at, tools) => {
  const head = /^\s*(?:function<｜tool▁sep｜>)?([\w.-]{1,64})\s*(?:<｜tool▁sep｜>)?\s*(?:```(?:json)?\s*)?(?=\{)/.exec(
    text.slice(at, at + 240),
  );
  if (head === null) return undefined;
  const block = readNamedCall(head[1] ?? "", text, at + head[0].length, tools);
  if (block === undefined) return undefined;
  return { ...block, end: skipTag(text, skipTag(text, block.end, "```"), "<｜tool▁call▁end｜>") };
};

/** gpt-oss: `<|channel|>commentary to=functions.read <|constrain|>json<|message|>{…}<|call|>`; the recipient may also stand before it. */
export const readHarmony: ReadBlock = (text, at, tools) => {
  const head = /^\s*\w{1,16}(?:\s+to=([\w.-]{1,80}))?\s*(?:<\|constrain\|>)?\s*(?:json)?\s*<\|message\|>/.exec(
    text.slice(at, at + 240),
  );
  if (head === null) return undefined;
  const before = /to=([\w.-]{1,80})\s*<\|channel\|>$/.exec(text.slice(Math.max(0, at - 120), at));
  const name = head[1] ?? before?.[1];
  const block = name === undefined ? undefined : readNamedCall(name, text, at + head[0].length, tools);
  return block && { ...block, end: skipTag(text, block.end, "<|call|>") };
};

/** A fenced block that is nothing but a call; it must fit the tool's schema, because fences also hold examples. */
export const readFence: ReadBlock = (text, at, tools) => {
  const from = skipSpace(text, at);
  const block = text[from] === "[" ? readList(text, from, tools) : readJsonCall(text, from, tools);
  if (block === undefined || !block.calls.every((call) => isValidCall(call, tools))) return undefined;
  const end = skipTag(text, block.end, "```");
  return end === block.end ? undefined : { ...block, end };
};

/** Text that is as a whole one call or a list of calls, and fits: Llama 3 and 4 without their tags, or an envelope. */
export const readBare: ReadBlock = (text, at, tools) => {
  const from = skipSpace(text, at);
  const block =
    text[from] === "["
      ? (readList(text, from, tools) ?? readPythonList(text, from, tools))
      : readJsonCall(text, from, tools);
  if (block === undefined || text.slice(block.end).trim() !== "") return undefined;
  return block.calls.every((call) => isValidCall(call, tools)) ? block : undefined;
};
