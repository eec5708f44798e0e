import { formatDuration } from "../../core/text/duration.ts";
import type { ChatUsage } from "../../model/chat.ts";
import type { AgentDeps, AgentTask } from "../agent-contract.ts";
import type { AgentOutcome } from "../agent-result.ts";
import type { Ledger } from "../context/ledger.ts";
import type { Guards } from "../guards/guards.ts";
import type { PendingAnswer } from "../session/branch.ts";
import type { RunCounts } from "../transcript.ts";
import type { Asking } from "./ask-model.ts";
import type { Conversation } from "./conversation.ts";
import type { WallBudget } from "./wall-budget.ts";

/** One agent while it works: what its turns share, and what they count. */
export interface Run extends Writable<Omit<RunCounts, "usedMs">> {
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
  /** Of the present turn, as `TurnSession` has them. */
  notes: string;
  nudge: string;
  /** Answered before this life began; used up by the first turn. */
  pending: PendingAnswer | undefined;
}

type Writable<T> = { -readonly [Name in keyof T]: T[Name] };

/** How a run ends, but what every result has. */
export interface Ending {
  readonly outcome: AgentOutcome;
  readonly detail: string;
  readonly summary?: string;
}

/** The ending of a run that has used up its time, tokens or turns; else undefined. */
export function limitReached(run: Run): Ending | undefined {
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

/** The ending of a run without time. */
export function deadline(run: Run): Ending {
  return {
    outcome: "DeadlineExceeded",
    detail: `used its wall time of ${formatDuration(run.task.limits.wallMs)} (waiting for the engine not counted)${run.asking.trouble}`,
  };
}

/** Tokens that the limit counts. */
export function usedTokens(run: Run): number {
  return run.usage.inputTokens + run.usage.outputTokens;
}
