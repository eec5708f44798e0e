import type { ChatDelta, ChatUsage, ToolCall, ToolSchema } from "../chat.ts";
import { asRecord, asText, normalizeArguments } from "../recovery/call-arguments.ts";
import { recoverTextCalls } from "../recovery/recover-text-calls.ts";

/** What the stream added up to. */
export interface AssembledReply {
  readonly content: string;
  readonly reasoning: string;
  readonly toolCalls: readonly ToolCall[];
  readonly isTruncated: boolean;
  readonly usage: ChatUsage;
  /** Last reason the server gave, or undefined when the stream ended without one: then it broke. */
  readonly finishReason: string | undefined;
  /** How many calls were found in the text instead of the field made for them. */
  readonly recoveredCalls: number;
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

interface AssemblerOptions {
  readonly tools: readonly ToolSchema[];
  /** The cap that was asked for: a server may stop there and call it something other than `length`. */
  readonly outputTokensMax: number;
  /** An id for a call that came without one. */
  readonly newId: () => string;
}

interface OpenCall {
  readonly index: number | undefined;
  id: string;
  name: string;
  arguments: string;
}

/** Creates an assembler for one stream of Chat Completions chunks; it trusts neither indexes, ids nor finish reasons. */
export function createReplyAssembler(options: AssemblerOptions): ReplyAssembler {
  const calls: OpenCall[] = [];
  let content = "";
  let reasoning = "";
  let characters = 0;
  let finishReason: string | undefined;
  let usage: ChatUsage = { inputTokens: 0, cachedTokens: 0, outputTokens: 0 };

  const addDelta = (delta: Readonly<Record<string, unknown>>): readonly ChatDelta[] => {
    const text = readContent(delta["content"]);
    const thought = asText(delta["reasoning"]) || asText(delta["reasoning_content"]);
    content += text;
    reasoning += thought;
    const pieces: ChatDelta[] = [
      { kind: "reasoning", text: thought },
      { kind: "content", text },
    ];
    const deltas = Array.isArray(delta["tool_calls"]) ? delta["tool_calls"] : [];
    for (const item of deltas) pieces.push({ kind: "arguments", text: addCallDelta(calls, asRecord(item)) });
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
      const closed = closeCalls(calls, isCut, options.newId);
      const split = splitThoughts(content, reasoning);
      const isTruncated = finishReason === "length" || closed.isLastDropped;
      if (calls.length > 0) {
        return { ...split, toolCalls: closed.calls, isTruncated, usage, finishReason, recoveredCalls: 0 };
      }
      const recovered = recoverCalls(split, options.tools);
      const toolCalls = recovered.calls.map((call) => ({ id: options.newId(), ...call }));
      const { content: rest, reasoning: thoughts } = recovered;
      return {
        content: rest,
        reasoning: thoughts,
        toolCalls,
        isTruncated,
        usage,
        finishReason,
        recoveredCalls: toolCalls.length,
      };
    },
  };
}

/** Adds one piece of a call and returns the text that it brought. */
function addCallDelta(calls: OpenCall[], delta: Readonly<Record<string, unknown>> | undefined): string {
  if (delta === undefined) return "";
  const fn = asRecord(delta["function"]) ?? delta;
  const index = typeof delta["index"] === "number" ? delta["index"] : undefined;
  const id = asText(delta["id"]);
  const name = cleanName(asText(fn["name"]));
  const piece = readArguments(fn["arguments"]);
  const open = findOpenCall(calls, index, id, name);
  if (open !== undefined) {
    open.id ||= id;
    open.name ||= name;
    open.arguments += piece;
  } else if (name !== "" || id !== "" || piece !== "") {
    calls.push({ index, id, name, arguments: piece });
  }
  return piece === "" ? `${id}${name}` : piece;
}

/** The call that a piece continues, or undefined when it begins a new one. */
function findOpenCall(
  calls: readonly OpenCall[],
  index: number | undefined,
  id: string,
  name: string,
): OpenCall | undefined {
  const sameIndex = index === undefined ? undefined : calls.findLast((call) => call.index === index);
  if (sameIndex !== undefined) {
    // Ollama sends parallel calls all at index 0: another id, or a name after whole arguments, is another call.
    const isOtherId = id !== "" && sameIndex.id !== "" && id !== sameIndex.id;
    const isNextCall = name !== "" && sameIndex.arguments !== "" && normalizeArguments(sameIndex.arguments).isWhole;
    if (!isOtherId && !(isNextCall && (id === "" || id !== sameIndex.id))) return sameIndex;
    return name === "" ? calls.findLast((call) => call.id === id) : undefined;
  }
  if (name !== "") return undefined;
  const sameId = id === "" ? undefined : calls.findLast((call) => call.id === id);
  // Neither index, id nor name that is known: it goes on where the stream was.
  return sameId ?? calls.at(-1);
}

interface ClosedCalls {
  readonly calls: readonly ToolCall[];
  readonly isLastDropped: boolean;
}

function closeCalls(open: readonly OpenCall[], isCut: boolean, newId: () => string): ClosedCalls {
  const calls: ToolCall[] = [];
  const seen = new Set<string>();
  const ids = new Set<string>();
  let isLastDropped = false;
  for (const [position, call] of open.entries()) {
    const isLast = position === open.length - 1;
    const { text, isWhole } = normalizeArguments(call.arguments);
    const isWritten = call.arguments.trim() !== "";
    if (isLast && isCut && (!isWhole || !isWritten)) {
      isLastDropped = true;
      continue;
    }
    if (call.name === "") continue;
    // LocalAI repeats one call under several indexes; the same id with other arguments is another call (Kimi).
    const identity = JSON.stringify([call.id, call.name, text]);
    if (call.id !== "" && seen.has(identity)) continue;
    seen.add(identity);
    const id = call.id === "" || ids.has(call.id) ? newId() : call.id;
    ids.add(id);
    calls.push({ id, name: call.name, arguments: text });
  }
  return { calls, isLastDropped };
}

/** gpt-oss leaks channel tokens into names, Kimi and others prefix them. */
function cleanName(name: string): string {
  return name
    .replace(/<\|.*$/s, "")
    .trim()
    .replace(/^functions\./, "");
}

function readArguments(value: unknown): string {
  if (typeof value === "string") return value;
  return value === undefined || value === null ? "" : JSON.stringify(value);
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

interface Texts {
  readonly content: string;
  readonly reasoning: string;
}

/** Thoughts that a server left in the text go where they belong; they are not the answer. */
function splitThoughts(content: string, reasoning: string): Texts {
  const end = content.indexOf("</think>");
  const start = content.indexOf("<think>");
  const isLeading = end >= 0 && (start < 0 || (start < end && content.slice(0, start).trim() === ""));
  if (!isLeading || (start < 0 && reasoning !== "")) return { content, reasoning };
  const thought = content.slice(start < 0 ? 0 : start + "<think>".length, end).trim();
  return {
    content: content.slice(end + "</think>".length).trimStart(),
    reasoning: reasoning === "" ? thought : `${reasoning}\n${thought}`,
  };
}

function recoverCalls(texts: Texts, tools: readonly ToolSchema[]) {
  const inContent = recoverTextCalls(texts.content, tools);
  if (inContent.calls.length > 0)
    return { calls: inContent.calls, content: inContent.rest, reasoning: texts.reasoning };
  // Qwen3 and GLM may put the whole call into the thoughts and answer nothing; beside an answer it is only a thought.
  if (texts.content.trim() !== "") return { calls: [], ...texts };
  const inThoughts = recoverTextCalls(texts.reasoning, tools);
  return { calls: inThoughts.calls, content: texts.content, reasoning: inThoughts.rest };
}
