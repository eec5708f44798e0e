import { AgentdError } from "../../../core/errors.ts";
import type { Job } from "../../../core/job/job.ts";
import { deadlineMs } from "../../../core/task/dispatch/dispatch-order.ts";
import type { TaskEvent } from "../../../core/task/machine/task-event.ts";
import { transition } from "../../../core/task/machine/task-machine.ts";
import { taskRules } from "../../../core/task/machine/task-rules.ts";
import type { Task } from "../../../core/task/task.ts";
import type { Entry } from "../../../platform/nats/store/store.ts";
import { keys } from "../../../platform/nats/subjects.ts";
import { observeJobOf, statusOf } from "../../job-entries.ts";
import type { ApiDeps } from "../api-deps.ts";
import type { FoundTask } from "../find-resource.ts";
import { findHead } from "../find-resource.ts";
import { updateEntry } from "../update-entry.ts";

/**
 * Makes a failed or cancelled task Pending again, with its bounds fresh, fenced on the head: a job that is closed in
 * the same moment wins.
 * @throws AgentdError JOB_CLOSED, STATE_CONFLICT, also once the job's deadline is over, and while a dependency has not
 *   been retried
 */
export async function retryTask(deps: ApiDeps, found: FoundTask, signal: AbortSignal): Promise<Entry<Task>> {
  return await restartTask(deps, found, { type: "Retried" }, { reason: "Retried", text: "by a user" }, signal);
}

/** {@link retryTask} with the event that makes the task Pending, and what is told of it. */
export async function restartTask(
  deps: ApiDeps,
  found: FoundTask,
  event: Extract<TaskEvent, { type: "Retried" | "Rewound" }>,
  told: { readonly reason: string; readonly text: string },
  signal: AbortSignal,
): Promise<Entry<Task>> {
  const { name } = found.job.value.metadata;
  const fence = () => {
    const head = findHead(deps.store, found.job.value);
    if (head.value.closed) {
      throw new AgentdError("JOB_CLOSED", `job ${name} was cancelled: its tasks cannot be retried`, {
        metadata: { job: name },
      });
    }
    const deadline = deadlineMs(found.job.value);
    if (deadline !== undefined && deadline <= deps.nowMs()) {
      const message = `the activeDeadlineSeconds of job ${name} are over: a retried task would end at once`;
      throw new AgentdError("STATE_CONFLICT", message, { metadata: { job: name } });
    }
    requireDependencies(deps, found);
    return { key: head.key, revision: head.revision };
  };
  fence();
  const task = await change(deps, found, event, signal, fence);
  await reopenJob(deps, found.job, signal);
  deps.events.taskEvent(task.value, "Normal", told.reason, told.text);
  return task;
}

/**
 * Writes how the job stands now, before the verb is answered: who waits for the job next must not hear how it had ended before. It
 * writes also where nothing changes, so that an end that the leader is writing at this moment loses.
 */
async function reopenJob(deps: ApiDeps, job: Entry<Job>, signal: AbortSignal): Promise<void> {
  const { uid, name } = job.value.metadata;
  const reopened = ({ value }: Entry<Job>): Job | undefined => {
    const view = observeJobOf(deps.store, uid);
    return view && { ...value, status: statusOf(view, deps.nowMs()) };
  };
  await updateEntry<Job>(deps.store, job.key, `job ${name}`, reopened, signal);
}

/** Names in a message; the rest is counted. */
const namesShown = 5;

/** A task whose dependency has ended without success would be cancelled again at once. */
function requireDependencies(deps: ApiDeps, { task, job }: FoundTask): void {
  const { uid, name: jobName } = job.value.metadata;
  const ended = new Map<string, Task>();
  const collect = (names: readonly string[]): void => {
    for (const name of names) {
      const dependency = deps.store.get<Task>(keys.task(uid, name))?.value;
      const state = dependency?.status.state;
      if (dependency === undefined || ended.has(name) || (state !== "Failed" && state !== "Cancelled")) continue;
      collect(dependency.spec.dependsOn);
      ended.set(name, dependency);
    }
  };
  collect(task.value.spec.dependsOn);
  const [first] = ended.values();
  if (first === undefined) return;
  const { name } = task.value.metadata;
  const all = [...ended.values()].map((one) => `${one.metadata.name} (${one.status.state})`);
  const more = all.length > namesShown ? ` and ${all.length - namesShown} more` : "";
  const words = [...ended.keys()].slice(0, namesShown).map((one) => `task/${jobName}/${one}`);
  const message =
    `task ${name} depends on ${all.slice(0, namesShown).join(", ")}${more}: retry first what it depends on, ` +
    `or both at once: agentctl retry ${words.join(" ")} task/${jobName}/${name}`;
  throw new AgentdError("STATE_CONFLICT", message, { metadata: { task: name, dependency: first.metadata.name } });
}

/** Ends a task that has not landed; one that is cancelled already stays so. @throws AgentdError STATE_CONFLICT */
export async function cancelTask(deps: ApiDeps, found: FoundTask, signal: AbortSignal): Promise<Entry<Task>> {
  const event = { type: "Cancelled", reason: "TaskCancelled", message: "cancelled by a user" } as const;
  const task = await change(deps, found, event, signal);
  deps.events.taskEvent(task.value, "Normal", "Cancelled", "by a user");
  return task;
}

async function change(
  deps: ApiDeps,
  found: FoundTask,
  event: TaskEvent,
  signal: AbortSignal,
  fence?: Parameters<typeof updateEntry>[5],
): Promise<Entry<Task>> {
  const { key, value } = found.task;
  const what = `task ${value.metadata.name}`;
  const next = ({ value: task }: Entry<Task>): Task | undefined => {
    const rules = taskRules(found.job.value.spec, task.spec.kind, deps.nowMs(), Math.random);
    const after = transition(task, event, rules);
    return after === task ? undefined : after;
  };
  return await updateEntry<Task>(deps.store, key, what, next, signal, fence);
}
