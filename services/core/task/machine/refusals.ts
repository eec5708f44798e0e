import { AgentdError } from "../../errors.ts";
import { isEnded } from "../outcomes.ts";
import type { Task } from "../task.ts";

/** Refuses an event of another attempt than the current one, or when the task is not in `state`. @throws AgentdError ATTEMPT_STALE, STATE_CONFLICT */
export function requireOpenAttempt(task: Task, attempt: number, state: "Running" | "Merging"): void {
  const { status } = task;
  if (attempt !== status.attempt) {
    throw new AgentdError(
      "ATTEMPT_STALE",
      `attempt ${attempt} of task ${task.metadata.name} is not the current one (${status.attempt})`,
      { metadata: { attempt: String(attempt), current: String(status.attempt) } },
    );
  }
  if (status.state === state) return;
  if (state === "Merging") throw stateConflict(task, "merged");
  throw new AgentdError(
    "ATTEMPT_STALE",
    `attempt ${attempt} of task ${task.metadata.name} has ended; the task is ${status.state}`,
    { metadata: { attempt: String(attempt), state: status.state } },
  );
}

/** Refuses what cannot happen to a task that has ended. @throws AgentdError STATE_CONFLICT */
export function requireNotEnded(task: Task, verb: string): void {
  if (isEnded(task.status.state)) throw stateConflict(task, verb);
}

/** That the task's state does not allow it; `verb` as in "cannot be retried". */
export function stateConflict(task: Task, verb: string): AgentdError {
  return new AgentdError("STATE_CONFLICT", `task ${task.metadata.name} is ${task.status.state} and cannot be ${verb}`, {
    metadata: { task: task.metadata.name, state: task.status.state },
  });
}
