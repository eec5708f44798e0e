import { AgentdError } from "../../core/errors.ts";
import type { Check, Job, JobHead } from "../../core/job/job.ts";
import { renderRun, renderTask } from "../../core/plan/template.ts";
import type { Task, VerifySubject } from "../../core/task/task.ts";
import type { Assignment } from "../../core/worker-protocol.ts";
import { formatTraceparent } from "../../platform/telemetry/spans/trace-context.ts";
import { attemptSpan } from "../observe/job-trace.ts";
import type { AttemptTokens } from "./attempt-token.ts";
import { tokenLifetimeMs } from "./attempt-token.ts";

/** Where an attempt starts. */
export interface StartPoint {
  readonly commit: string;
  /** Objects to unpack, in this order, to have it. */
  readonly bundles: readonly string[];
}

/**
 * Where the next attempt of `task` starts: a Verify task at its candidate, a re-opened task or one with dependencies at
 * the head as it is now, all others at the job's base.
 *
 * @throws AgentdError STATE_CONFLICT for a candidate whose head has moved on: it will be abandoned
 */
export function startPoint(job: Job, head: JobHead, task: Task): StartPoint {
  const base = { commit: job.status.base.commit, bundles: [job.status.baseBundle] };
  const atHead = { commit: head.commit, bundles: [job.status.baseBundle, ...head.bundles] };
  const subject = task.spec.verify;
  if (subject !== undefined) return candidatePoint(subject, base, atHead);
  return task.status.startAtHead || task.spec.dependsOn.length > 0 ? atHead : base;
}

function candidatePoint(subject: VerifySubject, base: StartPoint, atHead: StartPoint): StartPoint {
  if (subject.bundle === undefined) return base;
  if (subject.head !== atHead.commit) {
    throw new AgentdError("STATE_CONFLICT", `the candidate ${subject.commit} was built on a head that has moved`);
  }
  return { commit: subject.commit, bundles: [...atHead.bundles, subject.bundle] };
}

/** What the worker is told about the attempt that `task` (state Running) has open. Same input, same answer. */
export function assignmentOf(
  input: { readonly job: Job; readonly task: Task; readonly start: StartPoint; readonly memory: readonly string[] },
  tokens: AttemptTokens,
): Assignment {
  const { job, task, start, memory } = input;
  const { metadata, spec, status } = task;
  const lease = status.lease;
  if (lease === undefined) throw new AgentdError("STATE_CONFLICT", `task ${metadata.name} has no lease`);
  const claim = { uid: metadata.uid, task: metadata.name, attempt: status.attempt, worker: lease.worker };
  const rendered = renderTask(job, task);
  const isAgent = spec.kind === "Agent";
  const { template } = job.spec;
  return {
    uid: metadata.uid,
    task: metadata.name,
    attempt: status.attempt,
    namespace: metadata.namespace,
    job: task.job,
    kind: spec.kind,
    token: tokens.sign(claim, lease.grantedAtMs + tokenLifetimeMs),
    base: start.commit,
    bundles: start.bundles,
    setup: job.spec.workspace.setup,
    ...(spec.kind === "Plan" && job.spec.plan.kind === "command" ? { run: job.spec.plan.run } : {}),
    jobText: isAgent ? rendered.jobText : "",
    taskText: isAgent ? rendered.taskText : "",
    ...(isAgent && status.notice !== undefined ? { notice: status.notice } : {}),
    ...(isAgent && memory.length > 0 ? { memory } : {}),
    pool: template.pool,
    ...(template.tools === undefined ? {} : { tools: template.tools }),
    ...(isAgent && rendered.writes !== undefined ? { writes: rendered.writes } : {}),
    ...(isAgent && template.protect !== undefined ? { protect: template.protect } : {}),
    checks: checksOf(job, task, rendered.checks),
    limits: rendered.limits,
    isIsolated: status.isSuspect,
    traceparent: formatTraceparent(attemptSpan(job, metadata.name, status.attempt)),
  };
}

/** The checks that an attempt of `task` has to pass, rendered. */
export function checksOf(job: Job, task: Task, rendered: readonly Check[]): readonly Check[] {
  if (task.spec.kind === "Agent") return rendered;
  if (task.spec.kind === "Plan") return [];
  const values = { item: "", index: 0, job: job.metadata.name, matrix: {} };
  return job.spec.merge.verify.map((check) => ({ ...check, run: renderRun(check.run, values) }));
}
