import type { Job } from "../../core/job/job.ts";
import { findCondition } from "../../core/resource.ts";
import type { Attempt, Task } from "../../core/task/task.ts";
import type { SpanAttributes, SpanRecord } from "../../platform/telemetry/spans/span-record.ts";
import type { SpanContext } from "../../platform/telemetry/spans/trace-context.ts";
import { attemptSpan, jobSpan, mergeSpan, taskSpan } from "./job-trace.ts";

/** A span of a resource; `endMs` is `undefined` while it is open. */
export type ResourceSpan = Omit<SpanRecord, "service" | "endMs"> & { readonly endMs: number | undefined };

/** Outcomes of attempts that are no failure. */
const good: ReadonlySet<string | undefined> = new Set(["Done", "AlreadyDone"]);

/** The whole job. */
export function spanOfJob(job: Job): ResourceSpan {
  const { status, metadata, spec } = job;
  const end = ["Complete", "Failed", "Cancelled"].find(
    (type) => findCondition(status.conditions, type)?.status === "True",
  );
  return {
    ...idsOf(jobSpan(job), status.parentSpanId),
    name: "job",
    startMs: metadata.createdAtMs,
    endMs: status.finishedAtMs,
    ...(end === undefined || end === "Complete" ? {} : { error: end }),
    attributes: {
      ...jobAttributes(job),
      "agentd.plan": spec.plan.kind,
      ...(status.total === undefined ? {} : { "agentd.tasks": status.total }),
      ...(end === undefined ? {} : { "agentd.result": end }),
    },
    links: [],
  };
}

/** The whole task, hidden ones too. */
export function spanOfTask(job: Job, task: Task): ResourceSpan {
  const { status, metadata, spec } = task;
  const { state, outcome, usage } = status;
  return {
    ...idsOf(taskSpan(job, metadata.name), jobSpan(job).spanId),
    name: spec.kind === "Agent" ? "task" : `${spec.kind.toLowerCase()} task`,
    startMs: metadata.createdAtMs,
    endMs: status.finishedAtMs,
    ...(state === "Failed" || state === "Cancelled" ? { error: outcome ?? state } : {}),
    attributes: {
      ...taskAttributes(job, task),
      "agentd.state": state,
      "agentd.attempts": status.attempt,
      ...usageAttributes(usage),
    },
    links: [],
  };
}

/** One attempt; a later one names the one before as a link, whichever worker had it. */
export function spanOfAttempt(job: Job, task: Task, attempt: Attempt): ResourceSpan {
  const { name } = task.metadata;
  const { outcome, usage, worker } = attempt;
  const before = task.status.attempts.find((each) => each.attempt === attempt.attempt - 1);
  const { traceId } = job.status;
  const retried: SpanAttributes = {
    "agentd.link": "retry of",
    ...(before?.outcome === undefined ? {} : { "agentd.outcome": before.outcome }),
    ...(before === undefined ? {} : { "agentd.worker": before.worker }),
  };
  return {
    ...idsOf(attemptSpan(job, name, attempt.attempt), taskSpan(job, name).spanId),
    name: "attempt",
    startMs: attempt.startedAtMs,
    endMs: attempt.endedAtMs,
    ...(outcome === undefined || good.has(outcome) ? {} : { error: outcome }),
    attributes: {
      ...taskAttributes(job, task),
      "agentd.attempt": attempt.attempt,
      "agentd.worker": worker,
      ...(outcome === undefined ? {} : { "agentd.outcome": outcome }),
      ...usageAttributes(usage),
    },
    links:
      attempt.attempt === 1
        ? []
        : [{ traceId, spanId: attemptSpan(job, name, attempt.attempt - 1).spanId, attributes: retried }],
  };
}

/** The time from a result's arrival to its merge, or to the conflict that sent the task back. */
export function spanOfMerge(
  job: Job,
  task: Task,
  merge: { readonly attempt: number; readonly startMs: number; readonly endMs: number | undefined },
): ResourceSpan {
  const { name } = task.metadata;
  const { state, landedCommit, outcome } = task.status;
  const hasLanded = state === "Succeeded" && landedCommit !== undefined;
  return {
    ...idsOf(mergeSpan(job, name, merge.attempt), taskSpan(job, name).spanId),
    name: "merge",
    startMs: merge.startMs,
    endMs: merge.endMs,
    ...(hasLanded || merge.endMs === undefined ? {} : { error: outcome ?? state }),
    attributes: {
      ...taskAttributes(job, task),
      "agentd.attempt": merge.attempt,
      ...(hasLanded ? { "agentd.commit": landedCommit } : {}),
    },
    links: [],
  };
}

/** Everything that a task's resource tells by itself, whatever became of the spans of its worker. */
export function spansOfTask(job: Job, task: Task): readonly ResourceSpan[] {
  const { state, result, attempts, finishedAtMs } = task.status;
  const last = attempts.find((attempt) => attempt.attempt === result?.attempt);
  const startMs = last?.endedAtMs;
  const merge =
    startMs !== undefined && result !== undefined && (state === "Merging" || state === "Succeeded")
      ? [spanOfMerge(job, task, { attempt: result.attempt, startMs, endMs: finishedAtMs })]
      : [];
  return [spanOfTask(job, task), ...attempts.map((attempt) => spanOfAttempt(job, task, attempt)), ...merge];
}

function idsOf({ traceId, spanId }: SpanContext, parentSpanId: string | undefined) {
  return { traceId, spanId, kind: "internal", ...(parentSpanId === undefined ? {} : { parentSpanId }) } as const;
}

function jobAttributes(job: Job): SpanAttributes {
  const { name, namespace, uid } = job.metadata;
  return { "agentd.namespace": namespace, "agentd.job": name, "agentd.job.uid": uid };
}

function taskAttributes(job: Job, task: Task): SpanAttributes {
  return { ...jobAttributes(job), "agentd.task": task.metadata.name };
}

function usageAttributes(usage: Task["status"]["usage"]): SpanAttributes {
  if (usage.turns === 0) return {};
  return {
    "agentd.turns": usage.turns,
    "agentd.tokens.input": usage.inputTokens,
    "agentd.tokens.cached": usage.cachedTokens,
    "agentd.tokens.output": usage.outputTokens,
  };
}
