import { isAgentdError } from "../../core/errors.ts";
import { isRetryWanted } from "../../core/job/progress/setup-health.ts";
import { obsoleteVerifies } from "../../core/merge/merge-plan.ts";
import { findCondition } from "../../core/resource.ts";
import { deadlineMs, findBlocker, siblingsOf } from "../../core/task/dispatch/dispatch-order.ts";
import type { TaskEvent } from "../../core/task/machine/task-event.ts";
import { transition } from "../../core/task/machine/task-machine.ts";
import { taskRules } from "../../core/task/machine/task-rules.ts";
import { isEnded } from "../../core/task/outcomes.ts";
import type { Task } from "../../core/task/task.ts";
import { firstLine } from "../../core/text/bound-text.ts";
import type { Entry, ResourceStore, Write } from "../../platform/nats/store/store.ts";
import type { EventLog } from "../event-log.ts";
import type { JobEntries } from "../job-entries.ts";

/** What {@link endTasks} needs. */
export interface EndTasksDeps {
  readonly store: ResourceStore;
  readonly events: Pick<EventLog, "jobEvent" | "taskEvent">;
  readonly nowMs: () => number;
  readonly random: () => number;
}

/** Tasks that one batch ends; a lost race costs the batch, so it is far below the server's bound. */
const batchMax = 50;

/**
 * Ends the tasks that the job lets run no more (it was cancelled, its base is red, its deadline is over, a dependency
 * failed) and deletes Verify tasks that nothing needs any more.
 *
 * @returns whether something was written
 */
export async function endTasks(deps: EndTasksDeps, view: JobEntries, signal: AbortSignal): Promise<boolean> {
  const ending = plannedEnds(view, deps.nowMs());
  const spec = view.job.value.spec;
  const writes = ending.map(({ entry, event }) => {
    const rules = taskRules(spec, entry.value.spec.kind, deps.nowMs(), deps.random);
    return { key: entry.key, value: transition(entry.value, event, rules), expected: entry.revision };
  });
  const obsolete = obsoleteWrites(view);
  await commitAll(deps.store, [...writes, ...obsolete], signal);
  for (const { entry, event } of ending) {
    if (entry.value.spec.kind !== "Agent" || !("message" in event)) continue;
    const reason = event.type === "Cancelled" ? event.reason : event.type;
    deps.events.taskEvent(entry.value, "Warning", reason, event.message);
  }
  return writes.length + obsolete.length > 0;
}

interface Ending {
  readonly entry: Entry<Task>;
  readonly event: TaskEvent;
}

function plannedEnds(view: JobEntries, nowMs: number): readonly Ending[] {
  const job = view.job.value;
  const head = view.head.value;
  const open = view.tasks.filter((entry) => !isEnded(entry.value.status.state));
  if (open.length === 0) return [];
  const all = (event: TaskEvent): readonly Ending[] => open.map((entry) => ({ entry, event }));
  const failed = findCondition(job.status.conditions, "Failed");
  if (failed?.status === "True" && failed.reason === "BaseRed") {
    return all({ type: "Cancelled", reason: "BaseRed", message: firstLine(failed.message) });
  }
  if (failed?.status === "True" && failed.reason === "SetupFailed") {
    const message = firstLine(failed.message);
    return open.flatMap((entry) =>
      entry.value.status.state !== "Pending" || isRetryWanted(entry.value)
        ? []
        : [{ entry, event: { type: "Cancelled", reason: "SetupFailed", message } as const }],
    );
  }
  if (head.closed) return all({ type: "Cancelled", reason: "JobCancelled", message: "the job was cancelled" });
  const deadline = deadlineMs(job);
  if (deadline !== undefined && deadline <= nowMs) {
    const message = `the job's activeDeadlineSeconds (${job.spec.activeDeadlineSeconds}) are over`;
    return all({ type: "DeadlineExceeded", message });
  }
  const dependent = open.filter((entry) => entry.value.spec.dependsOn.length > 0);
  if (dependent.length === 0) return [];
  const siblings = siblingsOf(view.tasks.map((entry) => entry.value));
  return dependent.flatMap((entry) => {
    const blocker = findBlocker({ job, head }, entry.value, siblings, nowMs);
    if (blocker?.kind !== "DependencyFailed") return [];
    const message = `its dependency ${blocker.task} is ${blocker.state}`;
    return [{ entry, event: { type: "Cancelled", reason: "DependencyFailed", message } as const }];
  });
}

function obsoleteWrites(view: JobEntries): readonly Write[] {
  const tasks = view.tasks.map((entry) => entry.value);
  const isVerifyNeeded = view.job.value.spec.merge.verify.length > 0;
  if (!isVerifyNeeded) return [];
  const names = new Set(
    obsoleteVerifies({ head: view.head.value, tasks, isVerifyNeeded, batchMax: 1 }).map((task) => task.metadata.name),
  );
  return view.tasks
    .filter((entry) => names.has(entry.value.metadata.name))
    .map((entry) => ({ key: entry.key, value: undefined, expected: entry.revision }));
}

/** In batches; one that loses a race is done key by key, and what still loses is looked at again later. */
async function commitAll(store: ResourceStore, writes: readonly Write[], signal: AbortSignal): Promise<void> {
  for (let at = 0; at < writes.length; at += batchMax) {
    const part = writes.slice(at, at + batchMax);
    try {
      await store.commit(part, signal);
    } catch (error) {
      if (!isAgentdError(error, "CONFLICT")) throw error;
      for (const write of part) {
        await store.commit([write], signal).catch((single: unknown) => {
          if (!isAgentdError(single, "CONFLICT")) throw single;
        });
      }
    }
  }
}
