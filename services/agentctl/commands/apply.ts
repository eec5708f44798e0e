import { createReadStream } from "node:fs";
import { resolve } from "node:path";
import { isAgentdError } from "../../core/errors.ts";
import { type ManifestJob, parseManifest } from "../../core/manifest.ts";
import type { Job } from "../../gen/agentd/v1/job_pb.ts";
import { followJob } from "../follow-job.ts";
import { bundleRepository, isLocalPath } from "../local-repository.ts";
import { type ManifestDocument, readManifest } from "../manifest-file.ts";
import { manifestMessage } from "../manifest-message.ts";
import { planSource } from "../output/describe-job.ts";
import { jobStatusText, trueCondition } from "../output/job-table.ts";
import { type LineProblem, problemReport } from "../output/problem-report.ts";
import { shortCommit } from "../output/quantity.ts";
import { visibleLine } from "../output/visible.ts";
import { type ExitCode, exitCodes, type Session } from "../session.ts";
import { fetchBranch } from "./fetch.ts";
import { parseTimeout } from "./wait.ts";

export interface ApplyOptions {
  readonly filename: string;
  readonly dryRun?: boolean;
  readonly wait?: boolean;
  readonly timeout?: string;
}

interface Manifest {
  readonly job: ManifestJob;
  readonly document: ManifestDocument;
}

const chunkBytes = 256 * 1024;

/** `agentctl apply -f FILE`: creates, updates or leaves the file's jobs; with `--wait` sees them through. */
export async function apply(session: Session, options: ApplyOptions): Promise<ExitCode> {
  const timeoutMs = parseTimeout(options.timeout);
  const file = await readManifest(options.filename, session.stdin);
  const { manifests, problems } = readJobs(file.documents);
  const all: LineProblem[] = [...file.problems.map((problem) => ({ ...problem, field: "" })), ...problems];
  if (all.length > 0) {
    session.terminal.err(problemReport(file.name, all));
    return exitCodes.error;
  }
  const applied: { job: Job; manifest: Manifest }[] = [];
  for (const manifest of manifests) {
    const job = await applyOne(session, manifest, file.name, options.dryRun ?? false);
    if (job === undefined) return exitCodes.error;
    applied.push({ job, manifest });
  }
  if (options.wait !== true || options.dryRun === true) return exitCodes.done;
  let code: ExitCode = exitCodes.done;
  for (const { job, manifest } of applied) {
    const ended = await seeThrough(session, job, manifest, timeoutMs);
    if (ended !== exitCodes.done) code = ended;
  }
  return code;
}

function readJobs(documents: readonly ManifestDocument[]): { manifests: Manifest[]; problems: LineProblem[] } {
  const manifests: Manifest[] = [];
  const problems: LineProblem[] = [];
  for (const document of documents) {
    const parsed = parseManifest(document.value);
    problems.push(...parsed.problems.map((problem) => ({ ...problem, line: document.lineOf(problem.field) })));
    if (parsed.job !== undefined) manifests.push({ job: parsed.job, document });
  }
  return { manifests, problems };
}

/** The folder of a job's repository when it is on this machine. */
function localDirectory(session: Session, job: ManifestJob): string | undefined {
  const url = job.spec.repository?.url;
  return url !== undefined && isLocalPath(url) ? resolve(session.directory, url) : undefined;
}

function namespaceOf(session: Session, job: ManifestJob): string {
  return job.namespace === "default" ? session.namespace : job.namespace;
}

/** Applies one job; undefined when the server found problems, which are printed with their lines. */
async function applyOne(
  session: Session,
  manifest: Manifest,
  fileName: string,
  validateOnly: boolean,
): Promise<Job | undefined> {
  const message = manifestMessage(manifest.job);
  const directory = localDirectory(session, manifest.job);
  if (directory !== undefined && message.spec?.repository !== undefined) {
    const uploaded = await uploadRepository(session, directory, manifest.job);
    message.spec.repository = { ...message.spec.repository, url: "", upload: uploaded.digest, ref: uploaded.ref };
  }
  const parent = `namespaces/${namespaceOf(session, manifest.job)}`;
  try {
    const { job, result } = await session.jobs.applyJob(
      { parent, job: message, validateOnly },
      { signal: session.signal },
    );
    if (job === undefined) throw new Error("the server's answer holds no job");
    session.terminal.out(`${appliedText(job, result, validateOnly)}\n`);
    return job;
  } catch (error) {
    if (!isAgentdError(error) || error.problems.length === 0) throw error;
    const problems = error.problems.map((problem) => ({ ...problem, line: manifest.document.lineOf(problem.field) }));
    session.terminal.err(problemReport(fileName, problems));
    return undefined;
  }
}

function appliedText(job: Job, result: string, isDryRun: boolean): string {
  const name = `job/${job.metadata?.name ?? ""} ${result}${isDryRun ? " (dry run)" : ""}`;
  if (result !== "created") return name;
  const { status, spec } = job;
  const count = status?.total ? `${status.total} tasks` : "tasks";
  const base = `base ${shortCommit(status?.baseCommit ?? "")} ${visibleLine(status?.baseRef ?? "")}`;
  return `${name} (${count} from ${visibleLine(planSource(job))}, ${base}, branch ${spec?.target?.branch ?? ""})`;
}

interface Uploaded {
  readonly digest: string;
  readonly ref: string;
}

/** Sends the repository once: a bundle that the server already has is not sent again. */
async function uploadRepository(session: Session, directory: string, job: ManifestJob): Promise<Uploaded> {
  const ref = job.spec.repository?.ref ?? "HEAD";
  const branch = job.spec.target?.branch ?? `agentd/${job.name}`;
  const bundle = await bundleRepository(directory, ref, branch, session.signal);
  try {
    if (bundle.uncommitted > 0) {
      session.terminal.err(`note: ${bundle.uncommitted} files with uncommitted changes are used as last committed\n`);
    }
    const call = { signal: session.signal };
    const { exists } = await session.repositories.hasUpload({ digest: bundle.digest }, call);
    if (!exists) await session.repositories.uploadBundle(chunksOf(bundle.file, bundle.digest), call);
    return { digest: bundle.digest, ref: bundle.ref };
  } finally {
    await bundle.remove();
  }
}

async function* chunksOf(file: string, digest: string): AsyncGenerator<{ digest?: string; chunk: Uint8Array }> {
  let isFirst = true;
  for await (const chunk of createReadStream(file, { highWaterMark: chunkBytes })) {
    yield { ...(isFirst ? { digest } : {}), chunk: chunk as Buffer };
    isFirst = false;
  }
}

async function seeThrough(
  session: Session,
  applied: Job,
  manifest: Manifest,
  timeoutMs: number | undefined,
): Promise<ExitCode> {
  const short = applied.metadata?.name ?? "";
  const name = `namespaces/${applied.metadata?.namespace ?? ""}/jobs/${short}`;
  const result = await followJob(session, name, {
    condition: "Complete",
    showsProgress: true,
    ...(timeoutMs === undefined ? {} : { timeoutMs }),
  });
  if (result === "TimedOut") {
    session.terminal.err(`error: job/${short} is not Complete in time; it goes on: agentctl wait job/${short}\n`);
    return exitCodes.waitTimedOut;
  }
  session.terminal.out(`job/${short} ${jobStatusText(result.job)}: ${endText(result.job)}\n`);
  const directory = localDirectory(session, manifest.job);
  if (directory !== undefined && (result.job.status?.counts?.succeeded ?? 0) > 0) {
    await fetchBranch(session, name, directory);
  }
  return result.isReached ? exitCodes.done : exitCodes.jobFailed;
}

function endText(job: Job): string {
  const counts = job.status?.counts;
  const failure = trueCondition(job, "Failed")?.message ?? "";
  const text = `${counts?.succeeded ?? 0} of ${job.status?.total ?? 0} tasks succeeded`;
  return failure === "" ? text : `${text}; ${visibleLine(failure)}`;
}
