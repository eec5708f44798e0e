import { resolve } from "node:path";
import { isAgentdError } from "../../core/errors.ts";
import type { ManifestJob } from "../../core/job/manifest/manifest.ts";
import { unprovenWarning } from "../../core/job/progress/unproven.ts";
import type { Job } from "../../gen/agentd/v1/job_pb.ts";
import { seeJobsThrough } from "../follow/see-job-through.ts";
import { durationFlag } from "../global-options.ts";
import { jobView } from "../kinds/job-view.ts";
import { baseText, planText } from "../output/describe/describe-job.ts";
import { type OutputFormat, outputFlag, parseOutput } from "../output/output-format.ts";
import { printResources } from "../output/print-resources.ts";
import { ProblemsError } from "../output/problem-report.ts";
import { hasEnded, jobStatusText } from "../output/tables/job-table.ts";
import { isLocalPath } from "../repository/local-repository.ts";
import { uploadRepository } from "../repository/upload-repository.ts";
import { UsageError } from "../resource-name.ts";
import { type ExitCode, exitCodes, type Session } from "../session.ts";
import { underRootSpan } from "../trace/root-span.ts";
import type { Flag } from "../verb.ts";
import { manifestMessage } from "./manifest-message.ts";
import { type FileJob, readManifestJobs } from "./read-jobs.ts";

/** Flags of the verbs that take a file of jobs. */
export interface SubmitOptions {
  readonly filename: string;
  readonly dryRun?: boolean;
  readonly wait?: boolean;
  readonly timeout?: string;
  readonly output?: string;
}

/** {@link SubmitOptions} as flags. */
export const submitFlags: readonly Flag[] = [
  { flags: "-f, --filename <file>", text: "YAML or JSON; - is standard input", isRequired: true },
  { flags: "--dry-run", text: "check everything, change nothing" },
  { flags: "--wait", text: "watch until the jobs end; fetch their branch when the repository is local" },
  { flags: "--timeout <duration>", text: "with --wait, for example 30m (default: for ever)" },
  { ...outputFlag, text: "json, yaml, name or jsonpath=…: print the jobs themselves" },
];

/** Gives a job to the server, and says what that did: `created`, `configured`, `unchanged`. */
export type Submit = (
  request: { readonly parent: string; readonly job: Job; readonly validateOnly: boolean },
  call: { readonly signal: AbortSignal },
) => Promise<{ readonly job: Job; readonly result: string }>;

/** Submits the jobs of a file in order; with `--wait` sees them through. */
export async function submitFile(session: Session, options: SubmitOptions, submit: Submit): Promise<ExitCode> {
  const timeoutMs = durationFlag("--timeout", options.timeout);
  if (timeoutMs !== undefined && options.wait !== true) throw new UsageError("--timeout is for --wait");
  const output = parseOutput(options.output);
  const file = await readManifestJobs(session, options.filename);
  const how = { fileName: file.name, validateOnly: options.dryRun ?? false, noted: new Set<string>(), output, submit };
  const submitted: Job[] = [];
  for (const manifest of file.manifests) {
    submitted.push(
      await underRootSpan(session, "apply", async () => {
        const { job, result } = await submitOne(session, manifest, how);
        const isCreated = result === "created" && !how.validateOnly;
        const name = `namespaces/${manifest.namespace}/jobs/${job.metadata?.name ?? ""}`;
        return { value: job, created: isCreated ? name : undefined };
      }),
    );
  }
  if (output.kind !== "table" && output.kind !== "wide") {
    await printResources(session, jobView, submitted, { output, isNamed: submitted.length === 1 });
  }
  if (options.wait !== true || options.dryRun === true) return exitCodes.done;
  const jobs = submitted.map((job, at) => ({ job, directory: localDirectory(session, file.manifests[at]?.job) }));
  return await seeJobsThrough(session, jobs, timeoutMs);
}

/** The folder of a job's repository when it is on this machine. */
function localDirectory(session: Session, job: ManifestJob | undefined): string | undefined {
  const url = job?.spec.repository?.url;
  return url !== undefined && isLocalPath(url) ? resolve(session.directory, url) : undefined;
}

interface SubmitHow {
  readonly fileName: string;
  readonly validateOnly: boolean;
  /** Folders whose uncommitted changes were told already. */
  readonly noted: Set<string>;
  readonly output: OutputFormat;
  readonly submit: Submit;
}

async function submitOne(session: Session, manifest: FileJob, how: SubmitHow): ReturnType<Submit> {
  const { fileName, validateOnly } = how;
  const message = manifestMessage(manifest.job);
  const directory = localDirectory(session, manifest.job);
  if (directory !== undefined && message.spec?.repository !== undefined) {
    const { name, spec } = manifest.job;
    const branch = spec.target?.branch ?? `agentd/${name}`;
    const ref = spec.repository?.ref ?? "HEAD";
    const uploaded = await uploadRepository(session, { directory, ref, branch, noted: how.noted });
    message.spec.repository = { ...message.spec.repository, url: "", upload: uploaded.digest, ref: uploaded.ref };
  }
  const parent = `namespaces/${manifest.namespace}`;
  try {
    const { job, result } = await how.submit({ parent, job: message, validateOnly }, { signal: session.signal });
    if (how.output.kind === "table" || how.output.kind === "wide") tell(session, job, result, validateOnly);
    const warning = result === "created" ? warningOf(manifest.job) : undefined;
    if (warning !== undefined) session.terminal.err(`warning: job/${manifest.job.name}: ${warning}\n`);
    return { job, result };
  } catch (error) {
    if (!isAgentdError(error) || error.problems.length === 0) throw error;
    const problems = error.problems.map((problem) => ({ ...problem, line: manifest.document.lineOf(problem.field) }));
    throw new ProblemsError(fileName, problems);
  }
}

function warningOf({ spec }: ManifestJob): string | undefined {
  const taskChecks = spec.plan?.tasks?.map((task) => task.checks?.length ?? 0);
  const templateChecks = spec.template?.checks?.length ?? 0;
  return unprovenWarning({ allowUnverified: spec.allowUnverified, templateChecks, taskChecks });
}

function tell(session: Session, job: Job, result: string, isDryRun: boolean): void {
  const short = `job/${job.metadata?.name ?? ""}`;
  const facts = `${planText(job)}, base ${baseText(job)}, branch ${job.spec?.target?.branch ?? ""}`;
  const text = `${short} ${result}${isDryRun ? " (dry run)" : ""}${result === "created" ? ` (${facts})` : ""}`;
  session.terminal.out(`${text}\n`);
  if (result === "created" || !hasEnded(job)) return;
  session.terminal.err(
    `note: ${short} has ended (${jobStatusText(job)}); to run it anew, first: agentctl delete ${short}\n`,
  );
}
