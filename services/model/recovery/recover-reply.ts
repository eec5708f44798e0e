import type { ToolCall, ToolSchema } from "../chat.ts";
import { findMismatch } from "./check-schema.ts";
import { cleanArguments, cleanContent } from "./control-tokens.ts";
import { asRecord, parseJson } from "./json-text.ts";
import { repairArguments } from "./repair-arguments.ts";
import { splitThoughts, type Texts } from "./split-thoughts.ts";
import { recoverTextCalls } from "./text-calls/recover-text-calls.ts";
import { matchToolName, plainToolName } from "./tool-names.ts";

/** A call as the stream's pieces added up. */
export interface RawCall {
  readonly id: string;
  readonly name: string;
  readonly arguments: string;
}

/** What an answer's stream held. */
export interface RawReply extends Texts {
  /** Calls from the field made for them, without those that were cut. */
  readonly calls: readonly RawCall[];
  /** Whether that field had any call: then the text is only text. */
  readonly hadCalls: boolean;
  /** The answer was cut by the output cap. */
  readonly isCut: boolean;
  /** The server gave a reason for its end: only then may anything be mended. */
  readonly isFinished: boolean;
}

/** An answer after recovery. */
export interface RecoveredReply extends Texts {
  readonly toolCalls: readonly ToolCall[];
  /** A call was lost to the cut. */
  readonly isCallLost: boolean;
  /** Calls that came from the text or the thoughts. */
  readonly recoveredCalls: number;
  readonly repairs: readonly string[];
  /** Calls of an offered tool with arguments that fit its schema. */
  readonly validCalls: number;
}

interface RecoveryOptions {
  readonly tools: readonly ToolSchema[];
  /** An id for a call that came without one. */
  readonly newId: () => string;
  /** Whether the model was shown this text: in the task, a result, or a file. */
  readonly isKnown: (text: string) => boolean;
}

/**
 * Makes of a raw answer what may be acted on: thoughts apart from text, calls from wherever they stand, names and arguments mended. The
 * last call in a text that was cut is never among the calls, whole or not: what looks like its end may be part of a value.
 */
export function recoverReply(raw: RawReply, options: RecoveryOptions): RecoveredReply {
  const split = splitThoughts(raw);
  const found = raw.hadCalls ? { calls: raw.calls, ...split, isFromText: false } : findInTexts(split, options.tools);
  const kept = raw.isCut && found.isFromText ? found.calls.slice(0, -1) : found.calls;
  const repairs = new Set<string>();
  const closed = closeCalls(kept, options, { canMend: raw.isFinished && !raw.isCut, repairs });
  return {
    content: cleanContent(found.content),
    reasoning: found.reasoning,
    toolCalls: closed,
    isCallLost: kept.length < found.calls.length,
    recoveredCalls: found.isFromText ? closed.length : 0,
    repairs: [...repairs].sort(),
    validCalls: closed.filter((call) => isValid(call, options.tools)).length,
  };
}

interface FoundCalls extends Texts {
  readonly calls: readonly RawCall[];
  readonly isFromText: boolean;
}

function findInTexts(texts: Texts, tools: readonly ToolSchema[]): FoundCalls {
  const inContent = recoverTextCalls(texts.content, tools);
  const withIds = (calls: readonly Omit<RawCall, "id">[]) => calls.map((call) => ({ id: "", ...call }));
  if (inContent.calls.length > 0) {
    return { calls: withIds(inContent.calls), content: inContent.rest, reasoning: texts.reasoning, isFromText: true };
  }
  // Qwen3 and GLM may put the whole call into the thoughts and answer nothing; beside an answer it is only a thought.
  if (texts.content.trim() !== "") return { calls: [], ...texts, isFromText: true };
  const inThoughts = recoverTextCalls(texts.reasoning, tools);
  return { calls: withIds(inThoughts.calls), content: texts.content, reasoning: inThoughts.rest, isFromText: true };
}

interface Mending {
  readonly canMend: boolean;
  /** What was mended; added to. */
  readonly repairs: Set<string>;
}

function closeCalls(
  calls: readonly RawCall[],
  options: RecoveryOptions,
  { canMend, repairs }: Mending,
): readonly ToolCall[] {
  const closed: ToolCall[] = [];
  const seen = new Set<string>();
  const ids = new Set<string>();
  for (const call of calls) {
    const named = nameCall(call, options.tools);
    if (named === undefined) continue;
    const { name, tool, args } = named;
    if (name !== call.name) repairs.add("name");
    const repaired = repairArguments(args, tool, !canMend);
    for (const repair of repaired.repairs) repairs.add(repair);
    // LocalAI repeats one call under several indexes; the same id with other arguments is another call (Kimi).
    const identity = JSON.stringify([call.id, name, repaired.text]);
    if (call.id !== "" && seen.has(identity)) continue;
    seen.add(identity);
    const id = call.id === "" || ids.has(call.id) ? options.newId() : call.id;
    ids.add(id);
    closed.push(cleanCall({ id, name, arguments: repaired.text }, options, repairs));
  }
  return closed;
}

interface NamedCall {
  readonly name: string;
  readonly tool: ToolSchema | undefined;
  readonly args: string;
}

/** The tool that is meant; a name that no tool has goes on as it is, so that the caller can say which there are. */
function nameCall(call: RawCall, tools: readonly ToolSchema[]): NamedCall | undefined {
  const find = (name: string) => tools.find((tool) => tool.name === matchToolName(name, tools));
  const tool = find(call.name);
  if (tool !== undefined) return { name: tool.name, tool, args: call.arguments };
  if (call.name !== "") return { name: plainToolName(call.name), tool: undefined, args: call.arguments };
  // No name beside the arguments, but the whole call inside them.
  const inner = asRecord(parseJson(call.arguments));
  const name = inner?.["name"];
  const args = asRecord(inner?.["arguments"] ?? inner?.["parameters"]);
  const innerTool = typeof name === "string" ? find(name) : undefined;
  return innerTool && args && { name: innerTool.name, tool: innerTool, args: JSON.stringify(args) };
}

function cleanCall(call: ToolCall, options: RecoveryOptions, repairs: Set<string>): ToolCall {
  const value = asRecord(parseJson(call.arguments));
  if (value === undefined) return call;
  const cleaned = cleanArguments(value, options.isKnown);
  if (cleaned.isChanged) repairs.add("tokens");
  const args = cleaned.isChanged ? JSON.stringify(cleaned.value) : call.arguments;
  if (cleaned.suspect === undefined) return { ...call, arguments: args };
  const problem =
    `Not run: the arguments hold ${JSON.stringify(cleaned.suspect)} on a line of its own, a token of your own chat format that nothing ` +
    "in this task has shown to you. Send the call again without it; if it belongs into the file, build it from two parts.";
  return { ...call, arguments: args, problem };
}

function isValid(call: ToolCall, tools: readonly ToolSchema[]): boolean {
  const tool = tools.find((candidate) => candidate.name === call.name);
  return (
    call.problem === undefined &&
    tool !== undefined &&
    findMismatch(parseJson(call.arguments), tool.parameters) === undefined
  );
}
