import type { Job, PlannedItem } from "../../core/job/job.ts";
import type { Condition } from "../../core/resource.ts";
import type { Task, TaskSpec } from "../../core/task/task.ts";
import { unclaimedStatus } from "../../core/task/task.ts";
import { hiddenTaskPrefix } from "../../core/text/names.ts";

/** Name of the hidden task that runs `forEach.command`. */
export const planTaskName = `${hiddenTaskPrefix}plan`;

/** The task of a planned item as it is created. Pure: planning twice makes the same. */
export function newTask(job: Job, item: PlannedItem, nowMs: number): Task {
  const { dependsOn = [], name, ...rest } = item;
  const reason = job.spec.plan.kind === "tasks" ? "Tasks" : "ForEach";
  const conditions = [
    condition("Planned", "True", reason, nowMs),
    condition("Executed", "Unknown", "Pending", nowMs),
    condition("Verified", "Unknown", "NotExecuted", nowMs),
    condition("Merged", "Unknown", "NotVerified", nowMs),
  ];
  return build(job, name, { ...rest, kind: "Agent", dependsOn }, conditions, nowMs);
}

/** The hidden task that runs a `command` plan. */
export function newPlanTask(job: Job, nowMs: number): Task {
  const spec: TaskSpec = { kind: "Plan", index: 0, item: "", dependsOn: [] };
  return build(job, planTaskName, spec, [condition("Executed", "Unknown", "Pending", nowMs)], nowMs);
}

function condition(type: string, status: Condition["status"], reason: string, nowMs: number): Condition {
  return { type, status, reason, message: "", observedGeneration: 1, lastTransitionAtMs: nowMs };
}

function build(job: Job, name: string, spec: TaskSpec, conditions: readonly Condition[], nowMs: number): Task {
  const { namespace, uid, name: jobName } = job.metadata;
  return {
    kind: "Task",
    metadata: { name, namespace, uid, labels: { job: jobName }, annotations: {}, generation: 1, createdAtMs: nowMs },
    job: jobName,
    spec,
    status: { ...unclaimedStatus, conditions },
  };
}
