import type { Condition, ConditionStatus } from "../../resource.ts";
import { setCondition } from "../../resource.ts";
import { outcomeRules } from "../outcomes.ts";
import type { CheckResult, Outcome, Task } from "../task.ts";

type Conditions = readonly Condition[];
type Row = readonly [type: string, status: ConditionStatus, reason: string, message: string];

/** Conditions of a task whose attempt was granted. `Planned` is the planner's and is kept by every function here. */
export function started(task: Task, nowMs: number): Conditions {
  return set(task, nowMs, openRows(task, "Running"));
}

/** The end of an attempt, as the evidence supports it. */
interface JudgedEnd {
  readonly outcome: Outcome;
  /** The worker's gate said no, also before any check: the set-up is red, or a path was changed that `writes` forbids. */
  readonly isGateRed: boolean;
  readonly checks: readonly CheckResult[];
  readonly message: string;
}

/** Conditions of a task whose attempt ended; the evidence decides `Verified`. */
export function ended(task: Task, { outcome, isGateRed, checks, message }: JudgedEnd, nowMs: number): Conditions {
  const { isExecuted, then } = outcomeRules[outcome];
  // A failed gate is no failure of the execution: the agent did come to its end.
  const executedReason = outcome === "GateFailed" ? "Done" : outcome;
  const executed: Row = ["Executed", isExecuted ? "True" : "False", executedReason, isExecuted ? "" : message];
  if (task.spec.kind !== "Agent") return set(task, nowMs, [executed]);
  return set(task, nowMs, [executed, verified(isGateRed, outcome, checks, message), merged(then, outcome)]);
}

/** Conditions of a task that landed on the job's branch. */
export function landed(task: Task, commit: string, nowMs: number): Conditions {
  return set(task, nowMs, [["Merged", "True", "Merged", `as ${commit.slice(0, 12)}`]]);
}

/** Conditions of a task whose result could not land. */
export function reopened(task: Task, outcome: Outcome, message: string, nowMs: number): Conditions {
  return set(task, nowMs, [["Merged", "False", outcome, message]]);
}

/** Conditions of a task that was ended from outside. */
export function stopped(task: Task, reason: string, message: string, nowMs: number): Conditions {
  const wasExecuted = task.status.conditions.some((one) => one.type === "Executed" && one.status === "True");
  const executed: readonly Row[] =
    wasExecuted && task.status.state === "Merging" ? [] : [["Executed", "False", reason, message]];
  const merge: readonly Row[] = task.spec.kind === "Agent" ? [["Merged", "False", reason, message]] : [];
  return set(task, nowMs, [...executed, ...merge]);
}

/** Conditions of a task that was retried by hand. */
export function retried(task: Task, nowMs: number): Conditions {
  return set(task, nowMs, openRows(task, "Retried"));
}

function openRows(task: Task, reason: string): readonly Row[] {
  const executed: Row = ["Executed", "Unknown", reason, ""];
  if (task.spec.kind !== "Agent") return [executed];
  return [executed, ["Verified", "Unknown", "NotExecuted", ""], ["Merged", "Unknown", "NotVerified", ""]];
}

function verified(isGateRed: boolean, outcome: Outcome, checks: readonly CheckResult[], message: string): Row {
  if (isGateRed || checks.some((check) => check.status !== "Passed"))
    return ["Verified", "False", "GateFailed", message];
  if (checks.length > 0) return ["Verified", "True", "ChecksPassed", ""];
  if (outcomeRules[outcome].isExecuted) return ["Verified", "Unknown", "NoChecks", "no checks were given"];
  return ["Verified", "Unknown", "NotExecuted", ""];
}

function merged(then: string, outcome: Outcome): Row {
  if (then === "Merge") return ["Merged", "Unknown", "Merging", ""];
  if (outcome === "AlreadyDone") return ["Merged", "False", "NothingToMerge", "the checks pass without a change"];
  return ["Merged", "False", "NotVerified", ""];
}

function set(task: Task, nowMs: number, rows: readonly Row[]): Conditions {
  return rows.reduce<Conditions>(
    (conditions, [type, status, reason, message]) =>
      setCondition(conditions, {
        type,
        status,
        reason,
        message,
        observedGeneration: task.metadata.generation,
        lastTransitionAtMs: nowMs,
      }),
    task.status.conditions,
  );
}
