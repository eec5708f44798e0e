import type { ToolSchema } from "../../chat.ts";
import {
  readBare,
  readDeepSeek,
  readFence,
  readHarmony,
  readKimi,
  readMistral,
  readPythonTag,
} from "./json-formats.ts";
import { readFunction, readInvoke, readToolCall } from "./markup-formats.ts";
import { readLfm, readPythonStart } from "./python-format.ts";
import type { ReadBlock, TextCall } from "./text-call.ts";

/** The calls in the order of the text, and the text without them. */
export interface Recovered {
  readonly calls: readonly TextCall[];
  readonly rest: string;
}

const formats: readonly (readonly [opening: string, read: ReadBlock])[] = [
  ["<tool_call>", readToolCall],
  ["<function=", readFunction],
  ["<invoke name=", readInvoke],
  ["[TOOL_CALLS]", readMistral],
  ["<|python_tag|>", readPythonTag],
  ["<|python_start|>", readPythonStart],
  ["<|tool_call_start|>", readLfm],
  ["<|tool_call_begin|>", readKimi],
  ["<｜tool▁call▁begin｜>", readDeepSeek],
  ["<|channel|>", readHarmony],
  ["```tool_call", readFence],
  ["```json", readFence],
  ["```\n", readFence],
];
const openings = new RegExp(formats.map(([opening]) => opening.replaceAll(/[[\]|]/g, "\\$&")).join("|"), "g");
// What stands around a block and means nothing without it.
const wrappers =
  /<\|tool_calls_section_(?:begin|end)\|>|<｜tool▁calls▁(?:begin|end)｜>|<\/?function_calls>|<\/?minimax:tool_call>|<\|start\|>assistant(?: to=[\w.-]{1,80})?/g;

/**
 * Finds calls that a server left in the text because its parser is missing or does not fit the model: Hermes, Qwen, GLM, Mistral, Llama, LFM2,
 * Kimi, DeepSeek, gpt-oss and Anthropic's forms, fenced JSON, and text that is nothing but a call. A block counts only when it is whole
 * and names an offered tool (forms that may also be an example: when it fits the tool's schema as well); anything else stays text, so
 * that nothing cut off is ever run.
 */
export function recoverTextCalls(text: string, tools: readonly ToolSchema[]): Recovered {
  if (tools.length === 0) return { calls: [], rest: text };
  const bare = readBare(text, 0, tools);
  if (bare !== undefined) return { calls: bare.calls, rest: "" };
  const calls: TextCall[] = [];
  let rest = "";
  let from = 0;
  openings.lastIndex = 0;
  for (let match = openings.exec(text); match !== null; match = openings.exec(text)) {
    const read = formats.find(([opening]) => opening === match[0])?.[1];
    const block = read?.(text, match.index + match[0].length, tools);
    if (block === undefined) continue;
    calls.push(...block.calls);
    rest += text.slice(from, match.index);
    from = block.end;
    openings.lastIndex = block.end;
  }
  return { calls, rest: calls.length === 0 ? text : (rest + text.slice(from)).replaceAll(wrappers, "").trim() };
}
