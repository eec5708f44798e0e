import { createReadStream } from "node:fs";
import { resolve } from "node:path";
import { isAgentdError } from "../../core/errors.ts";
import { type ManifestJob, parseManifest } from "../../core/manifest.ts";
import { unprovenWarning } from "../../core/unproven.ts";
import type { Job } from "../../gen/agentd/v1/job_pb.ts";
import { followJob, willBePublished } from "../follow-job.ts";
import { bundleRepository, isLocalPath } from "../local-repository.ts";
import { type ManifestDocument, readManifest } from "../manifest-file.ts";
import { manifestMessage } from "../manifest-message.ts";
import { baseText, planText } from "../output/describe-job.ts";
import { hasEnded, jobStatusText, trueCondition } from "../output/job-table.ts";
import { type LineProblem, problemReport } from "../output/problem-report.ts";
import { shortCommit } from "../output/quantity.ts";
import { firstLine, visibleLine } from "../output/visible.ts";
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
/** How long `--wait` looks for the push of a branch, which takes a moment and a second chance or two. */
const publishWaitMs = 15_000;

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
  const noted = new Set<string>();
  const how = { fileName: file.name, validateOnly: options.dryRun ?? false, noted };
  for (const manifest of manifests) {
    const job = await applyOne(session, manifest, how);
    if (job === undefined) return exitCodes.error;
    applied.push({ job, manifest });
  }
  if (options.wait !== true || options.dryRun === true) return exitCodes.done;
  let code: ExitCode = exitCodes.done;
  for (const { job, manifest } of applied) {
    const label = applied.length > 1 ? `job/${job.metadata?.name ?? ""}` : undefined;
    const ended = await seeThrough(session, job, manifest, {
      ...(label === undefined ? {} : { label }),
      ...(timeoutMs === undefined ? {} : { timeoutMs }),
    });
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

interface ApplyHow {
  readonly fileName: string;
  readonly validateOnly: boolean;
  /** Folders whose uncommitted changes were told already. */
  readonly noted: Set<string>;
}

/** Applies one job; undefined when the server found problems, which are printed with their lines. */
async function applyOne(session: Session, manifest: Manifest, how: ApplyHow): Promise<Job | undefined> {
  const { fileName, validateOnly } = how;
  const message = manifestMessage(manifest.job);
  const directory = localDirectory(session, manifest.job);
  if (directory !== undefined && message.spec?.repository !== undefined) {
    const uploaded = await uploadRepository(session, directory, manifest.job, how.noted);
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
    const warning = result === "created" ? warningOf(manifest.job) : undefined;
    if (warning !== undefined) session.terminal.err(`warning: job/${manifest.job.name}: ${warning}\n`);
    if (result !== "created" && hasEnded(job)) {
      const short = `job/${job.metadata?.name ?? ""}`;
      session.terminal.err(
        `note: ${short} has ended (${jobStatusText(job)}); to run it anew, first: agentctl delete ${short}\n`,
      );
    }
    return job;
  } catch (error) {
    if (!isAgentdError(error) || error.problems.length === 0) throw error;
    const problems = error.problems.map((problem) => ({ ...problem, line: manifest.document.lineOf(problem.field) }));
    session.terminal.err(problemReport(fileName, problems));
    return undefined;
  }
}

function appliedText(job: Job, result: string, isDryRun: boolean): string {
  const short = `job/${job.metadata?.name ?? ""}`;
  const name = `${short} ${result}${isDryRun ? " (dry run)" : ""}`;
  if (result === "created")
    return `${name} (${planText(job)}, base ${baseText(job)}, branch ${job.spec?.target?.branch ?? ""})`;
  return name;
}

interface Uploaded {
  readonly digest: string;
  readonly ref: string;
}

/** Sends the repository once: a bundle that the server already has is not sent again. */
async function uploadRepository(
  session: Session,
  directory: string,
  job: ManifestJob,
  noted: Set<string>,
): Promise<Uploaded> {
  const ref = job.spec.repository?.ref ?? "HEAD";
  const branch = job.spec.target?.branch ?? `agentd/${job.name}`;
  const bundle = await bundleRepository(directory, ref, branch, session.signal);
  try {
    if (bundle.uncommitted > 0 && !noted.has(directory)) {
      const files = bundle.uncommitted === 1 ? "1 file" : `${bundle.uncommitted} files`;
      session.terminal.err(`note: ${files} with uncommitted changes: agents get what was committed last\n`);
      noted.add(directory);
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
  options: { readonly label?: string; readonly timeoutMs?: number },
): Promise<ExitCode> {
  const short = applied.metadata?.name ?? "";
  const name = `namespaces/${applied.metadata?.namespace ?? ""}/jobs/${short}`;
  const result = await followJob(session, name, {
    condition: "Complete",
    showsProgress: true,
    ...options,
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
  if (directory === undefined && (result.job.status?.counts?.succeeded ?? 0) > 0)
    await tellPush(session, result.job, name);
  return result.isReached ? exitCodes.done : exitCodes.jobFailed;
}

/** Says where the branch of a job from a URL is: without a push, nobody who pulls has it. */
async function tellPush(session: Session, job: Job, name: string): Promise<void> {
  const branch = job.spec?.target?.branch ?? "";
  const short = `job/${job.metadata?.name ?? ""}`;
  if (job.spec?.target?.push !== true) {
    session.terminal.out(
      `branch ${branch} is not pushed (target.push is false); take it with: agentctl fetch ${short}\n`,
    );
    return;
  }
  const result = await followJob(session, name, {
    condition: "Published",
    timeoutMs: publishWaitMs,
    showsProgress: false,
  });
  if (result !== "TimedOut" && result.isReached) {
    session.terminal.out(`branch ${branch} pushed at ${shortCommit(result.job.status?.headCommit ?? "")}\n`);
    return;
  }
  const last = result === "TimedOut" ? await session.jobs.getJob({ name }, { signal: session.signal }) : result.job;
  const reason = last.status?.conditions.find(({ type }) => type === "Published")?.message || "no answer yet";
  const next = willBePublished(last) ? `agentctl wait ${short} --for=condition=Published` : `agentctl fetch ${short}`;
  session.terminal.err(`warning: branch ${branch} is not pushed: ${visibleLine(reason)}; next: ${next}\n`);
}

function warningOf({ spec }: ManifestJob): string | undefined {
  const taskChecks = spec.plan?.tasks?.map((task) => task.checks?.length ?? 0);
  const templateChecks = spec.template?.checks?.length ?? 0;
  return unprovenWarning({ allowUnverified: spec.allowUnverified, templateChecks, taskChecks });
}

function endText(job: Job): string {
  const counts = job.status?.counts;
  const failure = firstLine(trueCondition(job, "Failed")?.message ?? "");
  const text = `${counts?.succeeded ?? 0} of ${job.status?.total ?? 0} tasks succeeded`;
  if ((job.status?.total ?? 0) === 0 && failure !== "") return visibleLine(failure);
  return failure === "" ? text : `${text}; ${visibleLine(failure)}`;
}
