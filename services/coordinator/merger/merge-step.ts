import { createHash } from "node:crypto";
import type { Job, JobHead } from "../../core/job/job.ts";
import { jobProgress } from "../../core/job/progress/job-progress.ts";
import type { MergeStep } from "../../core/merge/merge-plan.ts";
import { planMerge } from "../../core/merge/merge-plan.ts";
import { findCondition } from "../../core/resource.ts";
import type { TaskEvent } from "../../core/task/machine/task-event.ts";
import { nameCheck, noticeOfChecks, redCheck } from "../../core/task/machine/task-evidence.ts";
import { transition } from "../../core/task/machine/task-machine.ts";
import { taskRules } from "../../core/task/machine/task-rules.ts";
import type { CheckResult, Task, VerifySubject } from "../../core/task/task.ts";
import { unclaimedStatus } from "../../core/task/task.ts";
import { firstLine } from "../../core/text/bound-text.ts";
import { hiddenTaskPrefix } from "../../core/text/names.ts";
import type { Entry, ResourceStore } from "../../platform/nats/store/store.ts";
import { keys } from "../../platform/nats/subjects.ts";
import { inSpan } from "../../platform/telemetry/spans/tracer.ts";
import type { EventLog } from "../event-log.ts";
import type { JobEntries } from "../job-entries.ts";
import { jobSpan, mergeSpan } from "../observe/job-trace.ts";
import type { CandidateChain, ConflictingTask } from "./candidate.ts";
import { buildChain } from "./candidate.ts";
import type { JobRepositories } from "./job-repository.ts";
import type { LandDeps } from "./land.ts";
import { land, readChain } from "./land.ts";

/** What one step of a merge needs. */
export interface MergeStepDeps extends LandDeps {
  readonly store: ResourceStore;
  readonly repositories: JobRepositories;
  readonly events: EventLog;
  readonly nowMs: () => number;
  readonly random: () => number;
  /** Most tasks in one batch; default 100: 23,000 tasks/s were measured with that. */
  readonly batchMax?: number;
}

/** What a step has come to. */
export type StepResult =
  /** Something was written: look again at once. */
  | { readonly kind: "moved"; readonly isHeadWrite: boolean }
  /** Nothing to do until something changes. */
  | { readonly kind: "idle" };

/** A landing waits no longer than this for more tasks to be merged into its batch. */
const chainMs = 500;

const moved: StepResult = { kind: "moved", isHeadWrite: false };
const headMoved: StepResult = { kind: "moved", isHeadWrite: true };

/**
 * Takes the next step for one job's branch: observes, plans (`core/merge-plan.ts`) and acts once.
 *
 * @throws AgentdError CONFLICT when something moved meanwhile: look again
 */
export async function mergeStep(deps: MergeStepDeps, view: JobEntries, signal: AbortSignal): Promise<StepResult> {
  const job = view.job.value;
  const step = planMerge({
    head: view.head.value,
    tasks: view.tasks.map((entry) => entry.value),
    isVerifyNeeded: job.spec.merge.verify.length > 0,
    batchMax: deps.batchMax ?? 100,
  });
  if (step.kind !== "Build" && step.kind !== "Land") return await act(deps, view, step, signal);
  const links = step.tasks.map(({ metadata, status }) => {
    const { traceId, spanId } = mergeSpan(job, metadata.name, status.attempt);
    return { traceId, spanId, attributes: { "agentd.link": "merges", "agentd.task": metadata.name } };
  });
  const attributes = { "agentd.step": step.kind, "agentd.tasks": step.tasks.length };
  return await inSpan("merge batch", { parent: jobSpan(job), attributes, links: links.slice(0, 32) }, () =>
    act(deps, view, step, signal),
  );
}

async function act(deps: MergeStepDeps, view: JobEntries, step: MergeStep, signal: AbortSignal): Promise<StepResult> {
  const job = view.job.value;
  const head = view.head.value;
  switch (step.kind) {
    case "Wait":
      return { kind: "idle" };
    case "VerifyBase":
      await createVerify(deps, view, { head: head.base, commit: head.base, tasks: [] }, signal);
      return moved;
    case "BaseGreen":
      await deps.store.commit(
        [{ key: view.head.key, value: { ...head, verified: head.base }, expected: view.head.revision }],
        signal,
      );
      return headMoved;
    case "BaseRed":
      await failBase(deps, view, signal);
      return headMoved;
    case "Build":
      return await build(deps, view, step.tasks, signal);
    case "Land":
      return await landCandidate(deps, view, step, signal);
    case "Abandon": {
      const message = "the head or a task of the candidate has moved on";
      await change(deps, job, view, step.verify, { type: "Cancelled", reason: "Superseded", message }, signal);
      return moved;
    }
    case "Blame": {
      const { attempt } = step.task.status;
      const { message, notice, checks } = verifyFailure(step.verify);
      const event = { type: "Reopened", attempt, outcome: "VerifyFailed", message, notice, checks } as const;
      const next = await change(deps, job, view, step.task, event, signal);
      deps.events.taskEvent(next, "Warning", "VerifyFailed", message);
      return moved;
    }
  }
}

async function build(
  deps: MergeStepDeps,
  view: JobEntries,
  tasks: readonly Task[],
  signal: AbortSignal,
): Promise<StepResult> {
  const job = view.job.value;
  const head = view.head.value;
  const repository = await deps.repositories.openAt(job, head, signal);
  await deps.repositories.addResults(repository, tasks, signal);
  const startedMs = deps.nowMs();
  // A candidate that is verified shall be large, for its verification costs; what needs none lands while others still come.
  const isEnough = () => job.spec.merge.verify.length === 0 && deps.nowMs() - startedMs > chainMs;
  const reader = deps.repositories.reader(repository);
  const chain = await buildChain({ repository, reader }, { job, head, tasks, isEnough }, signal);
  for (const conflict of chain.conflicting) await reopen(deps, view, conflict, signal);
  if (chain.merged.length === 0) return chain.conflicting.length > 0 ? moved : { kind: "idle" };
  if (job.spec.merge.verify.length > 0) {
    const bundle = await deps.repositories.storeBundle(repository, head.commit, chain.commit, signal, chain.pack);
    await createVerify(deps, view, subjectOf(head, chain, bundle), signal);
    return moved;
  }
  const { conflicting: _, ...made } = chain;
  const landing = { job, head: view.head, ...made, entries: byName(view), isVerified: false };
  tellLanded(deps, await land(deps, landing, repository, rulesOf(deps, job), signal));
  return headMoved;
}

async function landCandidate(
  deps: MergeStepDeps,
  view: JobEntries,
  step: Extract<MergeStep, { kind: "Land" }>,
  signal: AbortSignal,
): Promise<StepResult> {
  const job = view.job.value;
  const { head, commit, bundle } = step.subject;
  const repository = await deps.repositories.openAt(job, view.head.value, signal);
  if (bundle !== undefined) await deps.repositories.addBundle(repository, commit, bundle, signal);
  const merged = await readChain(repository, { head, commit, tasks: step.tasks }, signal);
  const landing = { job, head: view.head, commit, merged, entries: byName(view), isVerified: true };
  const stored = bundle === undefined ? landing : { ...landing, bundle };
  tellLanded(deps, await land(deps, stored, repository, rulesOf(deps, job), signal));
  return headMoved;
}

async function reopen(
  deps: MergeStepDeps,
  view: JobEntries,
  conflict: ConflictingTask,
  signal: AbortSignal,
): Promise<void> {
  const { task, message, notice } = conflict;
  const event = { type: "Reopened", attempt: task.status.attempt, outcome: "MergeConflict", message, notice } as const;
  const next = await change(deps, view.job.value, view, task, event, signal);
  deps.events.taskEvent(next, "Warning", "MergeConflict", message);
}

/** Closes the head and fails the job in one batch, so that nobody sees it closed without the reason. */
async function failBase(deps: MergeStepDeps, view: JobEntries, signal: AbortSignal): Promise<void> {
  const job = view.job.value;
  const head: JobHead = { ...view.head.value, closed: true };
  const tasks = view.tasks.map((entry) => entry.value);
  const status = jobProgress({ job, head, tasks, nowMs: deps.nowMs() });
  const next: Job = { ...job, status };
  await deps.store.commit(
    [
      { key: view.head.key, value: head, expected: view.head.revision },
      { key: view.job.key, value: next, expected: view.job.revision },
    ],
    signal,
  );
  const why = findCondition(status.conditions, "Failed")?.message ?? "merge.verify is red on the base commit";
  deps.events.jobEvent(next, "Warning", "BaseRed", `${firstLine(why)}; nothing will be merged`);
}

/** Creates the Verify task of a candidate, fenced on the head; its name is derived, so doing it twice makes one. */
async function createVerify(
  deps: MergeStepDeps,
  view: JobEntries,
  subject: VerifySubject,
  signal: AbortSignal,
): Promise<void> {
  const job = view.job.value;
  const { namespace, uid } = job.metadata;
  const digest = createHash("sha256")
    .update(JSON.stringify([subject.head, subject.commit]))
    .digest("hex");
  const name = `${hiddenTaskPrefix}verify-${digest.slice(0, 12)}`;
  const key = keys.task(uid, name);
  const fence = { key: view.head.key, revision: view.head.revision };
  const existing = view.tasks.find((entry) => entry.key === key);
  if (existing?.value.status.state === "Cancelled") {
    const again = transition(existing.value, { type: "Retried" }, rulesOf(deps, job));
    await deps.store.commit([{ key, value: again, expected: existing.revision }], signal, fence);
    return;
  }
  const nowMs = deps.nowMs();
  const task: Task = {
    kind: "Task",
    metadata: { name, namespace, uid, labels: {}, annotations: {}, generation: 1, createdAtMs: nowMs },
    job: job.metadata.name,
    spec: { kind: "Verify", index: 0, item: "", dependsOn: [], verify: subject },
    status: unclaimedStatus,
  };
  await deps.store.commit([{ key, value: task, expected: 0 }], signal, fence);
}

async function change(
  deps: MergeStepDeps,
  job: Job,
  view: JobEntries,
  task: Task,
  event: TaskEvent,
  signal: AbortSignal,
): Promise<Task> {
  const entry = view.tasks.find((one) => one.value.metadata.name === task.metadata.name);
  const next = transition(task, event, taskRules(job.spec, task.spec.kind, deps.nowMs(), deps.random));
  const key = keys.task(task.metadata.uid, task.metadata.name);
  await deps.store.commit([{ key, value: next, expected: entry?.revision ?? 0 }], signal);
  return next;
}

/** What failed in a verify run: for a person, for the prompt of the task that is to blame, and as evidence. */
export function verifyFailure(verify: Task): {
  readonly message: string;
  readonly notice: string;
  readonly checks: readonly CheckResult[];
} {
  const attempt = verify.status.attempts.at(-1);
  const checks = attempt?.checks ?? [];
  const red = redCheck(checks);
  const what = `merge.verify: ${red === undefined ? "it failed" : nameCheck(red)}`;
  const details = noticeOfChecks(checks) || (attempt?.message ?? verify.status.message ?? "");
  return {
    message: `${what} on the branch with this result merged`,
    notice: `${what} after your last result was merged into the job's branch.\n${details}`,
    // Apart from the task's own checks, which may have the same names.
    checks: checks.map((check) => ({ ...check, name: `merge.verify:${check.name}` })),
  };
}

function subjectOf(head: JobHead, chain: CandidateChain, bundle: string): VerifySubject {
  const tasks = chain.merged.map(({ task }) => ({ name: task.metadata.name, attempt: task.status.attempt }));
  return { head: head.commit, commit: chain.commit, bundle, tasks };
}

function byName(view: JobEntries): ReadonlyMap<string, Entry<Task>> {
  return new Map(view.tasks.map((entry) => [entry.value.metadata.name, entry]));
}

function rulesOf(deps: MergeStepDeps, job: Job) {
  return taskRules(job.spec, "Agent", deps.nowMs(), deps.random);
}

function tellLanded(deps: MergeStepDeps, tasks: readonly Task[]): void {
  for (const task of tasks) deps.events.taskEvent(task, "Normal", "Merged", `as ${task.status.landedCommit ?? ""}`);
}
