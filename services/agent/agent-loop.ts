import { formatDuration } from "../core/duration.ts";
import { isAgentdError } from "../core/errors.ts";
import type { Notice } from "../core/task.ts";
import type { ChatModel, ChatReply, ChatUsage, TokenCounter } from "../model/chat.ts";
import type { Logger } from "../platform/telemetry/log.ts";
import { type Asking, chantReason, createAsking } from "./ask-model.ts";
import type { RepositoryInstructions } from "./context/instructions.ts";
import { createConversationFitter } from "./context/keep-fitting.ts";
import { createLedger, type Evidence, type Ledger } from "./context/ledger.ts";
import { type Conversation, createConversation } from "./conversation.ts";
import { createGuards, type Guards } from "./guards/guards.ts";
import { inTurn } from "./in-turn.ts";
import { openingMessages } from "./prompt.ts";
import { type CallsResult, runCalls } from "./run-calls.ts";
import type { FinishClaim } from "./tools/finish.ts";
import type { ToolSet } from "./tools/tool-set.ts";
import { boundTurnRecord, type CallRecord, plainText, type TurnRecord } from "./transcript.ts";
import { type Clock, createWallBudget, type WallBudget } from "./wall-budget.ts";

/** How an agent's run ended. What it says decides nothing: the gate does. */
export type AgentOutcome =
  | "Done"
  | "Blocked"
  | "MaxTurns"
  | "BudgetExceeded"
  | "DeadlineExceeded"
  | "StuckLoop"
  | "ProtocolViolation"
  | "ModelError";

/** The end of one run. */
export interface AgentResult {
  readonly outcome: AgentOutcome;
  /** The model's own words from finish, without thoughts and control tokens; at most 4,000 characters, may be empty. */
  readonly summary: string;
  /** Model answers received. */
  readonly turns: number;
  readonly usage: ChatUsage;
  /** For a person: why it ended so. At most 1,024 characters. */
  readonly detail: string;
  /** Times that `judge` sent it back to work. */
  readonly repairs: number;
  /** What it wants later tasks to know; at most 20 texts of at most 500 characters. */
  readonly memories: readonly string[];
}

/** Bounds of one run. */
export interface AgentLimits {
  /** Model answers. */
  readonly turnsMax: number;
  /**
   * Input plus output tokens as the server reported them, added up over all turns: each turn's whole prompt counts, cached or
   * not. Looked at after each answer, so the last answer may go beyond it; a finish in that answer still counts.
   */
  readonly tokensMax: number;
  /** Time for model answers and tools together; waiting for the engine does not count. */
  readonly wallMs: number;
}

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
  /** Stores a turn before the next one starts; what it throws ends the run. Bounded as `transcript.ts` says. */
  onTurn(turn: TurnRecord): Promise<void>;
  readonly log: Logger;
}

/** Answers without a call that get a nudge; the next one gets a turn in which a call is required, then the run ends. */
const nudgesMax = 2;
/** Consecutive answers without one valid call among their calls (mini-swe-agent: RepeatedFormatError after 3). */
const invalidTurnsMax = 3;
/** Rounds in which a result that was not accepted may be mended (research on agent loops: up to two). */
const repairsMax = 2;
/** Chanting answers: the first gets a nudge. */
const chantsMax = 2;
/** Calls in a row without any argument after which the next answer must be a checked call: the model lost its own thoughts. */
const emptyCallsMax = 2;
/** Share of the turns, tokens or time at which the model is told once that they run out. */
const warnAt = 0.8;

/**
 * Lets the model work with the tools until it calls finish or a limit ends it. Each call of `deps.onTurn` is one turn, in order.
 *
 * @throws the signal's reason when aborted from outside; whatever `onTurn` throws; errors of the machine that the tools throw.
 */
export async function runAgent(deps: AgentDeps, task: AgentTask, signal: AbortSignal): Promise<AgentResult> {
  signal.throwIfAborted();
  const instructions = await deps.instructions.atRoot(signal);
  const wall = createWallBudget(deps.clock, task.limits.wallMs);
  const opening = openingMessages(task.systemPrompt, { ...task, instructions });
  const conversation = createConversation(opening, deps.tools.schemas);
  const ledger = createLedger();
  const run: Run = {
    deps,
    task,
    wall,
    conversation,
    ledger,
    asking: createAsking({
      model: deps.model,
      fitter: createConversationFitter({ model: deps.model, tokens: deps.tokens, ledger }),
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
    guards: createGuards(),
    signal: AbortSignal.any([signal, wall.signal]),
    turns: 0,
    usage: { inputTokens: 0, cachedTokens: 0, outputTokens: 0 },
    textTurns: 0,
    invalidTurns: 0,
    emptyCalls: 0,
    chants: 0,
    repairs: 0,
    hasWarned: false,
  };
  try {
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

interface Run {
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
  /** Answers without a call since the last valid call. */
  textTurns: number;
  invalidTurns: number;
  /** Calls without any argument since the last call that had some. */
  emptyCalls: number;
  /** Answers that were cut because the model chanted. */
  chants: number;
  /** Times that the model was sent back to work after it had called finish. */
  repairs: number;
  hasWarned: boolean;
}

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
  const answer = await run.asking.ask(toolChoice, run.signal);
  if ("exhausted" in answer) return { outcome: "MaxTurns", detail: answer.exhausted };
  const { reply, compactions, summaries } = answer;
  const atMs = run.deps.clock.now();
  run.turns += 1;
  const usage = summaries.reduce((sum, summary) => addUsage(sum, summary.usage), reply.usage);
  run.usage = addUsage(run.usage, usage);
  const calls: CallRecord[] = [];
  const store = () => {
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
    };
    const callsOmitted = reply.toolCalls.length - calls.length;
    return run.deps.onTurn(boundTurnRecord({ ...record, calls, callsOmitted }));
  };
  let ending: Ending | undefined;
  try {
    ending = await useReply(run, reply, calls);
  } catch (error) {
    // The time ran out in a tool: what was done up to here is still worth reading.
    if (run.wall.signal.aborted) await store();
    throw error;
  }
  await store();
  return ending;
}

async function useReply(run: Run, reply: ChatReply, records: CallRecord[]): Promise<Ending | undefined> {
  if (reply.cutReason === chantReason) run.chants += 1;
  if (run.chants >= chantsMax) return { outcome: "StuckLoop", detail: `in ${run.chants} answers ${chantReason}` };
  const calls = run.conversation.addReply(reply, run.turns);
  if (calls.length === 0) return withoutCalls(run, reply);
  for (const call of calls) run.emptyCalls = isEmptyCall(call.arguments) ? run.emptyCalls + 1 : 0;
  const result = await runCalls(
    {
      tools: run.deps.tools,
      instructions: run.deps.instructions,
      clock: run.deps.clock,
      conversation: run.conversation,
      guards: run.guards,
      ledger: run.ledger,
      judge: (claim) => judged(run, claim),
    },
    { turn: run.turns, calls, isTruncated: reply.isTruncated, records, lastNotes: () => budgetWarning(run) },
    run.signal,
  );
  return afterCalls(run, result);
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

function isEmptyCall(args: string): boolean {
  return /^\s*(?:\{\s*\})?\s*$/u.test(args);
}

function withoutCalls(run: Run, reply: ChatReply): Ending | undefined {
  run.textTurns += 1;
  if (run.textTurns > nudgesMax + 1) {
    return {
      outcome: "ProtocolViolation",
      detail: `${run.textTurns} answers without a tool call, although one was required; finish was never called`,
    };
  }
  run.conversation.addUser(nudge(run, reply));
  return undefined;
}

function nudge(run: Run, reply: ChatReply): string {
  if (reply.cutReason !== undefined) {
    return `Your answer was cut off because ${reply.cutReason}; nothing was done. Answer with one tool call and few words.`;
  }
  if (reply.isTruncated) {
    return (
      `Your answer was cut off at the output limit of ${run.task.outputTokensMax} tokens before a tool call was complete, ` +
      "so nothing was done. Answer with one short tool call; write long files in parts."
    );
  }
  if (run.textTurns > nudgesMax) {
    return 'This is your last chance: the attempt fails unless your next answer calls a tool. Call finish with status "done" or "blocked" if there is nothing left to do.';
  }
  return 'Your answer contained no tool call, so nothing was done. Go on with a tool call. When the task is complete, call finish with status "done"; when it cannot be done, with status "blocked".';
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
  const { turnsMax, tokensMax, wallMs } = run.task.limits;
  const scarce = [
    ...(run.turns >= turnsMax * warnAt ? [`turns (${run.turns} of ${turnsMax})`] : []),
    ...(usedTokens(run) >= tokensMax * warnAt ? [`tokens (${usedTokens(run)} of ${tokensMax})`] : []),
    ...(run.wall.usedMs() >= wallMs * warnAt ? [`time (of ${formatDuration(wallMs)})`] : []),
  ];
  if (run.hasWarned || scarce.length === 0) return [];
  run.hasWarned = true;
  return [`Nearly used up: your ${scarce.join(", ")}. Complete the change now and call finish.`];
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

function addUsage(a: ChatUsage, b: ChatUsage): ChatUsage {
  return {
    inputTokens: a.inputTokens + b.inputTokens,
    cachedTokens: a.cachedTokens + b.cachedTokens,
    outputTokens: a.outputTokens + b.outputTokens,
  };
}
