import type { Job, JobHead } from "../../core/job/job.ts";
import { isEnded } from "../../core/task/outcomes.ts";
import type { Task } from "../../core/task/task.ts";
import { untilAborted } from "../../platform/lifecycle/abortable.ts";
import type { ResourceStore } from "../../platform/nats/store/store.ts";
import { keyPrefixes } from "../../platform/nats/subjects.ts";
import { type Metrics, secondsBoundaries } from "../../platform/telemetry/metrics.ts";
import type { recordSpan } from "../../platform/telemetry/spans/tracer.ts";
import { findJobOf } from "../job-entries.ts";
import { type ResourceSpan, spanOfAttempt, spanOfJob, spanOfMerge, spanOfTask } from "./resource-spans.ts";

/** What {@link watchResources} needs. */
export interface WatchResourcesDeps {
  readonly store: ResourceStore;
  readonly metrics: Metrics;
  readonly record: typeof recordSpan;
  readonly nowMs: () => number;
}

/** What was known of a task before its last change. */
interface Seen {
  readonly state: Task["status"]["state"];
  /** Number of attempts that have ended. */
  readonly ended: number;
  /** Since when its result waits for the merge. */
  readonly mergingSinceMs: number | undefined;
}

/**
 * What ended within this time before a replica began to lead is told again: the one before may have died in between. The
 * ids and times are the same, so that it is the same span.
 */
const againMs = 60_000;

/**
 * Tells what happens to jobs and tasks as spans and metrics, until the signal aborts; to be run by the leader only. It looks
 * at the resources alone: nothing has to call it, and no way of ending an attempt can be forgotten.
 */
export async function watchResources(deps: WatchResourcesDeps, signal: AbortSignal): Promise<void> {
  const watcher = createWatcher(deps);
  for (const entry of deps.store.list<Task>(keyPrefixes.tasks)) watcher.begin(entry.key, entry.value);
  for (const entry of deps.store.list<Job>(keyPrefixes.jobs)) watcher.beginJob(entry.value);
  const stop = deps.store.onChange(({ key, value }) => {
    if (key.startsWith(keyPrefixes.tasks)) watcher.task(key, value as Task | undefined);
    else if (key.startsWith(keyPrefixes.jobs)) watcher.job(value as Job | undefined);
  });
  try {
    await untilAborted(signal);
  } finally {
    stop();
  }
}

function createWatcher(deps: WatchResourcesDeps) {
  const seen = new Map<string, Seen>();
  const ended = new Set<string>();
  const counts = countersOf(deps.metrics);
  const tell = (span: ResourceSpan, job: Job): void => {
    const { endMs } = span;
    if (endMs !== undefined && job.status.isUntraced !== true) deps.record({ ...span, endMs });
  };
  const jobOf = (uid: string): Job | undefined => findJobOf(deps.store, uid)?.job.value;
  /** Spans of what ended after `before`, and the metrics of it where it is news. */
  const compare = (task: Task, before: Seen, isNews: boolean): void => {
    const { status, spec, metadata } = task;
    const job = jobOf(metadata.uid);
    if (job === undefined) return;
    for (const attempt of status.attempts.filter(({ endedAtMs }) => endedAtMs !== undefined)) {
      if (attempt.attempt <= before.ended) continue;
      tell(spanOfAttempt(job, task, attempt), job);
      if (isNews) counts.attempt(spec.kind, attempt.outcome ?? "unknown");
    }
    if (before.mergingSinceMs !== undefined && status.state !== "Merging") {
      const endMs = status.finishedAtMs ?? deps.nowMs();
      tell(spanOfMerge(job, task, { attempt: status.attempt, startMs: before.mergingSinceMs, endMs }), job);
      if (isNews) counts.merge(status, (endMs - before.mergingSinceMs) / 1_000);
    }
    if (isNews && before.state === "Pending" && status.state === "Running") {
      const { attempts, notBeforeMs } = status;
      const since = Math.max(attempts.at(-2)?.endedAtMs ?? metadata.createdAtMs, notBeforeMs);
      counts.waited(spec.kind, Math.max(0, (attempts.at(-1)?.startedAtMs ?? since) - since) / 1_000);
    }
    if (isEnded(status.state) && !isEnded(before.state)) {
      tell(spanOfTask(job, task), job);
      if (isNews) counts.task(spec.kind, status.state, status.outcome ?? "");
    }
  };
  return {
    begin(key: string, task: Task): void {
      compare(task, longBefore(task, deps.nowMs() - againMs), false);
      seen.set(key, seenOf(task));
    },
    beginJob(job: Job): void {
      const { finishedAtMs } = job.status;
      if (finishedAtMs === undefined) return;
      ended.add(job.metadata.uid);
      if (finishedAtMs >= deps.nowMs() - againMs) tell(spanOfJob(job), job);
    },
    task(key: string, task: Task | undefined): void {
      const before = seen.get(key) ?? { state: "Pending", ended: 0, mergingSinceMs: undefined };
      if (task === undefined) {
        seen.delete(key);
        return;
      }
      compare(task, before, true);
      seen.set(key, seenOf(task));
    },
    job(job: Job | undefined): void {
      if (job === undefined) return;
      const { uid } = job.metadata;
      const isFinished = job.status.finishedAtMs !== undefined;
      if (isFinished && !ended.has(uid)) tell(spanOfJob(job), job);
      if (isFinished) ended.add(uid);
      else ended.delete(uid);
      if (ended.size > endedMax) forgetDeleted(ended, deps.store);
    },
  };
}

/** What would be known of a task if nothing that ended after `sinceMs` had been told. */
function longBefore({ status }: Task, sinceMs: number): Seen {
  const { finishedAtMs, attempts, result, state } = status;
  const old = attempts.filter(({ endedAtMs }) => endedAtMs !== undefined && endedAtMs < sinceMs);
  const isRecent = finishedAtMs !== undefined && finishedAtMs >= sinceMs;
  const merged = attempts.find(({ attempt }) => attempt === result?.attempt);
  return {
    state: isRecent ? "Running" : state,
    ended: old.at(-1)?.attempt ?? 0,
    mergingSinceMs: isRecent ? merged?.endedAtMs : undefined,
  };
}

/** Ended jobs that are remembered before those that were deleted are looked for. */
const endedMax = 10_000;

function forgetDeleted(ended: Set<string>, store: WatchResourcesDeps["store"]): void {
  const live = new Set(store.list<JobHead>(keyPrefixes.heads).map(({ value }) => value.uid));
  for (const uid of ended) if (!live.has(uid)) ended.delete(uid);
}

function seenOf({ status }: Task): Seen {
  const done = status.attempts.filter(({ endedAtMs }) => endedAtMs !== undefined);
  return {
    state: status.state,
    ended: done.at(-1)?.attempt ?? 0,
    mergingSinceMs: status.state === "Merging" ? done.at(-1)?.endedAtMs : undefined,
  };
}

function countersOf(metrics: Metrics) {
  const attempts = metrics.counter("agentd_attempts_total", "Attempts that ended, by kind of task and outcome.");
  const tasks = metrics.counter("agentd_tasks_ended_total", "Tasks that ended, by kind, state and outcome.");
  const lost = metrics.counter("agentd_lease_losses_total", "Attempts whose worker fell silent.");
  const conflicts = metrics.counter("agentd_merge_conflicts_total", "Results that conflicted with the branch.");
  const unverified = metrics.counter("agentd_verify_failures_total", "Results that merge.verify blamed.");
  const mergeSeconds = metrics.histogram(
    "agentd_merge_seconds",
    "Time from a verified result to its merge, or to its refusal.",
    secondsBoundaries,
  );
  const queueSeconds = metrics.histogram(
    "agentd_queue_seconds",
    "Time from when a task may run to its claim.",
    secondsBoundaries,
  );
  lost.add(0);
  conflicts.add(0);
  return {
    attempt(kind: string, outcome: string): void {
      attempts.add(1, { kind, outcome });
      if (outcome === "LeaseLost") lost.add(1);
    },
    task: (kind: string, state: string, outcome: string): void => tasks.add(1, { kind, state, outcome }),
    waited: (kind: string, seconds: number): void => queueSeconds.record(seconds, { kind }),
    merge({ state, outcome }: Task["status"], seconds: number): void {
      const isRefused = state !== "Succeeded" && (outcome === "MergeConflict" || outcome === "VerifyFailed");
      if (isRefused && outcome === "MergeConflict") conflicts.add(1);
      if (isRefused && outcome === "VerifyFailed") unverified.add(1);
      mergeSeconds.record(seconds, { result: state === "Succeeded" ? "Landed" : (outcome ?? state) });
    },
  };
}
