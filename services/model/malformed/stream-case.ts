import type { ToolSchema } from "../chat.ts";

/** One recorded answer as a server sent it, and what must come of it. */
export interface StreamCase {
  /** Number in the list of malformed answers; extras have letters. */
  readonly id: string;
  readonly title: string;
  /** The body of the answer, byte by byte. */
  readonly body: string;
  /** Output cap that the request had. */
  readonly outputTokensMax?: number;
  /** What comes of it; a missing `failure` means an answer. */
  readonly expected: {
    /** All calls with their arguments. */
    readonly calls?: readonly (readonly [name: string, args: unknown])[];
    /** How many of these fit their schema and may run; default all. */
    readonly runnable?: number;
    readonly content?: string;
    readonly reasoning?: string;
    readonly isTruncated?: boolean;
    readonly recovered?: number;
    readonly repairs?: readonly string[];
    readonly failure?: "brokenStream" | "status";
  };
}

const text = { type: "string" };
const nullable = (type: string) => ({ anyOf: [{ type }, { type: "null" }] });

function tool(name: string, properties: Readonly<Record<string, unknown>>): ToolSchema {
  const required = Object.keys(properties);
  return { name, description: name, parameters: { type: "object", properties, required, additionalProperties: false } };
}

/** The tools that every request of the corpus offered. */
export const corpusTools: readonly ToolSchema[] = [
  tool("read", { file_path: text, offset: nullable("integer"), limit: nullable("integer") }),
  tool("write", { file_path: text, content: text }),
  tool("bash", { command: text, timeout: nullable("integer") }),
  tool("todo", { items: { type: "array", items: text }, force: nullable("boolean") }),
  tool("status", {}),
];

/** One event of a stream. */
export const event = (value: unknown): string => `data: ${JSON.stringify(value)}\n\n`;
/** A chunk with that delta. */
export const chunk = (delta: unknown, finish: string | null = null): string =>
  event({ choices: [{ index: 0, delta, finish_reason: finish }] });
/** A piece of a call. */
export const callPart = (part: Record<string, unknown>): string => chunk({ tool_calls: [part] });
/** A whole call in one piece. */
export const wholeCall = (index: number, id: string, name: string, args: unknown): string =>
  callPart({ index, id, type: "function", function: { name, arguments: args } });
/** The last chunks of an answer, with what it cost. */
export const ending = (finish: string, outputTokens = 20): string =>
  chunk({}, finish) + event({ choices: [], usage: { prompt_tokens: 90, completion_tokens: outputTokens } }) + done;
/** The last event. */
export const done = "data: [DONE]\n\n";
/** Text in pieces of about a dozen characters, then the end. */
export function spoken(content: string, finish = "stop", field = "content"): string {
  const pieces = content.match(/[\s\S]{1,12}/g) ?? [];
  return (
    chunk({ role: "assistant", content: "" }) +
    pieces.map((piece) => chunk({ [field]: piece })).join("") +
    ending(finish)
  );
}
