import { isAgentdError } from "../core/errors.ts";
import type { Notice } from "../core/task/task.ts";
import { formatDuration } from "../core/text/duration.ts";
import type { ChatModel, ChatReply, ChatUsage, TokenCounter } from "../model/chat.ts";
import type { Logger } from "../platform/telemetry/log.ts";
import type { AgentLimits, AgentOutcome, AgentResult } from "./agent-result.ts";
import type { RepositoryInstructions } from "./context/instructions.ts";
import { createConversationFitter } from "./context/keep-fitting.ts";
import { createLedger, type Evidence, type Ledger } from "./context/ledger.ts";
import { createGuards, type Guards } from "./guards/guards.ts";
import { openingMessages } from "./prompt.ts";
import type { PendingAnswer } from "./session/branch.ts";
import type { RebuiltRun } from "./session/rebuild.ts";
import type { CommandStart, SessionStart } from "./session/session-record.ts";
import type { FinishClaim } from "./tools/finish.ts";
import type { ToolSet } from "./tools/tool-set.ts";
import {
  addChatUsage,
  type CallRecord,
  noCounts,
  plainText,
  type RunCounts,
  type TurnRecord,
  type TurnSession,
} from "./transcript.ts";
import { type Answer, type Asking, chantReason, createAsking } from "./turn/ask-model.ts";
import { type Conversation, createConversation, toolsDigest } from "./turn/conversation.ts";
import { inTurn } from "./turn/in-turn.ts";
import { nudge, nudgesMax } from "./turn/nudge.ts";
import { type CallsResult, runCalls } from "./turn/run-calls.ts";
import { scarceBudgets } from "./turn/scarce-budgets.ts";
import { type Clock, createWallBudget, type WallBudget } from "./turn/wall-budget.ts";

/** What the agent is to do. */
export interface AgentTask {
  readonly systemPrompt: string;
  readonly jobText: string;
  readonly taskText: string;
  /** From earlier attempts, oldest first. */
  readonly notices?: readonly Notice[];
  readonly limits: AgentLimits;
  readonly affinityKey: string;
  readonly traceparent?: string;
  /** Output cap of one answer, in tokens. */
  readonly outputTokensMax: number;
  /** Goes on here instead of at the beginning; the limits count what was used before. Used up by the run. */
  readonly resume?: RebuiltRun;
}

/**
 * Asked when the model calls its task done. Undefined accepts; a text is what the model is told, with the real output, before it
 * goes on. The time of judging does not count.
 */
export type JudgeDone = (claim: FinishClaim, evidence: Evidence) => Promise<string | undefined>;

export interface AgentDeps {
  readonly model: ChatModel;
  /** Tells how long the conversation is, and how long it may be. */
  readonly tokens: TokenCounter;
  readonly tools: ToolSet;
  readonly instructions: RepositoryInstructions;
  readonly clock: Clock;
  readonly judge: JudgeDone;
  /** Told once, before the first turn. Default: nobody. */
  onSession?(start: SessionStart): Promise<void>;
  /** Told of a command before it runs, and waited for: what it throws ends the run. Default: nobody. */
  onCommand?(started: CommandStart): Promise<void>;
  /** Stores a turn before the next one starts; what it throws ends the run. */
  onTurn(turn: TurnRecord): Promise<void>;
  readonly log: Logger;
}

/** Consecutive answers without one valid call among their calls (mini-swe-agent: RepeatedFormatError after 3). */
const invalidTurnsMax = 3;
/** Rounds in which a result that was not accepted may be mended (research on agent loops: up to two). */
const repairsMax = 2;
/** Chanting answers: the first gets a nudge. */
const chantsMax = 2;
/** Calls in a row without any argument after which the next answer must be a checked call: the model lost its own thoughts. */
const emptyCallsMax = 2;

/**
 * Lets the model work with the tools until it calls finish or a limit ends it. Each call of `deps.onTurn` is one turn, in order.
 *
 * @throws the signal's reason when aborted from outside; whatever `onTurn` throws; errors of the machine that the tools throw.
 */
export async function runAgent(deps: AgentDeps, task: AgentTask, signal: AbortSignal): Promise<AgentResult> {
  signal.throwIfAborted();
  const instructions = await deps.instructions.atRoot(signal);
  const { resume } = task;
  const counts = resume?.counts ?? noCounts;
  const wall = createWallBudget(deps.clock, task.limits.wallMs, counts.usedMs);
  const conversation = resume?.conversation ?? open(deps, task, instructions);
  if (resume !== undefined) await knowAgain(deps, resume, signal);
  const ledger = resume?.ledger ?? createLedger();
  const run: Run = {
    deps,
    task,
    wall,
    conversation,
    ledger,
    asking: createAsking({
      model: deps.model,
      fitter: createConversationFitter({
        model: deps.model,
        tokens: deps.tokens,
        ledger,
        past: resume?.compactions ?? [],
      }),
      conversation,
      request: {
        tools: deps.tools.schemas,
        outputTokensMax: task.outputTokensMax,
        affinityKey: task.affinityKey,
        onWaiting: (isWaiting) => wall.setWaiting(isWaiting),
        ...(task.traceparent === undefined ? {} : { traceparent: task.traceparent }),
      },
      onAsked: () => wall.setWaiting(false),
    }),
    guards: resume?.guards ?? createGuards(),
    signal: AbortSignal.any([signal, wall.signal]),
    turns: resume?.turns ?? 0,
    usage: resume?.usage ?? { inputTokens: 0, cachedTokens: 0, outputTokens: 0 },
    ...counts,
    notes: "",
    nudge: "",
    pending: resume?.pending,
  };
  try {
    const digest = toolsDigest(deps.tools.schemas);
    const begun = resume === undefined ? { opening: [...conversation.messages] } : { note: resume.note };
    await deps.onSession?.({ toolsDigest: digest, ...begun });
    for (;;) {
      const ending = limitReached(run) ?? (await inTurn(run.turns + 1, () => takeTurn(run)));
      if (ending !== undefined) return finishRun(run, ending);
    }
  } catch (error) {
    // The order matters: who gave up the attempt wants no result, even if its time ran out as well.
    if (signal.aborted) throw signal.reason;
    if (wall.signal.aborted) return finishRun(run, deadline(run));
    if (isAgentdError(error, "MODEL_REFUSED") || isAgentdError(error, "CONTEXT_OVERFLOW"))
      return finishRun(run, { outcome: "ModelError", detail: error.message });
    throw error;
  } finally {
    wall.close();
  }
}

function open(deps: AgentDeps, task: AgentTask, instructions: string): Conversation {
  return createConversation(openingMessages(task.systemPrompt, { ...task, instructions }), deps.tools.schemas);
}

/** Files count as seen, and instructions of their folders as told, as they did in the life before. */
async function knowAgain(deps: AgentDeps, resume: RebuiltRun, signal: AbortSignal): Promise<void> {
  deps.tools.seen.restore(resume.known);
  for (const path of new Set(resume.paths)) await deps.instructions.near(path, signal);
}

interface Run extends Writable<Omit<RunCounts, "usedMs">> {
  readonly deps: AgentDeps;
  readonly task: AgentTask;
  readonly wall: WallBudget;
  readonly conversation: Conversation;
  readonly ledger: Ledger;
  readonly asking: Asking;
  readonly guards: Guards;
  readonly signal: AbortSignal;
  turns: number;
  usage: ChatUsage;
  /** Of the present turn, as {@link TurnSession} has them. */
  notes: string;
  nudge: string;
  /** Answered before this life began; used up by the first turn. */
  pending: PendingAnswer | undefined;
}

type Writable<T> = { -readonly [Name in keyof T]: T[Name] };

interface Ending {
  readonly outcome: AgentOutcome;
  readonly detail: string;
  readonly summary?: string;
}

function limitReached(run: Run): Ending | undefined {
  const { limits } = run.task;
  if (run.wall.signal.aborted || run.wall.usedMs() >= limits.wallMs) return deadline(run);
  const used = usedTokens(run);
  if (used >= limits.tokensMax) {
    return { outcome: "BudgetExceeded", detail: `used ${used} tokens; the limit is ${limits.tokensMax}` };
  }
  if (run.turns >= limits.turnsMax) {
    return { outcome: "MaxTurns", detail: `did not finish within ${limits.turnsMax} turns` };
  }
  return undefined;
}

async function takeTurn(run: Run): Promise<Ending | undefined> {
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

function finishRun(run: Run, ending: Ending): AgentResult {
  const detail = plainText(ending.detail, 1_000);
  run.deps.log.debug({ outcome: ending.outcome, turns: run.turns, usage: run.usage }, "agent ended");
  return {
    outcome: ending.outcome,
    summary: ending.summary ?? "",
    turns: run.turns,
    usage: run.usage,
    detail,
    repairs: run.repairs,
    memories: run.ledger.memories(),
  };
}

function deadline(run: Run): Ending {
  return {
    outcome: "DeadlineExceeded",
    detail: `used its wall time of ${formatDuration(run.task.limits.wallMs)} (waiting for the engine not counted)`,
  };
}

function usedTokens(run: Run): number {
  return run.usage.inputTokens + run.usage.outputTokens;
}
