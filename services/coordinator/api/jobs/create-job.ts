import { createHash } from "node:crypto";
import { stat } from "node:fs/promises";
import { AgentdError, isAgentdError } from "../../../core/errors.ts";
import type { AdmittedJob } from "../../../core/job/admission/job-admission.ts";
import type { Job, JobHead, JobSpec, PlannedItem, RepositorySource } from "../../../core/job/job.ts";
import { unprovenWarning } from "../../../core/job/progress/unproven.ts";
import { emptyPlan } from "../../../core/plan/plan-items.ts";
import { countText } from "../../../core/text/count-text.ts";
import { createBundle } from "../../../platform/git/bundles/bundle.ts";
import { putObject } from "../../../platform/nats/objects/objects.ts";
import type { Entry, Write } from "../../../platform/nats/store/store.ts";
import { keys } from "../../../platform/nats/subjects.ts";
import { requireStorage } from "../../storage-check.ts";
import { newHead, newJob } from "./new-job.ts";
import type { ResolveDeps, ResolvedJob } from "./resolve-job.ts";
import { fieldError, resolveJob } from "./resolve-job.ts";
import { recordText, specDigest } from "./spec-digest.ts";

/** A job and its head as they were written, or would be (revision 0, validate_only). */
export interface CreatedJob {
  /** With its whole plan. */
  readonly job: Entry<Job>;
  readonly head: JobHead;
}

/** What the caller asks for besides the job. */
export interface CreateOptions {
  readonly requestId: string;
  readonly validateOnly: boolean;
  readonly traceparent: string | undefined;
}

/** Remembers which job a request id made. */
export interface RequestRecord {
  readonly kind: "Request";
  readonly bodyDigest: string;
  readonly commit: string;
  readonly job: string;
  readonly uid: string;
  readonly createdAtMs: number;
}

/** Reserves a target branch for as long as the job exists. */
export interface BranchReservation {
  readonly kind: "Branch";
  readonly namespace: string;
  readonly job: string;
  readonly uid: string;
  readonly branch: string;
}

/** Plans whose JSON is longer live only in the items object. */
const inlinePlanBytesMax = 4_096;
/** The rest of a resource's 32 KiB is for the status: six conditions with their messages are the most of it. */
const jobBytesMax = 23 * 1_024;
const itemsBytesMax = 64 * 1_024 * 1_024;

/**
 * Accepts a job: resolves it, stores its base bundle and items, then writes request id, branch reservation, Job and
 * head in one batch, each expected absent. The same request id gives the same job.
 * @throws AgentdError NAME_TAKEN, BRANCH_RESERVED, REQUEST_ID_REUSED, LIMIT_EXCEEDED, and as `resolveJob`
 */
export async function createJob(
  deps: ResolveDeps,
  admitted: AdmittedJob,
  options: CreateOptions,
  signal: AbortSignal,
): Promise<CreatedJob> {
  const request = requestOf(admitted, options.requestId);
  const repeated = await findRepeated(deps, admitted, request, signal);
  if (repeated !== undefined) return repeated;
  requireFree(deps, admitted);
  const resolved = await resolveJob(deps, admitted, signal);
  const { traceparent } = options;
  const draft = newJob(admitted, resolved, { uid: deps.newUid(), nowMs: deps.nowMs(), traceparent });
  if (options.validateOnly) {
    await requireStorage(deps, { tasks: resolved.items?.length ?? 0, objectBytes: 0 }, signal);
    return { job: entryOf(draft, 0), head: newHead(draft) };
  }
  const { job, head } = await storeObjects(deps, draft, resolved, signal);
  const writes = writesOf(job, head, request, deps.nowMs());
  try {
    const revision = await deps.store.commit(writes, signal);
    deps.events.jobEvent(job, "Normal", "Created", createdText(job));
    const warning = warningOf(admitted.spec);
    if (warning !== undefined) deps.events.jobEvent(job, "Warning", "NoChecks", warning);
    return { job: { ...entryOf(job, revision), value: { ...job, spec: admitted.spec } }, head };
  } catch (error) {
    if (!isAgentdError(error, "CONFLICT")) throw error;
    // Lost against another creation: say which.
    const winner = await findRepeated(deps, admitted, request, signal);
    if (winner !== undefined) return winner;
    requireFree(deps, admitted);
    throw error;
  }
}

function warningOf({ allowUnverified, template, plan }: JobSpec): string | undefined {
  const taskChecks = plan.kind === "tasks" ? plan.tasks.map((task) => task.checks?.length ?? 0) : undefined;
  return unprovenWarning({ allowUnverified, templateChecks: template.checks.length, taskChecks });
}

interface Request {
  readonly key: string;
  readonly bodyDigest: string;
}

function requestOf(admitted: AdmittedJob, requestId: string): Request | undefined {
  if (requestId === "") return undefined;
  if (requestId.length > 128) throw fieldError("INVALID_SPEC", "request_id", "has more than 128 characters");
  const { namespace, name, labels, annotations, spec } = admitted;
  const body = JSON.stringify([namespace, name, recordText(labels), recordText(annotations), specDigest(spec)]);
  return { key: keys.request(namespace, sha256(requestId)), bodyDigest: sha256(body) };
}

/** The job that this request id made before. @throws AgentdError REQUEST_ID_REUSED, NOT_FOUND when it was deleted */
async function findRepeated(
  deps: ResolveDeps,
  admitted: AdmittedJob,
  request: Request | undefined,
  signal: AbortSignal,
): Promise<CreatedJob | undefined> {
  if (request === undefined) return undefined;
  const stored = await deps.store.read<RequestRecord>(request.key, signal);
  if (stored === undefined) return undefined;
  // Another replica may have written it a moment ago: its job is in the same batch, and must be seen before it is missed.
  await deps.store.caughtUp(stored.revision, signal);
  const record = stored.value;
  const { namespace } = admitted;
  const entry = deps.store.get<Job>(keys.job(namespace, record.job));
  const isSameBody =
    record.bodyDigest === request.bodyDigest && (await isSameUpload(deps, admitted, record, entry, signal));
  if (!isSameBody) {
    throw new AgentdError("REQUEST_ID_REUSED", `this request id made job ${record.job} from another request`, {
      metadata: { job: record.job },
    });
  }
  const head = deps.store.get<JobHead>(keys.head(record.uid));
  if (entry?.value.metadata.uid !== record.uid || head === undefined) {
    throw new AgentdError("NOT_FOUND", `job ${record.job} of this request was deleted`);
  }
  return {
    job: { ...entry, value: { ...entry.value, spec: { ...entry.value.spec, plan: admitted.spec.plan } } },
    head: head.value,
  };
}

/** The same request may come with a bundle that was packed anew: what counts is the commit in it. */
async function isSameUpload(
  deps: ResolveDeps,
  admitted: AdmittedJob,
  record: RequestRecord,
  entry: Entry<Job> | undefined,
  signal: AbortSignal,
): Promise<boolean> {
  const { upload } = admitted.spec.repository;
  if (upload === undefined || upload === entry?.value.spec.repository.upload) return true;
  return (await resolveJob(deps, admitted, signal)).base.commit === record.commit;
}

/** @throws AgentdError NAME_TAKEN, BRANCH_RESERVED */
function requireFree(deps: ResolveDeps, admitted: AdmittedJob): void {
  const { namespace, name, spec } = admitted;
  if (deps.store.get(keys.job(namespace, name)) !== undefined) {
    throw new AgentdError("NAME_TAKEN", `there is already a job ${name} in namespace ${namespace}`, {
      metadata: { job: name, namespace },
      problems: [{ field: "metadata.name", message: `there is already a job ${JSON.stringify(name)}` }],
    });
  }
  const { branch } = spec.target;
  const holder = deps.store.get<BranchReservation>(branchKey(namespace, spec.repository, branch))?.value;
  if (holder === undefined) return;
  const message = `branch ${branch} is held by job ${holder.job} in namespace ${holder.namespace} until that job is deleted`;
  throw new AgentdError("BRANCH_RESERVED", message, {
    metadata: { branch, job: holder.job, namespace: holder.namespace },
    problems: [{ field: "spec.target.branch", message }],
  });
}

/** Key of a branch's reservation: of a url for everybody, of uploads (which have no common name) in a namespace. */
export function branchKey(namespace: string, repository: RepositorySource, branch: string): string {
  const where =
    repository.url === undefined
      ? `upload ${namespace}`
      : `url ${repository.url.replace(/\/+$/, "").replace(/\.git$/, "")}`;
  return keys.branch(sha256(`${where}\n${branch}`));
}

/** Puts the base bundle and the items, so that the job refers only to what was read back. */
async function storeObjects(
  deps: ResolveDeps,
  draft: Job,
  resolved: ResolvedJob,
  signal: AbortSignal,
): Promise<{ readonly job: Job; readonly head: JobHead }> {
  const { repository, base, items } = resolved;
  const itemsBytes = items === undefined ? undefined : encodeItems(items);
  const spec = { ...draft.spec, plan: storedPlan(draft) };
  requireSize({ ...draft, spec });
  const baseBundle = await deps.repositories.withFile(async (file) => {
    await createBundle(repository, { refs: { "refs/agentd/base": base.commit } }, file, signal);
    const { size } = await stat(file);
    const need = { tasks: items?.length ?? 0, objectBytes: size + (itemsBytes?.byteLength ?? 0) };
    await requireStorage(deps, need, signal);
    return (await putObject(deps.link, "agentd", { file }, signal)).name;
  });
  const itemsObject =
    itemsBytes === undefined ? undefined : (await putObject(deps.link, "agentd", itemsBytes, signal)).name;
  const status = { ...draft.status, baseBundle, ...(itemsObject === undefined ? {} : { itemsObject }) };
  return { job: { ...draft, spec, status }, head: newHead(draft) };
}

/** @throws AgentdError INVALID_SPEC for a job that would leave too little of its 32 KiB to its status */
export function requireSize(job: Job): void {
  const bytes = Buffer.byteLength(JSON.stringify({ ...job, status: {} }));
  if (bytes <= jobBytesMax) return;
  const advice = "Shorten the prompt, the lists of checks and writes, or the annotations";
  throw fieldError("INVALID_SPEC", "spec", `is ${bytes} bytes; the bound is ${jobBytesMax}. ${advice}`);
}

function storedPlan(job: Job): Job["spec"]["plan"] {
  const { plan } = job.spec;
  return Buffer.byteLength(JSON.stringify(plan)) > inlinePlanBytesMax ? emptyPlan(plan) : plan;
}

function encodeItems(items: readonly PlannedItem[]): Uint8Array {
  const bytes = Buffer.from(JSON.stringify(items));
  if (bytes.byteLength <= itemsBytesMax) return bytes;
  throw fieldError(
    "LIMIT_EXCEEDED",
    "spec.plan",
    `its items have ${bytes.byteLength} bytes; the bound is ${itemsBytesMax}`,
  );
}

function writesOf(job: Job, head: JobHead, request: Request | undefined, nowMs: number): readonly Write[] {
  const { uid, namespace, name } = job.metadata;
  const reservation: BranchReservation = { kind: "Branch", namespace, job: name, uid, branch: head.branch };
  const record: RequestRecord = {
    kind: "Request",
    bodyDigest: request?.bodyDigest ?? "",
    commit: head.base,
    job: name,
    uid,
    createdAtMs: nowMs,
  };
  return [
    ...(request === undefined ? [] : [{ key: request.key, value: record, expected: 0 }]),
    { key: branchKey(namespace, job.spec.repository, head.branch), value: reservation, expected: 0 },
    { key: keys.head(uid), value: head, expected: 0 },
    // Last, so that the batch's revision is the job's.
    { key: keys.job(namespace, name), value: job, expected: 0 },
  ];
}

function createdText(job: Job): string {
  const { total, base } = job.status;
  const tasks = total === undefined ? "tasks from a command" : countText(total, "task");
  return `${tasks}, base ${base.commit.slice(0, 7)} ${base.ref}, branch ${job.spec.target.branch}`;
}

function entryOf(job: Job, revision: number): Entry<Job> {
  const { namespace, name, createdAtMs } = job.metadata;
  return { key: keys.job(namespace, name), value: job, revision, timeMs: createdAtMs };
}

function sha256(text: string): string {
  return createHash("sha256").update(text).digest("hex");
}
