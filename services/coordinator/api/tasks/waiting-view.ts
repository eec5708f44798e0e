import type { Job, JobHead } from "../../../core/job/job.ts";
import { isBaseVerify } from "../../../core/merge/merge-plan.ts";
import { setNewest } from "../../../core/set-newest.ts";
import type { DispatchJob, Siblings } from "../../../core/task/dispatch/dispatch-order.ts";
import { dispatchOrder, findBlocker, siblingsOf } from "../../../core/task/dispatch/dispatch-order.ts";
import type { WaitingReason, WaitingView } from "../../../core/task/dispatch/waiting-reason.ts";
import { waitingReason } from "../../../core/task/dispatch/waiting-reason.ts";
import { isEnded } from "../../../core/task/outcomes.ts";
import type { Task } from "../../../core/task/task.ts";
import { keyPrefixes, keys } from "../../../platform/nats/subjects.ts";
import { observeJobs } from "../../job-entries.ts";
import type { ApiDeps } from "../api-deps.ts";
import { runningAttempt } from "./running-attempt.ts";

/** Says what tasks wait for. */
export interface WaitingReasons {
  /** `TaskStatus.waiting_for`: short, empty when the task waits for nothing. At most a second behind its siblings. */
  waitingFor(task: Task, job: Job): string;
  /** Everything that `why` says; looks at every job. */
  explain(task: Task, job: Job): WaitingReason;
}

/** How long the states of a job's tasks are remembered for `waitingFor`: a watch asks for every change. */
const siblingsMs = 1_000;
const siblingsMax = 64;
/** Tasks that end within this time make the pace that `why` reckons with. */
const paceMs = 60_000;

/** Reasons from what the store and the heartbeats say now. */
export function createWaitingReasons(deps: ApiDeps): WaitingReasons {
  const { store } = deps;
  const cache = new Map<string, { readonly siblings: Siblings; readonly atMs: number }>();
  const siblings = (uid: string, nowMs: number): Siblings => {
    const kept = cache.get(uid);
    if (kept !== undefined && Math.abs(nowMs - kept.atMs) < siblingsMs) return kept.siblings;
    const fresh = siblingsOf(tasksOf(deps, uid));
    setNewest(cache, uid, { siblings: fresh, atMs: nowMs }, siblingsMax);
    return fresh;
  };
  const viewOf = (task: Task, job: Job, more: Partial<WaitingView>): WaitingView | undefined => {
    const head = store.get<JobHead>(keys.head(job.metadata.uid))?.value;
    if (head === undefined) return undefined;
    const nowMs = deps.nowMs();
    return {
      task,
      jobName: job.metadata.name,
      nowMs,
      blocker: findBlocker({ job, head }, task, siblings(job.metadata.uid, nowMs), nowMs),
      workers: deps.waitingWorkers(),
      position: undefined,
      shares: [],
      endedPerMinute: undefined,
      ...more,
    };
  };
  return {
    waitingFor(task, job) {
      if (isEnded(task.status.state)) return "";
      const view = viewOf(task, job, {});
      const reason = view === undefined ? "None" : waitingReason(view).reason;
      return reason === "None" ? "" : reason;
    },
    explain(task, job) {
      const jobs = observeJobs(store).map(
        (view): DispatchJob => ({
          job: view.job.value,
          head: view.head.value,
          tasks: view.tasks.map(({ value }) => value),
        }),
      );
      const view = viewOf(task, job, {
        ...fleetView(deps, task, jobs),
        ...verifyView(deps, task),
        phase: runningAttempt(deps, task)?.phase,
      });
      return view === undefined
        ? { reason: "None", summary: "The job was deleted.", details: [] }
        : waitingReason(view);
    },
  };
}

function tasksOf(deps: ApiDeps, uid: string): readonly Task[] {
  return deps.store.list<Task>(keyPrefixes.tasksOf(uid)).map(({ value }) => value);
}

function fleetView(
  deps: ApiDeps,
  task: Task,
  jobs: readonly DispatchJob[],
): Pick<WaitingView, "position" | "shares" | "endedPerMinute"> {
  const nowMs = deps.nowMs();
  const order = task.status.state === "Pending" ? dispatchOrder(jobs, nowMs, Number.MAX_SAFE_INTEGER) : [];
  const position = order.findIndex(
    (one) => one.uid === task.metadata.uid && one.task.metadata.name === task.metadata.name,
  );
  const shares = jobs
    .map((view) => ({
      job: view.job.metadata.name,
      running: view.tasks.filter(({ status }) => status.state === "Running").length,
    }))
    .filter(({ running }) => running > 0)
    .sort((a, b) => b.running - a.running);
  const ended = jobs
    .flatMap((view) => view.tasks)
    .filter(({ status }) => status.finishedAtMs !== undefined && nowMs - status.finishedAtMs < paceMs).length;
  return {
    position: position < 0 ? undefined : position,
    shares,
    endedPerMinute: ended === 0 ? undefined : (ended * 60_000) / paceMs,
  };
}

function verifyView(deps: ApiDeps, task: Task): Pick<WaitingView, "verify"> {
  if (task.status.state !== "Merging") return {};
  const open = tasksOf(deps, task.metadata.uid).find(
    ({ spec, status }) => spec.kind === "Verify" && !isEnded(status.state),
  );
  const subject = open?.spec.verify;
  if (open === undefined || subject === undefined) return {};
  return { verify: { state: open.status.state, isBase: isBaseVerify(subject), tasks: subject.tasks.length } };
}
