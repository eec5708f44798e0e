import { isAgentdError } from "../../core/errors.ts";
import type { Job, JobHead, PlannedItem } from "../../core/job/job.ts";
import { planFailureText } from "../../core/job/progress/job-progress.ts";
import { outputLines, planItems } from "../../core/plan/plan-items.ts";
import type { Condition } from "../../core/resource.ts";
import { findCondition, setCondition } from "../../core/resource.ts";
import type { Task } from "../../core/task/task.ts";
import { firstLine } from "../../core/text/bound-text.ts";
import { countText } from "../../core/text/count-text.ts";
import type { NatsLink } from "../../platform/nats/connect.ts";
import { putObject, readObject } from "../../platform/nats/objects/objects.ts";
import type { Entry, ResourceStore, Write } from "../../platform/nats/store/store.ts";
import { batchMessagesMax } from "../../platform/nats/stream-limits.ts";
import { keyPrefixes, keys } from "../../platform/nats/subjects.ts";
import { inSpan } from "../../platform/telemetry/spans/tracer.ts";
import type { EventLog } from "../event-log.ts";
import { findJobOf } from "../job-entries.ts";
import { jobSpan } from "../observe/job-trace.ts";
import { requireStorage } from "../storage-check.ts";
import { newPlanTask, newTask, planTaskName } from "./new-task.ts";

/** What {@link createPlanner} needs. */
export interface PlannerDeps {
  readonly store: ResourceStore;
  readonly link: NatsLink;
  readonly events: Pick<EventLog, "jobEvent">;
  readonly nowMs: () => number;
}

/** Makes a job's tasks from its plan. Level-triggered: any replica may run it, at any time, any number of times. */
export interface Planner {
  /**
   * Brings the plan of the job with that uid as far as it can go now; wake it when the Job or its Plan task changes.
   * @throws AgentdError CONFLICT, STORE_UNAVAILABLE, OBJECT_MISSING: call again
   */
  reconcile(uid: string, signal: AbortSignal): Promise<undefined>;
}

/** Tasks in one batch, one more message is the fence: the fewer batches, the fewer looks at a job that is not planned yet. */
const batchTasks = batchMessagesMax - 1;
const itemsBytesMax = 64 * 1_024 * 1_024;
/** Output is read whole; the item list that it becomes has the same bound. */
const outputBytesMax = itemsBytesMax;

/** A planner over the store. It remembers nothing. */
export function createPlanner(deps: PlannerDeps): Planner {
  return {
    async reconcile(uid, signal) {
      const found = findJobOf(deps.store, uid);
      // A closed job gets no more tasks; those that it has are ended by others.
      if (found === undefined || found.head.value.closed) return undefined;
      const { job } = found;
      if (isTrue(job.value, "Planned") || isTrue(job.value, "Failed")) return undefined;
      await inSpan("plan", { parent: jobSpan(job.value) }, async () => {
        if (job.value.status.itemsObject === undefined) await fixItems(deps, job, found.head, signal);
        else await createTasks(deps, job, signal);
      });
      return undefined;
    },
  };
}

/** A `command` plan: its task runs once; its output becomes the items. */
async function fixItems(deps: PlannerDeps, job: Entry<Job>, head: Entry<JobHead>, signal: AbortSignal): Promise<void> {
  const { uid, name } = job.value.metadata;
  const key = keys.task(uid, planTaskName);
  const task = deps.store.get<Task>(key)?.value;
  if (task === undefined) {
    const fence = { key: head.key, revision: head.revision };
    await deps.store.commit([{ key, value: newPlanTask(job.value, deps.nowMs()), expected: 0 }], signal, fence);
    return;
  }
  const { state, output } = task.status;
  if (state === "Failed") await failPlan(deps, job, planFailureText(task), signal);
  if (state !== "Succeeded") return;
  if (output === undefined) {
    await failPlan(deps, job, "the plan's command printed nothing, so there is no task", signal);
    return;
  }
  const bytes = await readObject(deps.link, "agentd", output, { bytesMax: outputBytesMax }, signal);
  const { lines, problem } = outputLines(bytes);
  if (problem !== undefined) {
    await failPlan(deps, job, problem, signal);
    return;
  }
  const items = planItems(name, job.value.spec.plan, { lines });
  const refusal = await whyNoRoom(deps, items.length, signal);
  if (refusal !== undefined) {
    await failPlan(deps, job, refusal, signal);
    return;
  }
  const { name: itemsObject } = await putObject(deps.link, "agentd", Buffer.from(JSON.stringify(items)), signal);
  const status = { ...job.value.status, itemsObject, total: items.length };
  await deps.store.commit([{ key: job.key, value: { ...job.value, status }, expected: job.revision }], signal);
  const fixed = deps.store.get<Job>(job.key);
  if (fixed?.value.metadata.uid === uid) await createTasks(deps, fixed, signal);
}

/** A command's plan is known only now: the check that others had before they were accepted. */
async function whyNoRoom(deps: PlannerDeps, tasks: number, signal: AbortSignal): Promise<string | undefined> {
  try {
    await requireStorage(deps, { tasks, objectBytes: 0 }, signal);
    return undefined;
  } catch (error) {
    if (!isAgentdError(error, "LIMIT_EXCEEDED")) throw error;
    return error.message;
  }
}

async function createTasks(deps: PlannerDeps, job: Entry<Job>, signal: AbortSignal): Promise<void> {
  const { uid } = job.value.metadata;
  const { itemsObject } = job.value.status;
  if (itemsObject === undefined) return;
  const bytes = await readObject(deps.link, "agentd", itemsObject, { bytesMax: itemsBytesMax }, signal);
  // Written by a coordinator from `PlannedItem`s, and its digest was checked.
  const items = JSON.parse(bytes.toString("utf8")) as readonly PlannedItem[];
  const existing = new Set(deps.store.list<Task>(keyPrefixes.tasksOf(uid)).map(({ key }) => key));
  const missing = items.filter((item) => !existing.has(keys.task(uid, item.name)));
  for (let at = 0; at < missing.length; at += batchTasks) {
    // The fence: of a job that was closed or deleted meanwhile, and of one whose head moved, nothing is created.
    const head = deps.store.get<JobHead>(keys.head(uid));
    if (head === undefined || head.value.closed) return;
    const nowMs = deps.nowMs();
    const writes = missing.slice(at, at + batchTasks).map((item): Write => {
      return { key: keys.task(uid, item.name), value: newTask(job.value, item, nowMs), expected: 0 };
    });
    await deps.store.commit(writes, signal, { key: head.key, revision: head.revision });
  }
  await markPlanned(deps, job, items.length, signal);
}

async function markPlanned(deps: PlannerDeps, job: Entry<Job>, total: number, signal: AbortSignal): Promise<void> {
  const current = deps.store.get<Job>(job.key);
  if (current === undefined || current.value.metadata.uid !== job.value.metadata.uid) return;
  if (isTrue(current.value, "Planned")) return;
  const message = countText(total, "task");
  const row = { type: "Planned", status: "True", reason: "AllTasksCreated", message } as const;
  await writeConditions(deps, current, [row], signal);
  deps.events.jobEvent(current.value, "Normal", "Planned", message);
}

async function failPlan(deps: PlannerDeps, job: Entry<Job>, message: string, signal: AbortSignal): Promise<void> {
  const row = { reason: "PlanFailed", message: message.slice(0, 1_024) } as const;
  const rows = [
    { ...row, type: "Planned", status: "False" },
    { ...row, type: "Failed", status: "True" },
  ] as const;
  await writeConditions(deps, job, rows, signal);
  deps.events.jobEvent(job.value, "Warning", "PlanFailed", firstLine(message));
}

type Row = Pick<Condition, "type" | "status" | "reason" | "message">;

async function writeConditions(
  deps: PlannerDeps,
  job: Entry<Job>,
  rows: readonly Row[],
  signal: AbortSignal,
): Promise<void> {
  const { metadata, status } = job.value;
  const more = { observedGeneration: metadata.generation, lastTransitionAtMs: deps.nowMs() };
  const conditions = rows.reduce((all, row) => setCondition(all, { ...row, ...more }), status.conditions);
  const value: Job = { ...job.value, status: { ...status, conditions } };
  await deps.store.commit([{ key: job.key, value, expected: job.revision }], signal);
}

function isTrue(job: Job, type: string): boolean {
  return findCondition(job.status.conditions, type)?.status === "True";
}
