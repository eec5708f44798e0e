import type { ToolCall } from "../../model/chat.ts";
import type { RepositoryInstructions } from "../context/instructions.ts";
import type { Ledger } from "../context/ledger.ts";
import type { Guards } from "../guards/guards.ts";
import type { FinishClaim } from "../tools/finish.ts";
import { type CheckedCall, parseArguments, type ToolSet } from "../tools/tool-set.ts";
import type { CallRecord } from "../transcript.ts";
import { fileDigest } from "../worktree/read-ledger.ts";
import type { Conversation } from "./conversation.ts";
import type { Clock } from "./wall-budget.ts";

/** What the calls of one reply came to. */
export interface CallsResult {
  readonly finish?: FinishClaim;
  readonly validCount: number;
  /** What was wrong with the first invalid call. */
  readonly problem?: string;
  /** Set when a guard ends the run: why. */
  readonly stuck?: string;
  /** What was appended to the last result. */
  readonly notes: string;
}

/** Calls run in one reply; the others are answered with an error. */
const callsPerReplyMax = 32;

interface CallDeps {
  readonly tools: ToolSet;
  readonly instructions: RepositoryInstructions;
  readonly clock: Clock;
  readonly conversation: Conversation;
  readonly guards: Guards;
  readonly ledger: Ledger;
  /** Undefined accepts a finish; else what the model is told instead. */
  judge(claim: FinishClaim): Promise<string | undefined>;
  /** Told of a command, the call at `index`, before it runs. */
  onCommand(index: number, command: string): Promise<void>;
}

interface ReplyCalls {
  readonly turn: number;
  readonly calls: readonly ToolCall[];
  readonly isTruncated: boolean;
  /** Filled as the calls end, so that a turn that is cut short is recorded as far as it went. */
  readonly records: CallRecord[];
  /** Appended to the last result. */
  readonly lastNotes: () => readonly string[];
  /** Calls that were started in a life before, from 0: neither they nor what stands behind the first of them is run. */
  readonly started?: readonly number[];
}

/**
 * Runs the calls of one reply in order and answers each one; `finish` is looked at after all others.
 * @throws the signal's reason when aborted; calls not yet run stay unanswered then.
 */
export async function runCalls(deps: CallDeps, reply: ReplyCalls, signal: AbortSignal): Promise<CallsResult> {
  const checked = reply.calls.map(
    (call, index) => lostCall(reply.started ?? [], index) ?? checkOne(deps.tools, call, index, reply.isTruncated),
  );
  const results: string[] = [];
  const notes: string[] = [];
  let stuck: string | undefined;
  for (const [index, call] of reply.calls.entries()) {
    const verdict = checked[index];
    if (verdict === undefined) continue;
    for (const command of "valid" in verdict ? commandOf(verdict.valid) : []) await deps.onCommand(index, command);
    const startedMs = deps.clock.now();
    const result =
      "problem" in verdict ? { content: verdict.problem, isError: true } : await deps.tools.run(verdict.valid, signal);
    const durationMs = Math.max(0, deps.clock.now() - startedMs);
    const changed = deps.tools.takeChanged().map(({ path, bytes }) => {
      return { path, before: bytes === undefined ? null : fileDigest(bytes) };
    });
    reply.records.push({
      id: call.id,
      name: call.name,
      arguments: call.arguments,
      result: result.content,
      durationMs,
      isError: result.isError,
      // What a failed call had changed was put back.
      ...(changed.length === 0 || result.isError ? {} : { changed }),
    });
    results.push(result.isError ? `Error: ${result.content}` : result.content);
    const args = parseArguments(call.arguments);
    const { isError } = result;
    const step = { turn: reply.turn, tool: call.name, args: args ?? call.arguments, result: result.content, isError };
    deps.ledger.record(step);
    const guard = deps.guards.record(step);
    const path = args?.["file_path"];
    const nearby = isError || typeof path !== "string" ? "" : await deps.instructions.near(path, signal);
    if (nearby !== "") notes.push(`Instructions of the repository for this folder:\n${nearby}`);
    if (guard.kind === "nudge") notes.push(guard.text);
    if (guard.kind === "stuck") stuck = guard.text;
  }
  if (reply.isTruncated)
    notes.push("Your answer was cut off here by the output limit: nothing after this call was run.");
  const objection = await judgeFinish(deps, reply, checked, results);
  const suffix = [...notes, ...reply.lastNotes()].map((note) => `\n\n[agentd] ${note}`).join("");
  for (const [index, call] of reply.calls.entries()) {
    const isLast = index === reply.calls.length - 1;
    deps.conversation.addToolResult(call.id, `${results[index] ?? ""}${isLast ? suffix : ""}`);
  }
  const valid = checked.flatMap((verdict) => ("valid" in verdict ? [verdict.valid] : []));
  const finish = objection === undefined ? valid.find((call) => call.finish !== undefined)?.finish : undefined;
  const refused = checked.flatMap((verdict) => ("problem" in verdict ? [verdict] : []));
  const problem = refused.find(({ isLost }) => isLost !== true)?.problem;
  return {
    validCount: valid.length + refused.filter(({ isLost }) => isLost === true).length,
    notes: suffix,
    ...(finish === undefined ? {} : { finish }),
    ...(problem === undefined ? {} : { problem }),
    ...(stuck === undefined ? {} : { stuck }),
  };
}

/** Asks whether a finish is accepted; where it is not, its result tells why. */
async function judgeFinish(
  deps: CallDeps,
  reply: ReplyCalls,
  checked: readonly Checked[],
  results: string[],
): Promise<string | undefined> {
  const index = checked.findIndex((verdict) => "valid" in verdict && verdict.valid.finish !== undefined);
  const verdict = checked[index];
  if (verdict === undefined || !("valid" in verdict) || verdict.valid.finish === undefined) return undefined;
  const objection = await deps.judge(verdict.valid.finish);
  if (objection === undefined) return undefined;
  results[index] = objection;
  const record = reply.records[index];
  if (record !== undefined) reply.records[index] = { ...record, result: objection, isError: true, isObjection: true };
  return objection;
}

/** Commands are the only calls whose effects may outlast the attempt's tree. */
function commandOf(call: CheckedCall): readonly string[] {
  if (call.name !== "bash" || typeof call.args !== "object" || call.args === null) return [];
  return "command" in call.args && typeof call.args.command === "string" ? [call.args.command] : [];
}

type Checked = { readonly valid: CheckedCall } | { readonly problem: string; readonly isLost?: true };

/** Told instead of running what may have run before. */
function lostCall(started: readonly number[], index: number): Checked | undefined {
  if (started.length === 0 || index < Math.min(...started)) return undefined;
  const problem = started.includes(index)
    ? "The machine was lost while this command ran, or just before or after: it may have run, wholly or in part, and its output is " +
      "lost. What it did to the files of the repository was taken back; what it changed outside of them is still so. Look before you " +
      "run it again."
    : "Not run: the machine was lost before this call.";
  return { problem, isLost: true };
}

function checkOne(tools: ToolSet, call: ToolCall, index: number, isTruncated: boolean): Checked {
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
