import type { Task } from "../../../core/task/task.ts";
import type { HeldAttempt } from "../../../core/worker-protocol.ts";
import type { ApiDeps } from "../api-deps.ts";

/** The attempt that runs, as its worker's last heartbeat says; undefined when none runs, or nothing was heard of it yet. */
export function runningAttempt(
  deps: Pick<ApiDeps, "heldAttempt">,
  { metadata: { uid, name: task }, status: { lease, attempt } }: Task,
): HeldAttempt | undefined {
  return lease === undefined ? undefined : deps.heldAttempt(lease.worker, { uid, task, attempt });
}
