import { isBaseVerify } from "../../merge/merge-plan.ts";
import type { Condition, ConditionStatus, Usage } from "../../resource.ts";
import { addUsage, findCondition, noUsage, setCondition } from "../../resource.ts";
import { isSetupRed, withOutput } from "../../task/machine/task-evidence.ts";
import { isEnded } from "../../task/outcomes.ts";
import type { Task } from "../../task/task.ts";
import { firstLine } from "../../text/bound-text.ts";
import { countText } from "../../text/count-text.ts";
import type { Job, JobHead, JobStatus, TaskCounts } from "../job.ts";
import { isPublishedAt } from "./publish-state.ts";
import { isRetryWanted, type SetupHealth, setupHealth } from "./setup-health.ts";

/** A job and all that its status is computed from. */
export interface JobView {
  readonly job: Job;
  readonly head: JobHead;
  /** Every task of the job, hidden ones too. */
  readonly tasks: readonly Task[];
  readonly nowMs: number;
}

/** No task in any state. */
export const noCounts: TaskCounts = { pending: 0, running: 0, merging: 0, succeeded: 0, failed: 0, cancelled: 0 };

/**
 * The job's status as its tasks and its head say; everything that others write is kept.
 *
 * - Planned: True once all `total` tasks exist.
 * - Complete: all tasks Succeeded. Failed: BaseRed or PlanFailed at once, else all tasks ended and one not Succeeded
 *   (TasksFailed, or DeadlineExceeded when the job's deadline ended one). Cancelled: the head was closed before the job
 *   was complete or failed.
 * - SetUp: False while `workspace.setup` is red on the base for a task that used up its attempts and nobody came past it.
 *   Tasks that did not start wait then for those that run; when none is left, the job is Failed (SetupFailed) until one of
 *   its tasks is retried.
 * - Published: others set it; it is Unknown again when the head has moved on from what was published.
 * - `finishedAtMs`: set when one of the three is True and no task is open any more; removed by a retry.
 */
export function jobProgress(view: JobView): JobStatus {
  const { job, tasks, nowMs } = view;
  const visible = tasks.filter((task) => task.spec.kind === "Agent");
  const counts = countTasks(visible);
  const health = setupHealth(job.status.base.commit, visible);
  const verdict = judge(view, visible, counts, health);
  const rows: readonly Row[] = [
    plannedRow(job, visible.length),
    suspendedRow(job),
    setupRow(job, health),
    publishedRow(job, view.head),
    terminalRow(job, "Complete", verdict),
    terminalRow(job, "Failed", verdict),
    terminalRow(job, "Cancelled", verdict),
  ];
  const isOpen = tasks.some((task) => !isEnded(task.status.state));
  const isFinished = verdict !== undefined && !isOpen;
  const { finishedAtMs: finishedBefore, startedAtMs: startedBefore, ...rest } = job.status;
  const startedAtMs = startedBefore ?? earliestStart(tasks);
  return {
    ...rest,
    observedGeneration: job.metadata.generation,
    conditions: rows.reduce(
      (conditions, row) => applyRow(conditions, row, job.metadata.generation, nowMs),
      rest.conditions,
    ),
    counts,
    usage: tasks.reduce<Usage>((usage, task) => addUsage(usage, task.status.usage), noUsage),
    // A retry resets a task's counter; what was once re-opened stays counted.
    reopened: Math.max(job.status.reopened, sum(visible.map((task) => task.status.reopens))),
    ...(startedAtMs === undefined ? {} : { startedAtMs }),
    ...(isFinished ? { finishedAtMs: finishedBefore ?? nowMs } : {}),
  };
}

/** Whether the job has come to its end: Complete, Failed or Cancelled, and nothing runs any more. */
export function isJobFinished(job: Job): boolean {
  return job.status.finishedAtMs !== undefined;
}

/** Tasks by state. */
export function countTasks(tasks: readonly Task[]): TaskCounts {
  const counts = { ...noCounts };
  for (const task of tasks) counts[countOfState[task.status.state]] += 1;
  return counts;
}

const countOfState = {
  Pending: "pending",
  Running: "running",
  Merging: "merging",
  Succeeded: "succeeded",
  Failed: "failed",
  Cancelled: "cancelled",
} as const;

interface Verdict {
  readonly type: "Complete" | "Failed" | "Cancelled";
  readonly reason: string;
  readonly message: string;
}

function judge(view: JobView, visible: readonly Task[], counts: TaskCounts, health: SetupHealth): Verdict | undefined {
  const { job, head, tasks } = view;
  const total = job.status.total;
  const isAllEnded =
    total !== undefined && visible.length >= total && visible.every((task) => isEnded(task.status.state));
  if (isAllEnded && counts.succeeded === visible.length) {
    return { type: "Complete", reason: "AllSucceeded", message: `${countText(counts.succeeded, "task")} succeeded` };
  }
  const early = earlyFailure(tasks) ?? setupFailure(visible, health) ?? keptFailure(job);
  if (early !== undefined) return early;
  if (head.closed) return { type: "Cancelled", reason: "CancelRequested", message: "nothing merges any more" };
  if (!isAllEnded) return undefined;
  const byDeadline = deadlineEnded(visible);
  return {
    type: "Failed",
    reason: byDeadline ? "DeadlineExceeded" : "TasksFailed",
    message: `failed: ${counts.failed}, cancelled: ${counts.cancelled}, succeeded: ${counts.succeeded}`,
  };
}

/** Why there is no plan: what is known of the end of its command. */
export function planFailureText(plan: Task): string {
  const known = firstLine(plan.status.message ?? "");
  return withOutput(known === "" ? "the plan's command failed" : known, plan.status.attempts.at(-1)?.checks ?? []);
}

function earlyFailure(tasks: readonly Task[]): Verdict | undefined {
  for (const task of tasks) {
    if (task.status.state !== "Failed") continue;
    if (task.spec.kind === "Plan") {
      return {
        type: "Failed",
        reason: "PlanFailed",
        message: planFailureText(task),
      };
    }
    if (task.spec.verify !== undefined && isBaseVerify(task.spec.verify)) {
      const last = task.status.attempts.at(-1);
      const what = last !== undefined && isSetupRed(last) ? "workspace.setup" : "merge.verify";
      const line = `${what} is red on the base commit: ${firstLine(task.status.message ?? "it failed")} (task ${task.metadata.name})`;
      return { type: "Failed", reason: "BaseRed", message: withOutput(line, last?.checks ?? []) };
    }
  }
  return undefined;
}

/** Once nothing runs any more that could prove the opposite, and nobody asked for another try. */
function setupFailure(visible: readonly Task[], health: SetupHealth): Verdict | undefined {
  if (health.kind !== "Red") return undefined;
  if (visible.some((task) => task.status.state === "Running" || isRetryWanted(task))) return undefined;
  const { status, metadata } = health.culprit;
  const line = `workspace.setup is red on the base commit: ${firstLine(status.message ?? "it failed")} (task ${metadata.name})`;
  return { type: "Failed", reason: "SetupFailed", message: withOutput(line, status.attempts.at(-1)?.checks ?? []) };
}

/** Reasons that are a sum over the tasks as they are now. */
const computedReasons: ReadonlySet<string> = new Set(["TasksFailed", "DeadlineExceeded", "SetupFailed"]);

/** A failure that others wrote, such as a plan that cannot be used, stays unless it was a sum over the tasks. */
function keptFailure(job: Job): Verdict | undefined {
  const failed = findCondition(job.status.conditions, "Failed");
  if (failed?.status !== "True" || computedReasons.has(failed.reason)) return undefined;
  return { type: "Failed", reason: failed.reason, message: failed.message };
}

/** Reason in condition Executed or Merged that only the job's own deadline writes. */
function deadlineEnded(tasks: readonly Task[]): boolean {
  return tasks.some(
    (task) =>
      task.status.outcome === "DeadlineExceeded" &&
      findCondition(task.status.conditions, "Merged")?.reason === "DeadlineExceeded",
  );
}

type Row = readonly [type: string, status: ConditionStatus, reason: string, message: string] | undefined;

function plannedRow(job: Job, created: number): Row {
  const { total } = job.status;
  if (total !== undefined && created >= total) return ["Planned", "True", "AllTasksCreated", countText(total, "task")];
  if (findCondition(job.status.conditions, "Planned")?.status === "False") return undefined;
  return [
    "Planned",
    "Unknown",
    "Planning",
    total === undefined ? "" : `${created} of ${countText(total, "task")} created`,
  ];
}

function suspendedRow(job: Job): Row {
  if (job.spec.suspend) return ["Suspended", "True", "Suspended", "no new attempts start"];
  return findCondition(job.status.conditions, "Suspended") === undefined
    ? undefined
    : ["Suspended", "False", "Resumed", ""];
}

/** Only jobs whose set-up was in doubt have it. */
function setupRow(job: Job, health: SetupHealth): Row {
  if (health.kind === "Red") {
    const { name } = health.culprit.metadata;
    return ["SetUp", "False", "SetupFailed", `workspace.setup is red on the base commit for task ${name}`];
  }
  if (findCondition(job.status.conditions, "SetUp") === undefined) return undefined;
  return health.kind === "Proven" ? ["SetUp", "True", "Proven", ""] : ["SetUp", "Unknown", "Retried", ""];
}

function publishedRow(job: Job, head: JobHead): Row {
  const isStale =
    findCondition(job.status.conditions, "Published")?.status === "True" && !isPublishedAt(job, head.commit);
  if (!isStale) return undefined;
  return ["Published", "Unknown", "HeadMoved", `the head is at ${head.commit.slice(0, 12)} by now`];
}

/** A terminal condition is absent until it was True once. */
function terminalRow(job: Job, type: Verdict["type"], verdict: Verdict | undefined): Row {
  if (verdict?.type === type) return [type, "True", verdict.reason, verdict.message];
  return findCondition(job.status.conditions, type) === undefined ? undefined : [type, "False", "InProgress", ""];
}

function applyRow(conditions: readonly Condition[], row: Row, generation: number, nowMs: number): readonly Condition[] {
  if (row === undefined) return conditions;
  const [type, status, reason, message] = row;
  const next = { type, status, reason, message, observedGeneration: generation, lastTransitionAtMs: nowMs };
  return setCondition(conditions, next);
}

function earliestStart(tasks: readonly Task[]): number | undefined {
  const starts = tasks.flatMap((task) => task.status.attempts[0]?.startedAtMs ?? []);
  return starts.length === 0 ? undefined : starts.reduce((a, b) => Math.min(a, b));
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, number) => total + number, 0);
}
