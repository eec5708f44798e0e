import { asRecord } from "./json-text.ts";

// A token of a chat format as no programming language writes it by accident: ChatML, Llama, harmony, DeepSeek, Gemma, Mistral, thoughts.
const marks = [
  String.raw`<\|(?:im_start|im_end|im_sep|endoftext|end_of_text|begin_of_text|eot_id|eom_id|start_header_id|end_header_id|python_tag|python_start|python_end|user|assistant|observation|system|start|end|return|call|channel|message|constrain|tool_[a-z_]{1,40}|")\|>`,
  String.raw`<｜[^｜<>\n]{1,40}｜>`,
  String.raw`<(?:start|end)_of_turn>`,
  String.raw`</?(?:think|thinking|seed:think|tool_call|tool_response|arg_value|arg_key)>`,
  String.raw`\[/?(?:THINK|INST|TOOL_CALLS|TOOL_RESULTS)\]`,
  String.raw`</(?:function|parameter|invoke|function_calls)>`,
  String.raw`</s>`,
].join("|");
const anywhere = new RegExp(marks, "g");
const quickLook = /<\||<｜|_of_turn>|think>|tool_|arg_|\[\/?[TI]|<\/(?:f|p|i|s>)/;
const atStart = new RegExp(
  `^\\s*(?:<(think|thinking|seed:think)>[\\s\\S]*?</\\1>|\\[THINK\\][\\s\\S]*?\\[/THINK\\])\\s*`,
);
const tokenAtStart = new RegExp(`^\\s*(?:${marks})(?:\\s*(?:${marks}))*\\n?`);
const tokenAtEnd = new RegExp(`\\s*(?:${marks})(?:\\s*(?:${marks}))*\\s*$`);
const tokenLine = new RegExp(`^[ \\t]*(?:${marks})[ \\t]*$`, "gm");

/** Arguments without the left-overs of the chat format, or the token for which the call must not be run. */
export interface CleanedArguments {
  readonly value: unknown;
  readonly isChanged: boolean;
  /** A token that stands where neither a left-over nor plausible text would: the value around it cannot be trusted. */
  readonly suspect?: string;
}

/**
 * Takes the model's own chat format out of the text in a call's arguments, so that no thought and no control token reaches a file.
 *
 * Writing about tokenizers is legitimate, so a token counts as a left-over only by its place: thoughts at the start of a value, tokens at
 * its start or end. A token alone on a line in the middle is suspect. Inside a line it stays: there it is somebody's string literal.
 * Whatever the model was shown (`isKnown`: in the task or in a file that it read) is never touched.
 */
export function cleanArguments(value: unknown, isKnown: (token: string) => boolean): CleanedArguments {
  if (typeof value === "string") return cleanText(value, isKnown);
  if (Array.isArray(value)) {
    const items = value.map((item) => cleanArguments(item, isKnown));
    return combine(
      items.map((item) => item.value),
      items,
    );
  }
  const record = asRecord(value);
  if (record === undefined) return { value, isChanged: false };
  const entries = Object.entries(record).map(([name, item]) => [name, cleanArguments(item, isKnown)] as const);
  return combine(
    Object.fromEntries(entries.map(([name, item]) => [name, item.value])),
    entries.map(([, item]) => item),
  );
}

function combine(value: unknown, parts: readonly CleanedArguments[]): CleanedArguments {
  const suspect = parts.find((part) => part.suspect !== undefined)?.suspect;
  const isChanged = parts.some((part) => part.isChanged);
  return { value, isChanged, ...(suspect === undefined ? {} : { suspect }) };
}

function cleanText(text: string, isKnown: (token: string) => boolean): CleanedArguments {
  if (!quickLook.test(text)) return { value: text, isChanged: false };
  let cleaned = text;
  for (const pattern of [atStart, tokenAtStart, tokenAtEnd]) {
    cleaned = cleaned.replace(pattern, (found) =>
      tokensOf(found).every((token) => isForeign(token, text, isKnown)) ? "" : found,
    );
  }
  const suspect = (cleaned.match(tokenLine) ?? [])
    .map((line) => line.trim())
    .find((token) => isForeign(token, text, isKnown));
  return { value: cleaned, isChanged: cleaned !== text, ...(suspect === undefined ? {} : { suspect }) };
}

function tokensOf(text: string): readonly string[] {
  return text.match(anywhere) ?? [];
}

/** Not shown to the model before, and no closing tag whose opening is in the same text (an HTML or XML file). */
function isForeign(token: string, text: string, isKnown: (token: string) => boolean): boolean {
  if (isKnown(token)) return false;
  const element = /^<\/([a-z_]+)>$/.exec(token)?.[1];
  if (element === undefined || element.startsWith("think")) return true;
  return !new RegExp(`<${element}[\\s>=]`).test(text);
}

/** The answer's own text without tokens of the chat format at its ends. What stands inside, and a call that could not be read, is kept. */
export function cleanContent(text: string): string {
  if (
    !quickLook.test(text) ||
    /<tool_call>|\[TOOL_CALLS\]|<function=|<\|python_(?:tag|start)\|>|<\|tool_call_start\|>/.test(text)
  )
    return text;
  return text.replace(tokenAtStart, "").replace(tokenAtEnd, "");
}
