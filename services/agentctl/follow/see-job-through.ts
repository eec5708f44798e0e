import { countText } from "../../core/text/count-text.ts";
import type { Job } from "../../gen/agentd/v1/job_pb.ts";
import { fetchBranch } from "../commands/jobs/fetch.ts";
import { shortCommit } from "../output/quantity.ts";
import { jobStatusText, trueCondition } from "../output/tables/job-table.ts";
import { firstLine, visibleLine } from "../output/visible.ts";
import { type ExitCode, exitCodes, type Session } from "../session.ts";
import { followJob, willBePublished } from "./follow-job.ts";

/** How long a wait looks for the push of a branch, which takes a moment and a second chance or two. */
const publishWaitMs = 15_000;

/** A job to be seen through. */
interface AppliedJob {
  readonly job: Job;
  /** Its repository, when that is on this machine. */
  readonly directory: string | undefined;
}

/** Sees jobs to their ends one after the other, and gives the worst exit code. `timeoutMs` is for all of them together. */
export async function seeJobsThrough(
  session: Session,
  jobs: readonly AppliedJob[],
  timeoutMs: number | undefined,
): Promise<ExitCode> {
  const endMs = timeoutMs === undefined ? undefined : session.now() + timeoutMs;
  let code: ExitCode = exitCodes.done;
  for (const each of jobs) {
    const ended = await seeThrough(session, each, {
      ...(jobs.length > 1 ? { label: `job/${each.job.metadata?.name ?? ""}` } : {}),
      ...(endMs === undefined ? {} : { timeoutMs: Math.max(0, endMs - session.now()) }),
    });
    if (ended !== exitCodes.done) code = ended;
  }
  return code;
}

async function seeThrough(
  session: Session,
  { job: applied, directory }: AppliedJob,
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

function endText(job: Job): string {
  const counts = job.status?.counts;
  const failure = firstLine(trueCondition(job, "Failed")?.message ?? "");
  const text = `${counts?.succeeded ?? 0} of ${countText(job.status?.total ?? 0, "task")} succeeded`;
  if ((job.status?.total ?? 0) === 0 && failure !== "") return visibleLine(failure);
  return failure === "" ? text : `${text}; ${visibleLine(failure)}`;
}
