import type { Attempt, TaskStatus } from "../task.ts";
import type { AttemptEnded, TaskEvent } from "./task-event.ts";

/** What is known of an attempt at its end. */
export type Closing = Pick<AttemptEnded, "outcome" | "checks" | "usage"> & Partial<AttemptEnded>;

/** The attempts with the current one ended. */
export function closeAttempt(status: TaskStatus, end: Closing, nowMs: number): readonly Attempt[] {
  return status.attempts.map((attempt) =>
    attempt.attempt !== status.attempt
      ? attempt
      : {
          ...attempt,
          endedAtMs: nowMs,
          outcome: end.outcome,
          checks: end.checks,
          usage: end.usage,
          ...(end.report === undefined ? {} : { report: end.report }),
          ...(end.commit === undefined ? {} : { commit: end.commit }),
          ...(end.bundle === undefined ? {} : { bundle: end.bundle }),
          ...(end.changed === undefined ? {} : { changed: end.changed }),
          ...(end.gates === undefined ? {} : { gates: end.gates }),
          ...(end.repairs === undefined ? {} : { repairs: end.repairs }),
          ...(end.claimed === undefined || end.claimed === "" ? {} : { claimed: end.claimed }),
          ...(end.message === undefined || end.message === "" ? {} : { message: end.message }),
        },
  );
}

/** The attempts with the end of the current one told anew: what was merged showed it. */
export function relabelAttempt(
  status: TaskStatus,
  { outcome, message, checks = [] }: Extract<TaskEvent, { type: "Reopened" }>,
): readonly Attempt[] {
  return status.attempts.map((attempt) =>
    attempt.attempt === status.attempt
      ? { ...attempt, outcome, message, checks: [...attempt.checks, ...checks] }
      : attempt,
  );
}
