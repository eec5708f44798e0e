import type { Job } from "../../core/job/job.ts";
import { derivedSpanId, type SpanContext } from "../../platform/telemetry/spans/trace-context.ts";

type JobOf = {
  readonly metadata: Pick<Job["metadata"], "uid">;
  readonly status: Pick<Job["status"], "traceId" | "isUntraced">;
};

/** The span of a job: below the call that created it, above its plan, tasks, merges and pushes. */
export function jobSpan(job: JobOf): SpanContext {
  return contextOf(job, derivedSpanId({ uid: job.metadata.uid }));
}

/** The span of a task, from its creation to its end. */
export function taskSpan(job: JobOf, task: string): SpanContext {
  return contextOf(job, derivedSpanId({ uid: job.metadata.uid, task }));
}

/** The span of an attempt, from the claim to the outcome; the worker's spans hang below it. */
export function attemptSpan(job: JobOf, task: string, attempt: number): SpanContext {
  return contextOf(job, derivedSpanId({ uid: job.metadata.uid, task, attempt }));
}

/** The span of the time in which the result of an attempt waited for its merge and was merged. */
export function mergeSpan(job: JobOf, task: string, attempt: number): SpanContext {
  return contextOf(job, derivedSpanId({ uid: job.metadata.uid, task, attempt }, "merge"));
}

function contextOf(job: JobOf, spanId: string): SpanContext {
  return { traceId: job.status.traceId, spanId, isSampled: job.status.isUntraced !== true };
}
