import type { FieldMask } from "@bufbuild/protobuf/wkt";
import { AgentdError, isAgentdError } from "../../../core/errors.ts";
import {
  changeableFields,
  changedSpec,
  type JobChange,
  jobChangeProblems,
} from "../../../core/job/admission/job-change.ts";
import type { Job } from "../../../core/job/job.ts";
import { parseJobName } from "../../../core/resource-name.ts";
import type { Job as JobMessage } from "../../../gen/agentd/v1/job_pb.ts";
import type { Entry } from "../../../platform/nats/store/store.ts";
import { findJob } from "../find-resource.ts";
import { updateEntry } from "../update-entry.ts";
import { requireSize } from "./create-job.ts";
import { withWholePlan } from "./job-items.ts";
import type { ResolveDeps } from "./resolve-job.ts";
import { recordText, specDigest } from "./spec-digest.ts";

/** What a client asks to be changed. */
export interface UpdateRequest {
  readonly job?: JobMessage | undefined;
  readonly updateMask?: FieldMask | undefined;
  readonly validateOnly: boolean;
}

/**
 * Changes priority, parallelism, suspend, labels or annotations of a job that exists: only what the mask names. With
 * `metadata.resource_version`, only the job as it was at that version.
 * @throws AgentdError INVALID_SPEC, NOT_FOUND, CONFLICT with the current version in its metadata
 */
export async function updateJob(deps: ResolveDeps, request: UpdateRequest, signal: AbortSignal): Promise<Entry<Job>> {
  const { namespace = "", name = "", resourceVersion: expected = "" } = request.job?.metadata ?? {};
  const full = parseJobName("job.metadata", `namespaces/${namespace === "" ? "default" : namespace}/jobs/${name}`);
  const change = changeOf(request);
  const found = findJob(deps.store, full);
  const { plan } = (await withWholePlan(deps.link, found.value, signal)).spec;
  const next = (entry: Entry<Job>): Job | undefined => {
    if (entry.value.metadata.uid !== found.value.metadata.uid) throw moved(entry);
    if (expected !== "" && String(entry.revision) !== expected) throw moved(entry);
    return changed(entry.value, change, plan);
  };
  if (request.validateOnly) return { ...found, value: next(found) ?? found.value };
  try {
    const job = await updateEntry<Job>(deps.store, found.key, `job ${name}`, next, signal);
    const what = Object.keys(change).join(", ");
    if (job.revision !== found.revision) deps.events.jobEvent(job.value, "Normal", "Updated", `${what} by a user`);
    return job;
  } catch (error) {
    if (!isAgentdError(error, "CONFLICT") || error.metadata["resource_version"] !== undefined) throw error;
    throw moved(findJob(deps.store, full));
  }
}

/** @throws AgentdError INVALID_SPEC for a mask that names nothing, or what cannot be changed, and for bad values */
function changeOf({ job, updateMask }: UpdateRequest): JobChange {
  const paths = updateMask?.paths ?? [];
  const fields = new Map<string, keyof JobChange>(Object.entries(changeableFields));
  const known = [...fields.keys()].join(", ");
  if (paths.length === 0) throw invalid([{ field: "update_mask", message: `is empty; name what to change: ${known}` }]);
  const unknown = paths.filter((path) => !fields.has(path)).slice(0, 20);
  if (unknown.length > 0) {
    const message = `cannot be changed on a job that exists; what can is ${known}`;
    throw invalid(unknown.map((path) => ({ field: path.slice(0, 200), message })));
  }
  const { metadata, spec } = job ?? {};
  const all: Required<JobChange> = {
    labels: { ...metadata?.labels },
    annotations: { ...metadata?.annotations },
    priority: spec?.priority ?? 0,
    parallelism: spec?.parallelism ?? 0,
    suspend: spec?.suspend ?? false,
  };
  const wanted = new Set(paths.map((path) => fields.get(path)));
  const change: JobChange = Object.fromEntries(
    Object.entries(all).filter(([key]) => wanted.has(key as keyof JobChange)),
  );
  const problems = jobChangeProblems(change);
  if (problems.length > 0) throw invalid(problems);
  return change;
}

function changed(job: Job, change: JobChange, plan: Job["spec"]["plan"]): Job | undefined {
  const spec = changedSpec(job.spec, change);
  const labels = change.labels ?? job.metadata.labels;
  const annotations = change.annotations ?? job.metadata.annotations;
  const digest = specDigest({ ...spec, plan });
  const isSpecChanged = digest !== job.status.specDigest;
  const isNoteChanged =
    recordText(labels) !== recordText(job.metadata.labels) ||
    recordText(annotations) !== recordText(job.metadata.annotations);
  if (!isSpecChanged && !isNoteChanged) return undefined;
  const generation = job.metadata.generation + (isSpecChanged ? 1 : 0);
  const next: Job = {
    ...job,
    metadata: { ...job.metadata, labels, annotations, generation },
    spec,
    status: { ...job.status, specDigest: digest },
  };
  requireSize(next);
  return next;
}

function moved(entry: Entry<Job>): AgentdError {
  const { name } = entry.value.metadata;
  const version = String(entry.revision);
  const text = `job ${name} has changed: its version is ${version} now; read it again and repeat the change`;
  return new AgentdError("CONFLICT", text, { metadata: { job: name, resource_version: version } });
}

function invalid(problems: readonly { readonly field: string; readonly message: string }[]): AgentdError {
  const text = problems.map(({ field, message }) => `${field} ${message}`).join("; ");
  return new AgentdError("INVALID_SPEC", text, { problems });
}
