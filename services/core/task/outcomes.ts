import type { Outcome } from "./task.ts";

/** What an outcome does to its task. */
export type Consequence =
  /** Agent tasks go to Merging, hidden ones to Succeeded. */
  | "Merge"
  /** Succeeded without a merge where the job allows it, else as `Retry`. */
  | "SucceedOrRetry"
  /** Pending while the counter is below its bound, else Failed. */
  | "Retry"
  /** Pending however often it happens. */
  | "Again"
  | "Fail"
  | "Cancel";

/** One row of the table of outcomes. */
export interface OutcomeRule {
  readonly then: Consequence;
  /** Counter of the task's status that the outcome raises; `nothing` is free. */
  readonly counts: "failures" | "reopens" | "infraEnds" | "nothing";
  /** When the next attempt may start; `BackOff` grows with consecutive ends of that kind. */
  readonly delay: "AtOnce" | "BackOff";
  /** Whether the agent came to an end of its own, so that condition Executed is True. */
  readonly isExecuted: boolean;
}

const burns = { then: "Retry", counts: "failures", delay: "AtOnce" } as const;
const reopens = { then: "Retry", counts: "reopens", delay: "AtOnce", isExecuted: true } as const;
const fails = { then: "Fail", counts: "nothing", delay: "AtOnce", isExecuted: false } as const;
const free = { then: "Again", counts: "infraEnds", delay: "BackOff", isExecuted: false } as const;

/** The one table of outcomes; `task-machine.ts` reads it and nothing else decides. */
export const outcomeRules: Readonly<Record<Outcome, OutcomeRule>> = {
  Done: { then: "Merge", counts: "nothing", delay: "AtOnce", isExecuted: true },
  GateFailed: { ...burns, isExecuted: true },
  StuckLoop: { ...burns, isExecuted: false },
  MaxTurns: { ...burns, isExecuted: false },
  ProtocolViolation: { ...burns, isExecuted: false },
  AlreadyDone: { then: "SucceedOrRetry", counts: "failures", delay: "AtOnce", isExecuted: true },
  NoChange: { ...burns, isExecuted: true },
  MergeConflict: reopens,
  VerifyFailed: reopens,
  Blocked: fails,
  BudgetExceeded: fails,
  DeadlineExceeded: fails,
  ModelError: fails,
  Infra: free,
  RateLimited: free,
  LeaseLost: free,
  Cancelled: { then: "Cancel", counts: "nothing", delay: "AtOnce", isExecuted: false },
  Poison: fails,
};

/** Whether the attempt was cut off by the machine: the next one may go on with its session. */
export function isResumable(outcome: Outcome): boolean {
  return outcome === "LeaseLost" || outcome === "Infra";
}

/** Re-opens by MergeConflict or VerifyFailed that a task survives; one more and it is Failed. */
export const reopenLimit = 5;

/** Deaths of the task's own child process that make it Failed(Poison). */
export const poisonDeaths = 3;

/** A red candidate is tried once more before it counts as red. */
export const verifyBackoffLimit = 1;

/** Whether a task in this state never changes again by itself. */
export function isEnded(state: string): boolean {
  return state === "Succeeded" || state === "Failed" || state === "Cancelled";
}
