import type { ToolCall } from "../model/chat.ts";
import { clipEnd } from "./clip.ts";
import type { Conversation } from "./conversation.ts";
import type { LoopDetector } from "./loop-detector.ts";
import type { FinishClaim } from "./tools/finish.ts";
import { type CheckedCall, parseArguments, type ToolSet } from "./tools/tool-set.ts";
import type { CallRecord } from "./transcript.ts";
import type { Clock } from "./wall-budget.ts";

/** What the calls of one reply came to. */
export interface CallsResult {
  readonly finish?: FinishClaim;
  readonly validCount: number;
  /** What was wrong with the first invalid call. */
  readonly problem?: string;
  /** Set when the same calls were repeated too often. */
  readonly stuck?: string;
  /** To be told to the model with the last result. */
  readonly notes: readonly string[];
}

/** Calls run in one reply; the others are answered with an error. */
const callsPerReplyMax = 32;

interface CallDeps {
  readonly tools: ToolSet;
  readonly clock: Clock;
  readonly conversation: Conversation;
  readonly loops: LoopDetector;
}

interface ReplyCalls {
  readonly turn: number;
  readonly calls: readonly ToolCall[];
  readonly isTruncated: boolean;
  /** Filled as the calls end, so that a turn that is cut short is recorded as far as it went. */
  readonly records: CallRecord[];
  /** Appended to the last result. */
  readonly lastNotes: () => readonly string[];
}

/**
 * Runs the calls of one reply in order and answers each one; `finish` is looked at after all others.
 * @throws the signal's reason when aborted; calls not yet run stay unanswered then.
 */
export async function runCalls(deps: CallDeps, reply: ReplyCalls, signal: AbortSignal): Promise<CallsResult> {
  const checked = reply.calls.map((call, index) => checkOne(deps.tools, call, index, reply.isTruncated));
  const results: string[] = [];
  const notes: string[] = [];
  let stuck: string | undefined;
  for (const [index, call] of reply.calls.entries()) {
    const verdict = checked[index];
    if (verdict === undefined) continue;
    const startedMs = deps.clock.now();
    const result =
      "problem" in verdict ? { content: verdict.problem, isError: true } : await deps.tools.run(verdict.valid, signal);
    const durationMs = Math.max(0, deps.clock.now() - startedMs);
    reply.records.push({
      name: call.name,
      arguments: call.arguments,
      result: result.content,
      durationMs,
      isError: result.isError,
    });
    results.push(result.isError ? `Error: ${result.content}` : result.content);
    const args = parseArguments(call.arguments) ?? call.arguments;
    const loop = deps.loops.record({ turn: reply.turn, tool: call.name, args, result: result.content });
    if (loop.kind === "nudge") notes.push(loopNudge(call.name, loop.cycleLength, loop.repeats));
    if (loop.kind === "stuck") stuck = describeLoop(call.name, loop.cycleLength, loop.repeats);
  }
  if (reply.isTruncated)
    notes.push("Your answer was cut off here by the output limit: nothing after this call was run.");
  const suffix = [...notes, ...reply.lastNotes()].map((note) => `\n\n[agentd] ${note}`).join("");
  for (const [index, call] of reply.calls.entries()) {
    const isLast = index === reply.calls.length - 1;
    deps.conversation.addToolResult(call.id, `${results[index] ?? ""}${isLast ? suffix : ""}`);
  }
  const valid = checked.flatMap((verdict) => ("valid" in verdict ? [verdict.valid] : []));
  const finish = valid.find((call) => call.finish !== undefined)?.finish;
  const problem = checked.flatMap((verdict) => ("problem" in verdict ? [verdict.problem] : []))[0];
  return {
    validCount: valid.length,
    notes,
    ...(finish === undefined ? {} : { finish }),
    ...(problem === undefined ? {} : { problem }),
    ...(stuck === undefined ? {} : { stuck }),
  };
}

function checkOne(
  tools: ToolSet,
  call: ToolCall,
  index: number,
  isTruncated: boolean,
): { readonly valid: CheckedCall } | { readonly problem: string } {
  if (index >= callsPerReplyMax) {
    return { problem: `Not run: at most ${callsPerReplyMax} calls are run of one answer. Send it again.` };
  }
  const verdict = tools.check(call);
  // What stood behind the cut is unknown: it may have been more work.
  if (isTruncated && "valid" in verdict && verdict.valid.finish !== undefined) {
    return { problem: "Not finished: your answer was cut off by the output limit. Call finish again, alone." };
  }
  return verdict;
}

function describeLoop(tool: string, cycleLength: number, repeats: number): string {
  const name = clipEnd(tool, 64);
  return cycleLength === 1
    ? `the same ${name} call gave the same result ${repeats} times`
    : `the same ${cycleLength} calls (the last is ${name}) gave the same results ${repeats} times`;
}

function loopNudge(tool: string, cycleLength: number, repeats: number): string {
  return (
    `You are repeating yourself: ${describeLoop(tool, cycleLength, repeats)}. Doing it again changes nothing. ` +
    'Try something different, or call finish with status "blocked" and say what stands in the way.'
  );
}
