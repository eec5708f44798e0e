import type { Job, JobHead } from "../../job/job.ts";
import { isRetryWanted } from "../../job/progress/setup-health.ts";
import { findCondition } from "../../resource.ts";
import { isBackOffOver } from "../machine/retry-delay.ts";
import { isEnded } from "../outcomes.ts";
import type { Task, TaskState } from "../task.ts";

/** All that decides about the tasks of one job. */
export interface DispatchJob {
  readonly job: Job;
  readonly head: JobHead;
  /** Every task of the job, hidden ones too, in any order. */
  readonly tasks: readonly Task[];
}

/** Why a task may not be claimed now. */
export type Blocker =
  | { readonly kind: "NotPending"; readonly state: TaskState }
  | { readonly kind: "JobClosed" }
  | { readonly kind: "JobFailed"; readonly reason: string }
  | { readonly kind: "SetupFailed"; readonly message: string }
  | { readonly kind: "Suspended" }
  | { readonly kind: "PastDeadline" }
  | { readonly kind: "BackOff"; readonly untilMs: number }
  | { readonly kind: "Dependencies"; readonly waitingFor: readonly string[] }
  | { readonly kind: "DependencyFailed"; readonly task: string; readonly state: TaskState }
  | { readonly kind: "Parallelism"; readonly running: number; readonly parallelism: number };

/** What the rules need to know of a task's siblings. */
export interface Siblings {
  /** Agent tasks in state Running: what `parallelism` bounds. Merging tasks hold no slot and do not count. */
  readonly running: number;
  /** State of the job's task of that name; undefined when it was not created yet. */
  stateOf(task: string): TaskState | undefined;
}

/** A task that may be claimed now. */
export interface RunnableTask {
  readonly uid: string;
  readonly task: Task;
}

/**
 * What keeps `task` from being claimed at `nowMs`, or undefined when nothing does. The dispatcher, the claim handler and
 * `why` all ask this one function.
 */
export function findBlocker(
  view: Pick<DispatchJob, "job" | "head">,
  task: Task,
  siblings: Siblings,
  nowMs: number,
): Blocker | undefined {
  const { job, head } = view;
  const { status, spec } = task;
  if (status.state !== "Pending") return { kind: "NotPending", state: status.state };
  if (head.closed) return { kind: "JobClosed" };
  const failed = findCondition(job.status.conditions, "Failed");
  // A failed task may be retried by hand, so the sum of the tasks blocks nothing; a red base or a failed plan does.
  const isSum = failed?.reason === "TasksFailed" || failed?.reason === "SetupFailed";
  if (failed?.status === "True" && !isSum) return { kind: "JobFailed", reason: failed.reason };
  const setUp = findCondition(job.status.conditions, "SetUp");
  if (setUp?.status === "False" && spec.kind === "Agent" && !isRetryWanted(task)) {
    return { kind: "SetupFailed", message: setUp.message };
  }
  // Work in flight lands: once an attempt was started, what came of it is verified all the same.
  const isInFlight = spec.kind === "Verify" && job.status.startedAtMs !== undefined;
  if (job.spec.suspend && !isInFlight) return { kind: "Suspended" };
  const deadline = deadlineMs(job);
  if (deadline !== undefined && deadline <= nowMs) return { kind: "PastDeadline" };
  const dependency = findDependencyBlocker(spec.dependsOn, siblings);
  if (dependency !== undefined) return dependency;
  if (!isBackOffOver(status.notBeforeMs, nowMs)) return { kind: "BackOff", untilMs: status.notBeforeMs };
  const { parallelism } = job.spec;
  if (spec.kind === "Agent" && parallelism > 0 && siblings.running >= parallelism) {
    return { kind: "Parallelism", running: siblings.running, parallelism };
  }
  return undefined;
}

/** When the job's activeDeadlineSeconds are over, counted from its creation; undefined without a deadline. */
export function deadlineMs(job: Job): number | undefined {
  const { activeDeadlineSeconds } = job.spec;
  return activeDeadlineSeconds === 0 ? undefined : job.metadata.createdAtMs + activeDeadlineSeconds * 1_000;
}

/** A task's own priority, else its job's. */
export function priorityOf(job: Job, task: Task): number {
  return task.spec.overrides?.priority ?? job.spec.priority;
}

/** The siblings of a job's tasks, indexed once. */
export function siblingsOf(tasks: readonly Task[]): Siblings {
  const states = new Map<string, TaskState>();
  let running = 0;
  for (const task of tasks) {
    states.set(task.metadata.name, task.status.state);
    if (task.spec.kind === "Agent" && task.status.state === "Running") running += 1;
  }
  return { running, stateOf: (name) => states.get(name) };
}

/**
 * The tasks that may run now, best first: Verify and Plan tasks, then by priority, then fair between jobs (the job with the
 * least running tasks takes the next turn), then by index. Never more of a job than its parallelism has room for.
 *
 * @param limit longest answer wanted
 */
export function dispatchOrder(jobs: readonly DispatchJob[], nowMs: number, limit: number): readonly RunnableTask[] {
  const lanes = jobs.flatMap((view) => lanesOf(view, nowMs));
  const hidden = lanes.filter((lane) => lane.isHidden);
  const visible = lanes.filter((lane) => !lane.isHidden);
  const priorities = [...new Set(visible.map((lane) => lane.priority))].sort((a, b) => b - a);
  const ordered: RunnableTask[] = [];
  interleave(hidden, limit, ordered);
  for (const priority of priorities) {
    interleave(
      visible.filter((lane) => lane.priority === priority),
      limit,
      ordered,
    );
  }
  return ordered;
}

/** The runnable tasks of one job at one priority. */
interface Lane {
  readonly isHidden: boolean;
  readonly priority: number;
  readonly uid: string;
  readonly createdAtMs: number;
  readonly tasks: readonly Task[];
  /** Shared by the lanes of a job: a turn in one priority counts in the next. */
  readonly share: { running: number; room: number };
}

function lanesOf(view: DispatchJob, nowMs: number): readonly Lane[] {
  const { job } = view;
  const pending = view.tasks.filter((task) => task.status.state === "Pending");
  if (pending.length === 0) return [];
  const siblings = siblingsOf(view.tasks);
  const byLane = new Map<string, Task[]>();
  for (const task of pending) {
    if (findBlocker(view, task, siblings, nowMs) !== undefined) continue;
    const key = task.spec.kind === "Agent" ? String(priorityOf(job, task)) : "hidden";
    const lane = byLane.get(key);
    if (lane === undefined) byLane.set(key, [task]);
    else lane.push(task);
  }
  const { parallelism } = job.spec;
  const room = parallelism === 0 ? Number.POSITIVE_INFINITY : parallelism - siblings.running;
  const share = { running: siblings.running, room };
  return [...byLane].map(([key, tasks]) => ({
    isHidden: key === "hidden",
    priority: key === "hidden" ? job.spec.priority : Number(key),
    uid: job.metadata.uid,
    createdAtMs: job.metadata.createdAtMs,
    tasks: tasks.sort((a, b) => a.spec.index - b.spec.index || (a.metadata.name < b.metadata.name ? -1 : 1)),
    // Hidden tasks are outside parallelism and take no turn from the job's share.
    share: key === "hidden" ? { running: 0, room: Number.POSITIVE_INFINITY } : share,
  }));
}

function interleave(lanes: readonly Lane[], limit: number, into: RunnableTask[]): void {
  const open = lanes.map((lane) => ({ lane, next: 0 }));
  while (into.length < limit) {
    let best: { lane: Lane; next: number } | undefined;
    for (const candidate of open) {
      if (candidate.next >= candidate.lane.tasks.length || candidate.lane.share.room <= 0) continue;
      if (best === undefined || isBefore(candidate.lane, best.lane)) best = candidate;
    }
    const task = best?.lane.tasks[best.next];
    if (best === undefined || task === undefined) return;
    best.next += 1;
    best.lane.share.running += 1;
    best.lane.share.room -= 1;
    into.push({ uid: best.lane.uid, task });
  }
}

function isBefore(a: Lane, b: Lane): boolean {
  if (a.isHidden && a.priority !== b.priority) return a.priority > b.priority;
  if (a.share.running !== b.share.running) return a.share.running < b.share.running;
  if (a.createdAtMs !== b.createdAtMs) return a.createdAtMs < b.createdAtMs;
  return a.uid < b.uid;
}

function findDependencyBlocker(dependsOn: readonly string[], siblings: Siblings): Blocker | undefined {
  const waitingFor: string[] = [];
  for (const name of dependsOn) {
    const state = siblings.stateOf(name);
    if (state === "Succeeded") continue;
    if (state !== undefined && isEnded(state)) return { kind: "DependencyFailed", task: name, state };
    waitingFor.push(name);
  }
  return waitingFor.length === 0 ? undefined : { kind: "Dependencies", waitingFor };
}
