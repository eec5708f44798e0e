import { isSetupRed } from "../../task/machine/task-evidence.ts";
import type { Task } from "../../task/task.ts";

/** What a job's attempts say about `workspace.setup` on its base commit. */
export type SetupHealth =
  /** Nobody has come past it, and nobody has failed for good. */
  | { readonly kind: "Unknown" }
  | { readonly kind: "Proven" }
  /** `culprit` used up its attempts on it and no other task ever came past it: the job's fault, not the task's. */
  | { readonly kind: "Red"; readonly culprit: Task };

/**
 * Judges the set-up by the attempts that started at `baseCommit`. One attempt that came past it makes it Proven, so that a
 * single sick machine cannot end a job.
 */
export function setupHealth(baseCommit: string, tasks: readonly Task[]): SetupHealth {
  let culprit: Task | undefined;
  for (const task of tasks) {
    if (task.spec.kind !== "Agent") continue;
    const atBase = task.status.attempts.filter(({ base }) => base === baseCommit);
    if (atBase.some((attempt) => attempt.usage.turns > 0)) return { kind: "Proven" };
    const last = atBase.at(-1);
    if (task.status.state === "Failed" && last !== undefined && isSetupRed(last)) culprit ??= task;
  }
  return culprit === undefined ? { kind: "Unknown" } : { kind: "Red", culprit };
}

/** Whether a person asked for another try of this task and it was not taken up yet. */
export function isRetryWanted(task: Task): boolean {
  return (
    task.status.state === "Pending" &&
    task.status.conditions.some((one) => one.type === "Executed" && one.reason === "Retried")
  );
}
