import { randomBytes } from "node:crypto";
import type { Job, JobHead } from "../../core/job.ts";
import type { AdmittedJob } from "../../core/job-admission.ts";
import { noCounts } from "../../core/job-progress.ts";
import { noUsage } from "../../core/resource.ts";
import type { ResolvedJob } from "./resolve-job.ts";
import { specDigest } from "./spec-digest.ts";

/** What only the moment of creation knows. */
export interface Birth {
  readonly uid: string;
  readonly nowMs: number;
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
      traceId: traceIdOf(traceparent),
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

/** The caller's trace goes on in the job; 32 hex digits, not all zero. */
function traceIdOf(traceparent: string | undefined): string {
  const found = /^[0-9a-f]{2}-([0-9a-f]{32})-/.exec(traceparent ?? "")?.[1];
  return found === undefined || /^0+$/.test(found) ? randomBytes(16).toString("hex") : found;
}
