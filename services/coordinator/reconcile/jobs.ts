import type { Job, JobHead } from "../../core/job/job.ts";
import { isJobFinished } from "../../core/job/progress/job-progress.ts";
import { isPublishSettled } from "../../core/job/progress/publish-state.ts";
import { findCondition } from "../../core/resource.ts";
import { firstLine } from "../../core/text/bound-text.ts";
import { keyPrefixes } from "../../platform/nats/subjects.ts";
import type { Logger } from "../../platform/telemetry/log.ts";
import type { JobEntries } from "../job-entries.ts";
import { observeJobOf, statusOf } from "../job-entries.ts";
import { createKeyedLoop } from "../leader/keyed-loop.ts";
import { deleteJob } from "./delete-job.ts";
import type { EndTasksDeps } from "./end-tasks.ts";
import { endTasks } from "./end-tasks.ts";

/** What {@link runJobs} needs. */
export interface JobsDeps extends EndTasksDeps {
  readonly log: Logger;
}

/** A Job's counters are written at most once in this time. */
const progressGapMs = 1_000;
/** Deadlines and times to live have no change that wakes anybody. */
const resyncMs = 2_000;
/** A job whose branch could not be published is kept this long past its time to live. */
const publishPatienceMs = 24 * 3_600_000;

/** Keeps every job's status and ends what it lets run no more, until the signal aborts; to be run by the leader only. */
export async function runJobs(deps: JobsDeps, signal: AbortSignal): Promise<void> {
  const { store, log } = deps;
  const endings = createKeyedLoop({
    name: "endings",
    log,
    concurrent: 4,
    async reconcile(uid, keySignal) {
      const view = observeJobOf(store, uid);
      if (view === undefined) return undefined;
      return (await endTasks(deps, view, keySignal)) ? { afterMs: 0 } : undefined;
    },
  });
  const progress = createKeyedLoop({
    name: "progress",
    log,
    concurrent: 4,
    async reconcile(uid, keySignal) {
      const view = observeJobOf(store, uid);
      if (view === undefined) return undefined;
      if (await writeProgress(deps, view, keySignal)) return { afterMs: progressGapMs, isFirm: true };
      await expireJob(deps, view, keySignal);
      return undefined;
    },
  });
  const wake = (uid: string): void => {
    endings.wake(uid);
    progress.wake(uid);
  };
  const stop = store.onChange(({ key, value }) => {
    const [kind, second] = key.split(".");
    if (kind === "job") {
      const uid = (value as Job | undefined)?.metadata.uid;
      if (uid !== undefined) wake(uid);
    } else if ((kind === "task" || kind === "head") && second !== undefined) wake(second);
  });
  const timer = setInterval(() => {
    for (const { value } of store.list<Job>(keyPrefixes.jobs)) {
      if (!isJobFinished(value) || isExpired(value, deps.nowMs())) wake(value.metadata.uid);
    }
  }, resyncMs);
  try {
    for (const head of store.list<JobHead>(keyPrefixes.heads)) wake(head.value.uid);
    await Promise.all([endings.run(signal), progress.run(signal)]);
  } finally {
    clearInterval(timer);
    stop();
  }
}

async function writeProgress(deps: JobsDeps, view: JobEntries, signal: AbortSignal): Promise<boolean> {
  const job = view.job.value;
  const status = statusOf(view, deps.nowMs());
  if (JSON.stringify(sorted(status)) === JSON.stringify(sorted(job.status))) return false;
  const next: Job = { ...job, status };
  await deps.store.commit([{ key: view.job.key, value: next, expected: view.job.revision }], signal);
  for (const condition of status.conditions) {
    const before = findCondition(job.status.conditions, condition.type);
    if (condition.status !== "True" || before?.status === "True") continue;
    // The planner and the publisher tell about theirs.
    if (condition.type === "Planned" || condition.type === "Published") continue;
    const isBad = condition.type === "Failed" || condition.type === "Cancelled";
    const text = `${condition.reason}: ${firstLine(condition.message)}`;
    deps.events.jobEvent(next, isBad ? "Warning" : "Normal", condition.type, text);
  }
  return true;
}

/** Deletes a job whose time to live is over, once its branch is published or that was given up. */
async function expireJob(deps: JobsDeps, view: JobEntries, signal: AbortSignal): Promise<void> {
  const job = view.job.value;
  if (!isExpired(job, deps.nowMs())) return;
  if (!isPublishSettled(job, view.head.value)) {
    const overdueMs = deps.nowMs() - (expiryMs(job) ?? 0);
    if (overdueMs < publishPatienceMs) return;
    deps.log.warn({ job: job.metadata.name, uid: job.metadata.uid }, "deleting a job whose branch was never published");
  }
  await deleteJob(deps.store, job.metadata.uid, signal);
  deps.log.info({ job: job.metadata.name, uid: job.metadata.uid }, "job deleted: its time to live is over");
}

function isExpired(job: Job, nowMs: number): boolean {
  const expiry = expiryMs(job);
  return expiry !== undefined && expiry <= nowMs;
}

function expiryMs(job: Job): number | undefined {
  const { ttlSecondsAfterFinished } = job.spec;
  const { finishedAtMs } = job.status;
  if (ttlSecondsAfterFinished < 0 || finishedAtMs === undefined) return undefined;
  return finishedAtMs + ttlSecondsAfterFinished * 1_000;
}

/** Key order depends on who wrote the status last. */
function sorted(value: object): object {
  return Object.fromEntries(Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1)));
}
