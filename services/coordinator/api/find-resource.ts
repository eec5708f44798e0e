import { AgentdError } from "../../core/errors.ts";
import type { Job, JobHead } from "../../core/job/job.ts";
import type { JobName, TaskName } from "../../core/resource-name.ts";
import type { Task } from "../../core/task/task.ts";
import type { Worker } from "../../core/worker.ts";
import type { Entry, ResourceStore } from "../../platform/nats/store/store.ts";
import { keyPrefixes, keys } from "../../platform/nats/subjects.ts";

/** The job of that name. @throws AgentdError NOT_FOUND */
export function findJob(store: ResourceStore, name: JobName): Entry<Job> {
  const entry = store.get<Job>(keys.job(name.namespace, name.job));
  if (entry !== undefined) return entry;
  throw new AgentdError("NOT_FOUND", `there is no job ${name.job} in namespace ${name.namespace}`, {
    metadata: { job: name.job, namespace: name.namespace },
  });
}

/** The job's head. @throws AgentdError NOT_FOUND when the job was deleted in this moment */
export function findHead(store: ResourceStore, job: Job): Entry<JobHead> {
  const entry = store.get<JobHead>(keys.head(job.metadata.uid));
  if (entry === undefined) throw new AgentdError("NOT_FOUND", `job ${job.metadata.name} was deleted`);
  return entry;
}

/** The worker of that name. @throws AgentdError NOT_FOUND */
export function findWorker(store: ResourceStore, worker: string): Entry<Worker> {
  const entry = store.get<Worker>(keys.worker(worker));
  if (entry !== undefined) return entry;
  throw new AgentdError("NOT_FOUND", `there is no worker ${worker}`, { metadata: { worker } });
}

/** A task and its job. */
export interface FoundTask {
  readonly task: Entry<Task>;
  readonly job: Entry<Job>;
}

/**
 * The task of that name for a verb that works on it, not one of agentd's own; job `-` finds it where its own name is unique in the namespace.
 * @throws AgentdError NOT_FOUND, INVALID_SPEC when several jobs have such a task, STATE_CONFLICT for one of agentd's own
 */
export function findTask(store: ResourceStore, name: TaskName): FoundTask {
  const found = findAnyTask(store, name);
  const { kind } = found.task.value.spec;
  if (kind === "Agent") return found;
  const what = kind === "Plan" ? "runs the plan's command" : "runs merge.verify";
  throw new AgentdError(
    "STATE_CONFLICT",
    `task ${name.task} is agentd's own (it ${what}): it can be looked at, but not changed`,
    { metadata: { task: name.task, kind } },
  );
}

/**
 * The task of that name for who only looks, also one that runs a plan's command or `merge.verify`.
 * @throws AgentdError NOT_FOUND, INVALID_SPEC when several jobs have such a task
 */
export function findAnyTask(store: ResourceStore, name: TaskName): FoundTask {
  const jobs = name.job === "-" ? store.list<Job>(keyPrefixes.jobsOf(name.namespace)) : [findJob(store, name)];
  const found = jobs.flatMap((job): FoundTask[] => {
    const task = store.get<Task>(keys.task(job.value.metadata.uid, name.task));
    return task === undefined ? [] : [{ task, job }];
  });
  const [first, second] = found;
  if (first === undefined) {
    const where = name.job === "-" ? `namespace ${name.namespace}` : `job ${name.job}`;
    throw new AgentdError("NOT_FOUND", `there is no task ${name.task} in ${where}`, { metadata: { task: name.task } });
  }
  if (second !== undefined) {
    const words = found.slice(0, 5).map(({ job }) => `task/${job.value.metadata.name}/${name.task}`);
    const message = `several jobs have a task ${name.task}; name its job too: ${words.join(" or ")}`;
    throw new AgentdError("INVALID_SPEC", message, { problems: [{ field: "name", message }] });
  }
  return first;
}
