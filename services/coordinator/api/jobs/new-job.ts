import type { AdmittedJob } from "../../../core/job/admission/job-admission.ts";
import type { Job, JobHead } from "../../../core/job/job.ts";
import { noCounts } from "../../../core/job/progress/job-progress.ts";
import { noUsage } from "../../../core/resource.ts";
import { newTraceId, parseTraceparent } from "../../../platform/telemetry/spans/trace-context.ts";
import type { ResolvedJob } from "./resolve-job.ts";
import { specDigest } from "./spec-digest.ts";

/** What only the moment of creation knows. */
export interface Birth {
  readonly uid: string;
  readonly nowMs: number;
  /** Of the span in which it is created; an invalid one is ignored. */
  readonly traceparent: string | undefined;
}

/** The job as it is before its objects are stored: its bundle has no name yet, its plan is whole. */
export function newJob(admitted: AdmittedJob, resolved: ResolvedJob, birth: Birth): Job {
  const { uid, nowMs, traceparent } = birth;
  const { name, namespace, labels, annotations, spec } = admitted;
  const condition = { status: "Unknown", message: "", observedGeneration: 1, lastTransitionAtMs: nowMs } as const;
  return {
    kind: "Job",
    metadata: { name, namespace, uid, labels, annotations, generation: 1, createdAtMs: nowMs },
    spec,
    status: {
      observedGeneration: 0,
      conditions: [
        { ...condition, type: "Planned", reason: "Planning" },
        { ...condition, type: "Published", reason: "NothingLanded" },
      ],
      base: resolved.base,
      baseBundle: "",
      ...(resolved.items === undefined ? {} : { total: resolved.items.length }),
      counts: noCounts,
      usage: noUsage,
      reopened: 0,
      ...traceOf(traceparent),
      ...(resolved.memoryKey === undefined ? {} : { memoryKey: resolved.memoryKey }),
      specDigest: specDigest(spec),
    },
  };
}

/** The head of a new job: at its base, nothing landed. */
export function newHead(job: Job): JobHead {
  const { uid, namespace, name } = job.metadata;
  const { commit } = job.status.base;
  const { branch } = job.spec.target;
  return {
    kind: "Head",
    uid,
    namespace,
    job: name,
    branch,
    base: commit,
    commit,
    bundles: [],
    closed: false,
    landed: 0,
  };
}

/** The caller's trace goes on in the job. */
function traceOf(traceparent: string | undefined): Pick<Job["status"], "traceId" | "parentSpanId" | "isUntraced"> {
  const caller = parseTraceparent(traceparent);
  if (caller === undefined) return { traceId: newTraceId() };
  const { traceId, spanId, isSampled } = caller;
  return { traceId, parentSpanId: spanId, ...(isSampled ? {} : { isUntraced: true }) };
}
