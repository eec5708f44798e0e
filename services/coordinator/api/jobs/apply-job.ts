import { AgentdError, isAgentdError } from "../../../core/errors.ts";
import type { AdmittedJob } from "../../../core/job/admission/job-admission.ts";
import type { Job, JobHead } from "../../../core/job/job.ts";
import type { Entry } from "../../../platform/nats/store/store.ts";
import { keys } from "../../../platform/nats/subjects.ts";
import { updateEntry } from "../update-entry.ts";
import type { CreateOptions } from "./create-job.ts";
import { createJob, requireSize } from "./create-job.ts";
import { withWholePlan } from "./job-items.ts";
import type { ResolveDeps } from "./resolve-job.ts";
import { fixedChanges, recordText, specDigest } from "./spec-digest.ts";

/** What applying did. */
export interface AppliedJob {
  readonly job: Entry<Job>;
  readonly head: JobHead | undefined;
  readonly result: "created" | "configured" | "unchanged";
}

/**
 * Makes the job be as described: creates it, changes its priority, parallelism, suspend, labels and annotations, or
 * finds it unchanged (also when it has ended).
 * @throws AgentdError INVALID_SPEC that names every other field that differs; as `createJob`
 */
export async function applyJob(
  deps: ResolveDeps,
  admitted: AdmittedJob,
  options: CreateOptions,
  signal: AbortSignal,
): Promise<AppliedJob> {
  const key = keys.job(admitted.namespace, admitted.name);
  for (let race = 1; ; race += 1) {
    const entry = deps.store.get<Job>(key);
    if (entry !== undefined) return await configure(deps, entry, admitted, options.validateOnly, signal);
    try {
      const created = await createJob(deps, admitted, options, signal);
      return { ...created, result: "created" };
    } catch (error) {
      // Made by somebody else meanwhile: then it is to be compared with.
      if (!isAgentdError(error, "NAME_TAKEN") || race >= 3) throw error;
    }
  }
}

async function configure(
  deps: ResolveDeps,
  found: Entry<Job>,
  admitted: AdmittedJob,
  validateOnly: boolean,
  signal: AbortSignal,
): Promise<AppliedJob> {
  const { uid, name } = found.value.metadata;
  const head = deps.store.get<JobHead>(keys.head(uid))?.value;
  const digest = specDigest(admitted.spec);
  const next = (job: Job): Job => {
    const { priority, parallelism, suspend } = admitted.spec;
    const isSpecChanged = job.status.specDigest !== digest;
    return {
      ...job,
      metadata: {
        ...job.metadata,
        labels: admitted.labels,
        annotations: admitted.annotations,
        generation: job.metadata.generation + (isSpecChanged ? 1 : 0),
      },
      spec: { ...job.spec, priority, parallelism, suspend },
      status: { ...job.status, specDigest: digest },
    };
  };
  if (isAlready(found.value, admitted, digest)) return { job: found, head, result: "unchanged" };
  if (found.value.status.specDigest !== digest) {
    const whole = await withWholePlan(deps.link, found.value, signal);
    requireMutable(name, fixedChanges(whole.spec, admitted.spec));
  }
  requireSize(next(found.value));
  if (validateOnly) return { job: { ...found, value: next(found.value) }, head, result: "configured" };
  const job = await updateEntry<Job>(
    deps.store,
    found.key,
    `job ${name}`,
    (entry) => {
      if (entry.value.metadata.uid !== uid) throw new AgentdError("CONFLICT", `job ${name} was replaced meanwhile`);
      return isAlready(entry.value, admitted, digest) ? undefined : next(entry.value);
    },
    signal,
  );
  deps.events.jobEvent(job.value, "Normal", "Configured", "priority, parallelism, suspend or labels were changed");
  return { job, head, result: "configured" };
}

function isAlready(job: Job, admitted: AdmittedJob, digest: string): boolean {
  const { labels, annotations } = job.metadata;
  return (
    job.status.specDigest === digest &&
    recordText(labels) === recordText(admitted.labels) &&
    recordText(annotations) === recordText(admitted.annotations)
  );
}

function requireMutable(name: string, fields: readonly string[]): void {
  if (fields.length === 0) return;
  const message = "cannot be changed on a job that exists; delete the job, or give this one another name";
  const text = `job ${name} exists, and ${fields.join(", ")} ${message}`;
  throw new AgentdError("INVALID_SPEC", text, {
    problems: fields.map((field) => ({ field, message })),
    metadata: { job: name, fields: fields.join(",") },
  });
}
