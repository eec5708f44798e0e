import type { Job, JobHead, JobStatus } from "../core/job/job.ts";
import { jobProgress } from "../core/job/progress/job-progress.ts";
import type { Task } from "../core/task/task.ts";
import type { Entry, ResourceStore } from "../platform/nats/store/store.ts";
import { keyPrefixes, keys } from "../platform/nats/subjects.ts";

/** A job with everything that belongs to it, as the mirror has it. */
export interface JobEntries {
  readonly job: Entry<Job>;
  readonly head: Entry<JobHead>;
  readonly tasks: readonly Entry<Task>[];
}

/** The job with its head and tasks; undefined when one is missing, or the name belongs to another job by now. */
export function observeJob(store: ResourceStore, namespace: string, name: string): JobEntries | undefined {
  const job = store.get<Job>(keys.job(namespace, name));
  return job === undefined ? undefined : withChildren(store, job);
}

/** The job of that uid; its head names it. */
export function observeJobOf(store: ResourceStore, uid: string): JobEntries | undefined {
  const head = store.get<JobHead>(keys.head(uid));
  if (head === undefined) return undefined;
  const found = observeJob(store, head.value.namespace, head.value.job);
  return found?.job.value.metadata.uid === uid ? found : undefined;
}

/** The job and head of that uid, without looking at its tasks. */
export function findJobOf(
  store: ResourceStore,
  uid: string,
): { readonly job: Entry<Job>; readonly head: Entry<JobHead> } | undefined {
  const head = store.get<JobHead>(keys.head(uid));
  if (head === undefined) return undefined;
  const job = store.get<Job>(keys.job(head.value.namespace, head.value.job));
  return job?.value.metadata.uid === uid ? { job, head } : undefined;
}

/** The status that the job has by its tasks and its head. */
export function statusOf({ job, head, tasks }: JobEntries, nowMs: number): JobStatus {
  return jobProgress({ job: job.value, head: head.value, tasks: tasks.map(({ value }) => value), nowMs });
}

/** Every job with its children. */
export function observeJobs(store: ResourceStore): readonly JobEntries[] {
  return store.list<Job>(keyPrefixes.jobs).flatMap((job) => withChildren(store, job) ?? []);
}

function withChildren(store: ResourceStore, job: Entry<Job>): JobEntries | undefined {
  const { uid } = job.value.metadata;
  const head = store.get<JobHead>(keys.head(uid));
  if (head === undefined) return undefined;
  return { job, head, tasks: store.list<Task>(keyPrefixes.tasksOf(uid)) };
}
