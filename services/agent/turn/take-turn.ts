import { addChatUsage, type ChatReply } from "../../model/chat.ts";
import type { PendingAnswer } from "../session/branch.ts";
import type { CommandStart } from "../session/session-record.ts";
import type { FinishClaim } from "../tools/finish.ts";
import { type CallRecord, plainText, type TurnRecord, type TurnSession } from "../transcript.ts";
import { type Answer, chantReason } from "./ask-model.ts";
import { nudge, nudgesMax } from "./nudge.ts";
import { type CallsResult, runCalls } from "./run-calls.ts";
import { type Ending, limitReached, type Run, usedTokens } from "./run-state.ts";
import { scarceBudgets } from "./scarce-budgets.ts";

/** Consecutive answers without one valid call among their calls (mini-swe-agent: RepeatedFormatError after 3). */
const invalidTurnsMax = 3;
/** Rounds in which a result that was not accepted may be mended (research on agent loops: up to two). */
const repairsMax = 2;
/** Chanting answers: the first gets a nudge. */
const chantsMax = 2;
/** Calls in a row without any argument after which the next answer must be a checked call: the model lost its own thoughts. */
const emptyCallsMax = 2;

/** Asks once, runs what was called, stores the turn. @returns how the run ends, where it does. @throws what `AgentDeps.onTurn` and the tools throw */
export async function takeTurn(run: Run): Promise<Ending | undefined> {
  const isRequired = run.textTurns > nudgesMax || run.emptyCalls >= emptyCallsMax;
  const toolChoice: TurnRecord["toolChoice"] = isRequired ? "required" : "auto";
  const requestDigest = run.conversation.digest();
  const { pending } = run;
  run.pending = undefined;
  const answer = pending === undefined ? await run.asking.ask(toolChoice, run.signal) : asked(pending);
  if ("exhausted" in answer) return { outcome: "MaxTurns", detail: answer.exhausted };
  const { reply, compactions, summaries } = answer;
  const atMs = run.deps.clock.now();
  run.turns += 1;
  const usage = summaries.reduce((sum, summary) => addChatUsage(sum, summary.usage), reply.usage);
  run.usage = addChatUsage(run.usage, usage);
  const calls: CallRecord[] = [];
  run.notes = "";
  run.nudge = "";
  const store = (isLast: boolean) => {
    const { content, reasoning, isTruncated, endpoint } = reply;
    const record = {
      turn: run.turns,
      atMs,
      requestDigest,
      toolChoice,
      content,
      reasoning,
      isTruncated,
      usage,
      endpoint,
      ...(reply.effort === undefined ? {} : { effort: reply.effort }),
      compactions,
      session: turnSession(run, isLast),
    };
    const callsOmitted = reply.toolCalls.length - calls.length;
    return run.deps.onTurn({ ...record, calls, callsOmitted });
  };
  let ending: Ending | undefined;
  try {
    const isWhole = compactions.length === 0;
    const kept = isWhole ? { answer: { requestDigest, reply: { ...reply, usage } } } : {};
    ending = await useReply(run, reply, { records: calls, kept, started: pending?.started ?? [] });
  } catch (error) {
    // The time ran out in a tool: what was done up to here is still worth reading.
    if (run.wall.signal.aborted) await store(true);
    throw error;
  }
  await store(ending !== undefined);
  return ending;
}

function asked(pending: PendingAnswer): Exclude<Answer, { readonly exhausted: string }> {
  return { reply: pending.reply, compactions: [], summaries: [] };
}

function turnSession(run: Run, isLast: boolean): TurnSession {
  const { textTurns, invalidTurns, emptyCalls, chants, repairs, hasWarned } = run;
  const usedMs = Math.round(run.wall.usedMs());
  return {
    endDigest: run.conversation.digest(),
    isLast,
    notes: run.notes,
    nudge: run.nudge,
    known: run.deps.tools.seen.takeNews(),
    counts: { textTurns, invalidTurns, emptyCalls, chants, repairs, hasWarned, usedMs },
  };
}

async function useReply(
  run: Run,
  reply: ChatReply,
  turn: {
    readonly records: CallRecord[];
    readonly kept: Pick<CommandStart, "answer">;
    readonly started: readonly number[];
  },
): Promise<Ending | undefined> {
  if (reply.cutReason === chantReason) run.chants += 1;
  if (run.chants >= chantsMax) return { outcome: "StuckLoop", detail: `in ${run.chants} answers ${chantReason}` };
  const calls = run.conversation.addReply(reply, run.turns);
  if (calls.length === 0) return withoutCalls(run, reply);
  for (const call of calls) run.emptyCalls = emptyCall.test(call.arguments) ? run.emptyCalls + 1 : 0;
  const result = await runCalls(
    {
      tools: run.deps.tools,
      instructions: run.deps.instructions,
      clock: run.deps.clock,
      conversation: run.conversation,
      guards: run.guards,
      ledger: run.ledger,
      judge: (claim) => judged(run, claim),
      onCommand: (call, command) => tellCommand(run, { turn: run.turns, call, command, ...turn.kept }),
    },
    {
      turn: run.turns,
      calls,
      isTruncated: reply.isTruncated,
      records: turn.records,
      lastNotes: () => budgetWarning(run),
      started: turn.started,
    },
    run.signal,
  );
  run.notes = result.notes;
  return afterCalls(run, result);
}

/** Nothing that may have effects outside starts before it is known that it did; the time of waiting for that does not count. */
async function tellCommand(run: Run, started: CommandStart): Promise<void> {
  run.wall.setWaiting(true);
  try {
    await run.deps.onCommand?.(started);
  } finally {
    run.wall.setWaiting(false);
  }
}

function afterCalls(run: Run, result: CallsResult): Ending | undefined {
  if (result.finish !== undefined) return finished(result.finish);
  if (result.stuck !== undefined) return { outcome: "StuckLoop", detail: result.stuck };
  if (result.validCount > 0) {
    run.textTurns = 0;
    run.invalidTurns = 0;
    return undefined;
  }
  run.invalidTurns += 1;
  if (run.invalidTurns < invalidTurnsMax) return undefined;
  const detail = `${invalidTurnsMax} answers in a row without a valid tool call; the last problem: ${result.problem ?? ""}`;
  return { outcome: "ProtocolViolation", detail };
}

const emptyCall = /^\s*(?:\{\s*\})?\s*$/u;

function withoutCalls(run: Run, reply: ChatReply): Ending | undefined {
  run.textTurns += 1;
  if (run.textTurns > nudgesMax + 1) {
    return {
      outcome: "ProtocolViolation",
      detail: `${run.textTurns} answers without a tool call, although one was required; finish was never called`,
    };
  }
  run.nudge = nudge(reply, run.textTurns, run.task.outputTokensMax);
  run.conversation.addUser(run.nudge);
  return undefined;
}

/** What the model is told instead of being done; undefined lets it end, with whatever the judge said last. */
async function judged(run: Run, claim: FinishClaim): Promise<string | undefined> {
  if (claim.status !== "done") return undefined;
  run.wall.setWaiting(true);
  try {
    const objection = await run.deps.judge(
      { ...claim, summary: plainText(claim.summary, 4_000) },
      run.ledger.evidence(),
    );
    if (objection === undefined || run.repairs >= repairsMax || limitReached(run) !== undefined) return undefined;
    run.repairs += 1;
    const left = repairsMax - run.repairs;
    const rest = left === 0 ? "This is the last time that you can mend it" : `You can mend it ${left + 1} times`;
    return `Not accepted. ${objection}\n\n${rest}: change the files, then call finish again. If it cannot be done, finish with status "blocked".`;
  } finally {
    run.wall.setWaiting(false);
  }
}

function finished(claim: FinishClaim): Ending {
  const summary = plainText(claim.summary, 4_000);
  const note = summary === "" ? ", with an empty summary" : "";
  return claim.status === "done"
    ? { outcome: "Done", summary, detail: `the model said done${note}` }
    : { outcome: "Blocked", summary, detail: `the model said blocked${note}${summary === "" ? "" : `: ${summary}`}` };
}

function budgetWarning(run: Run): readonly string[] {
  const used = { turns: run.turns, tokens: usedTokens(run), wallMs: run.wall.usedMs() };
  const warning = run.hasWarned ? undefined : scarceBudgets(used, run.task.limits);
  if (warning === undefined) return [];
  run.hasWarned = true;
  return [warning];
}
