import { isAbsolute } from "node:path";
import type { FieldProblem } from "../../../core/errors.ts";
import { AgentdError, isAgentdError } from "../../../core/errors.ts";
import type { AdmittedJob } from "../../../core/job/admission/job-admission.ts";
import { jobBounds } from "../../../core/job/admission/job-bounds.ts";
import type { PlannedItem } from "../../../core/job/job.ts";
import { planItems } from "../../../core/plan/plan-items.ts";
import { countText } from "../../../core/text/count-text.ts";
import type { Repository } from "../../../platform/git/bare-repository.ts";
import { isAncestor, resolveRef } from "../../../platform/git/bare-repository.ts";
import { gitMessage } from "../../../platform/git/git-text.ts";
import { listFiles, type TreeFile } from "../../../platform/git/objects/trees.ts";
import { fetchFromUrl, remoteBranch } from "../../../platform/git/remote.ts";
import { getObject } from "../../../platform/nats/objects/objects.ts";
import { memoryKeyOf } from "../../memory/repository-memory.ts";
import type { ApiDeps } from "../api-deps.ts";
import type { GitWork } from "../repositories/git-work.ts";
import type { SourceRepositories } from "../repositories/source-repositories.ts";
import { uploadHeadRef } from "../repositories/source-repositories.ts";
import { findUpload } from "../repositories/uploads.ts";

/** A job with everything that is fixed when it is created. */
export interface ResolvedJob {
  /** A cache that holds the base commit. */
  readonly repository: Repository;
  readonly base: { readonly commit: string; readonly ref: string; readonly summary: string };
  /** Absent for a `command` plan, which a worker runs first. */
  readonly items?: readonly PlannedItem[];
  /** See `JobStatus.memoryKey`. */
  readonly memoryKey?: string;
}

/** What resolving needs. */
export type ResolveDeps = ApiDeps & { readonly sources: SourceRepositories; readonly gitWork: GitWork };

const resolveTimeoutMsDefault = 30_000;
/** A memory is a convenience: creating a job must not wait for it. */
const rootTimeoutMs = 5_000;
const plannedItemBytesMax = 20 * 1_024;

/**
 * Resolves the ref to a commit and the plan to its items, within 30 s.
 * @throws AgentdError REF_NOT_FOUND, REPOSITORY_UNREACHABLE, BRANCH_DIVERGED, GLOB_NO_MATCH, INVALID_SPEC, each with
 *   the field that is to blame
 */
export async function resolveJob(deps: ResolveDeps, job: AdmittedJob, signal: AbortSignal): Promise<ResolvedJob> {
  const limitMs = deps.resolveTimeoutMs ?? resolveTimeoutMsDefault;
  const limit = AbortSignal.timeout(limitMs);
  try {
    const both = AbortSignal.any([signal, limit]);
    return await deps.gitWork.run(() => resolve(deps, job, both), both);
  } catch (error) {
    signal.throwIfAborted();
    if (!limit.aborted) throw withField(error);
    const message = `fetching the repository took longer than ${limitMs / 1_000} s`;
    throw withField(new AgentdError("REPOSITORY_UNREACHABLE", message, { cause: error }));
  }
}

async function resolve(deps: ResolveDeps, job: AdmittedJob, signal: AbortSignal): Promise<ResolvedJob> {
  const { spec } = job;
  const { url, upload, ref } = spec.repository;
  const source =
    upload === undefined
      ? await resolveUrl(deps, job, url ?? "", signal)
      : await resolveUpload(deps, job, upload, signal);
  const { repository, commit } = source;
  const summary = await subjectOf(repository, commit, signal);
  const base = { commit, ref, summary };
  const root = upload === undefined ? undefined : await rootCommit(repository, commit, signal);
  const key = memoryKeyOf(spec.repository, root);
  const memory = key === undefined ? {} : { memoryKey: key };
  if (spec.plan.kind === "command") return { repository, base, ...memory };
  const files = spec.plan.kind === "glob" ? await filesAt(repository, commit, signal) : [];
  const items = planItems(job.name, spec.plan, { files: files.map(({ path }) => path) });
  refuseUnnameable(files, items);
  checkItems(job, items, `${ref} (${commit.slice(0, 7)})`, files.length);
  return { repository, base, items, ...memory };
}

interface Source {
  readonly repository: Repository;
  readonly commit: string;
}

async function resolveUrl(deps: ResolveDeps, job: AdmittedJob, url: string, signal: AbortSignal): Promise<Source> {
  const { repository: source, target } = job.spec;
  if (!isAbsolute(url) && !/^[a-z][a-z0-9+.-]*:\/\//i.test(url) && !/^[^/\\]+:/.test(url)) {
    throw fieldError(
      "INVALID_SPEC",
      "spec.repository.url",
      `${JSON.stringify(url)} is a relative path, which the server cannot know; use agentctl, an absolute path or a URL`,
    );
  }
  const options = { environment: deps.fetchEnvironment };
  const repository = await deps.sources.openUrl(url, signal);
  const commit = await fetchFromUrl(repository, { url, ref: source.ref }, options, signal);
  const { branch } = target;
  const tip = target.push ? await remoteBranch(repository, { url, branch }, options, signal) : undefined;
  if (tip !== undefined && tip !== commit) {
    await fetchFromUrl(repository, { url, ref: `refs/heads/${branch}` }, options, signal);
    await requireAncestor(repository, branch, tip, commit, signal);
  }
  return { repository, commit };
}

async function resolveUpload(
  deps: ResolveDeps,
  job: AdmittedJob,
  upload: string,
  signal: AbortSignal,
): Promise<Source> {
  const { repository: source, target } = job.spec;
  const record = findUpload(deps.store, upload, deps.nowMs());
  if (record === undefined) {
    throw fieldError(
      "INVALID_SPEC",
      "spec.repository.upload",
      "there is no such upload any more; send the bundle again",
    );
  }
  const repository =
    (await deps.sources.openUpload(upload, signal)) ??
    (await deps.repositories.withFile(async (file) => {
      await getObject(deps.link, "agentd", record.object, file, {}, signal);
      return await deps.sources.addUpload(upload, file, record.size, signal);
    }));
  const commit = await resolveRef(repository, source.ref === "HEAD" ? uploadHeadRef : source.ref, signal).catch(
    (error: unknown) => {
      if (source.ref !== "HEAD" || !isAgentdError(error, "REF_NOT_FOUND")) throw error;
      const message = "the uploaded bundle has no HEAD; name one of its branches";
      throw fieldError("REF_NOT_FOUND", "spec.repository.ref", message);
    },
  );
  const tip = await resolveRef(repository, `refs/heads/${target.branch}`, signal).catch((error: unknown) => {
    if (isAgentdError(error, "REF_NOT_FOUND")) return undefined;
    throw error;
  });
  if (tip !== undefined) await requireAncestor(repository, target.branch, tip, commit, signal);
  return { repository, commit };
}

async function requireAncestor(
  repository: Repository,
  branch: string,
  tip: string,
  base: string,
  signal: AbortSignal,
): Promise<void> {
  if (await isAncestor(repository, tip, base, signal)) return;
  const message = `branch ${branch} already exists at ${tip.slice(0, 7)} and holds commits that the base ${base.slice(0, 7)} lacks; delete or merge that branch, or choose another spec.target.branch`;
  throw fieldError("BRANCH_DIVERGED", "spec.target.branch", message);
}

async function subjectOf(repository: Repository, commit: string, signal: AbortSignal): Promise<string> {
  const args = ["log", "-1", "--no-show-signature", "--format=%s", "--end-of-options", commit];
  const { stdout } = await repository.git.run(args, { stdoutBytesMax: 64 * 1_024, truncate: true }, signal);
  return gitMessage(stdout.toString("utf8"), 200);
}

/** The first of the commits without a parent; undefined where the history is too long to look for it. */
async function rootCommit(repository: Repository, commit: string, signal: AbortSignal): Promise<string | undefined> {
  const limit = AbortSignal.timeout(rootTimeoutMs);
  const args = ["rev-list", "--max-parents=0", "--end-of-options", commit];
  try {
    const { stdout } = await repository.git.run(args, {}, AbortSignal.any([signal, limit]));
    return stdout.toString("latin1").trim().split("\n").toSorted()[0];
  } catch (error) {
    signal.throwIfAborted();
    if (limit.aborted) return undefined;
    throw error;
  }
}

/** Regular files: an agent has nothing to do with a submodule or a symbolic link. */
async function filesAt(repository: Repository, commit: string, signal: AbortSignal): Promise<readonly TreeFile[]> {
  const files = await listFiles(repository, commit, signal);
  return files.filter(({ mode }) => mode === "100644" || mode === "100755");
}

/** A task on a file whose name is no text could never name it, in a prompt, in `writes` or in a check. */
function refuseUnnameable(files: readonly TreeFile[], items: readonly PlannedItem[]): void {
  const unnameable = new Set(files.filter(({ isText }) => !isText).map(({ path }) => path));
  const first = unnameable.size === 0 ? undefined : items.find(({ item }) => unnameable.has(item));
  if (first === undefined) return;
  const message = `matches ${first.item}, whose name is not UTF-8: no task can name it; leave it out with spec.plan.forEach.exclude`;
  throw fieldError("INVALID_SPEC", "spec.plan.forEach.glob", message);
}

function checkItems(job: AdmittedJob, items: readonly PlannedItem[], where: string, files: number): void {
  const { plan } = job.spec;
  if (plan.kind === "glob" && items.length === 0) {
    const without = plan.exclude.length > 0 ? " that exclude leaves" : "";
    const message = `${JSON.stringify(plan.glob)} matches no file${without} at ${where}, which has ${countText(files, "file")}`;
    throw fieldError("GLOB_NO_MATCH", "spec.plan.forEach.glob", message);
  }
  if (items.length > jobBounds.itemsMax) {
    throw fieldError(
      "LIMIT_EXCEEDED",
      "spec.plan",
      `there would be ${items.length} tasks; the bound is ${jobBounds.itemsMax}`,
    );
  }
  for (const item of items) {
    const bytes = Buffer.byteLength(JSON.stringify(item));
    if (bytes <= plannedItemBytesMax) continue;
    throw fieldError(
      "INVALID_SPEC",
      plan.kind === "tasks" ? `spec.plan.tasks[${item.index}]` : "spec.plan.forEach",
      `task ${item.name} has ${bytes} bytes; the bound is ${plannedItemBytesMax}`,
    );
  }
}

/** An error with one field problem, whose message says the same to clients that show no details. */
export function fieldError(
  reason: ConstructorParameters<typeof AgentdError>[0],
  field: string,
  message: string,
): AgentdError {
  return new AgentdError(reason, `${field}: ${message}`, { problems: [{ field, message }], metadata: { field } });
}

/** git's own errors name no field: the two that are the user's get theirs. */
function withField(error: unknown): unknown {
  if (!isAgentdError(error) || error.problems.length > 0) return error;
  const field = fieldOf[error.reason];
  if (field === undefined) return error;
  const problems: FieldProblem[] = [{ field, message: error.message }];
  return new AgentdError(error.reason, error.message, { problems, metadata: error.metadata, cause: error });
}

const fieldOf: Readonly<Record<string, string>> = {
  REF_NOT_FOUND: "spec.repository.ref",
  REPOSITORY_UNREACHABLE: "spec.repository.url",
};
