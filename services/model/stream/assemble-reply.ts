import { type ChatDelta, type ChatUsage, noChatUsage, type ToolCall, type ToolSchema } from "../chat.ts";
import { asRecord, asText } from "../recovery/json-text.ts";
import { recoverReply } from "../recovery/recover-reply.ts";
import { repairArguments } from "../recovery/repair-arguments.ts";
import { createOpenCalls, type OpenCalls } from "./call-deltas.ts";

/** What the stream added up to. */
export interface AssembledReply {
  readonly content: string;
  readonly reasoning: string;
  readonly toolCalls: readonly ToolCall[];
  readonly isTruncated: boolean;
  readonly usage: ChatUsage;
  /** Last reason the server gave, or undefined when the stream ended without one. */
  readonly finishReason: string | undefined;
  /** How many calls were found in the text instead of the field made for them. */
  readonly recoveredCalls: number;
  /** What was mended in calls, as short words. */
  readonly repairs: readonly string[];
  /** Calls of an offered tool whose arguments fit its schema. */
  readonly validCalls: number;
  /** Set when a guard cut the stream. */
  readonly cutReason?: string;
}

/** Adds up the chunks of one answer. */
export interface ReplyAssembler {
  /** Takes one chunk as it came; gives the output in it (text, thought or call), which is nothing for a role alone. */
  add(chunk: unknown): readonly ChatDelta[];
  /** Characters taken so far, for a bound on what is kept. */
  readonly characters: number;
  finish(): AssembledReply;
}

/** What the answer is read against. */
export interface AssemblerOptions {
  readonly tools: readonly ToolSchema[];
  /** The cap that was asked for: a server may stop there and call it something other than `length`. */
  readonly outputTokensMax: number;
  /** An id for a call that came without one. */
  readonly newId: () => string;
  /** Whether the model was shown this text: in the task, a result, or a file. */
  readonly isKnown: (text: string) => boolean;
}

/** The older single call of a delta; the index keeps its pieces together. */
const legacyIndex = -1;

/** Creates an assembler for one stream of Chat Completions chunks; it trusts neither indexes, ids nor finish reasons. */
export function createReplyAssembler(options: AssemblerOptions): ReplyAssembler {
  const open = createOpenCalls();
  let content = "";
  let reasoning = "";
  let characters = 0;
  let finishReason: string | undefined;
  let usage: ChatUsage = noChatUsage;

  const addDelta = (delta: Readonly<Record<string, unknown>>): readonly ChatDelta[] => {
    const text = readContent(delta["content"]);
    const thought = asText(delta["reasoning"]) || asText(delta["reasoning_content"]);
    content += text;
    reasoning += thought;
    const pieces: ChatDelta[] = [
      { kind: "reasoning", text: thought },
      { kind: "content", text },
    ];
    for (const item of callDeltas(delta)) pieces.push({ kind: "arguments", text: open.add(item) });
    return pieces.filter((piece) => piece.text !== "");
  };

  return {
    get characters() {
      return characters;
    },
    add(chunk) {
      const record = asRecord(chunk);
      usage = readUsage(record?.["usage"]) ?? usage;
      const choices = record?.["choices"];
      const choice = Array.isArray(choices) ? asRecord(choices[0]) : undefined;
      if (choice === undefined) return [];
      // After a finish reason only repeats and usage come (OpenRouter sends two): taking them would run the calls twice.
      const delta = finishReason === undefined ? asRecord(choice["delta"] ?? choice["message"]) : undefined;
      const pieces = delta === undefined ? [] : addDelta(delta);
      for (const piece of pieces) characters += piece.text.length;
      const reason = asText(choice["finish_reason"]);
      if (reason !== "" && finishReason !== "length") finishReason = reason;
      return pieces;
    },
    finish() {
      const isCut = finishReason === "length" || usage.outputTokens >= options.outputTokensMax;
      const { calls, isDropped } = settleCalls(open, isCut);
      const hadCalls = open.calls.length > 0;
      const isFinished = finishReason !== undefined;
      const { isCallLost, ...reply } = recoverReply(
        { content, reasoning, calls, hadCalls, isCut, isFinished },
        options,
      );
      return { ...reply, isTruncated: finishReason === "length" || isDropped || isCallLost, usage, finishReason };
    },
  };
}

/** Of a cut answer, the call in which it was cut is dropped even if it looks whole: parsers close what the model did not. */
function settleCalls(open: OpenCalls, isCut: boolean) {
  if (!isCut) return { calls: open.calls, isDropped: false };
  const calls = open.calls.filter(
    (call) => call !== open.lastTouched && repairArguments(call.arguments, undefined, true).isWhole,
  );
  return { calls, isDropped: calls.length < open.calls.length };
}

function callDeltas(delta: Readonly<Record<string, unknown>>): readonly unknown[] {
  const deltas = Array.isArray(delta["tool_calls"]) ? delta["tool_calls"] : [];
  const legacy = asRecord(delta["function_call"]);
  return legacy === undefined ? deltas : [...deltas, { index: legacyIndex, function: legacy }];
}

/** Text, or the text parts of a list of parts. */
function readContent(value: unknown): string {
  if (!Array.isArray(value)) return asText(value);
  return value.map((part) => asText(asRecord(part)?.["text"])).join("");
}

function readUsage(value: unknown): ChatUsage | undefined {
  const usage = asRecord(value);
  if (usage === undefined) return undefined;
  const details = asRecord(usage["prompt_tokens_details"]);
  const inputTokens = readCount(usage["prompt_tokens"]);
  return {
    inputTokens,
    // DeepSeek counts its cache hits beside the details.
    cachedTokens: Math.min(inputTokens, readCount(details?.["cached_tokens"] ?? usage["prompt_cache_hit_tokens"])),
    outputTokens: readCount(usage["completion_tokens"]),
  };
}

function readCount(value: unknown): number {
  return typeof value === "number" && Number.isFinite(value) && value > 0 ? Math.floor(value) : 0;
}
