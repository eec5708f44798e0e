import { parseDuration } from "../../core/duration.ts";
import type { Job } from "../../gen/agentd/v1/job_pb.ts";
import { followJob } from "../follow-job.ts";
import { jobStatusText } from "../output/job-table.ts";
import { visibleLine } from "../output/visible.ts";
import { fullName, parseReferences, UsageError } from "../resource-name.ts";
import { type ExitCode, exitCodes, type Session } from "../session.ts";

export interface WaitOptions {
  readonly for?: string;
  readonly timeout?: string;
}

const conditions = ["Planned", "Complete", "Failed", "Suspended", "Cancelled", "Published"];

/** The condition in `condition=NAME`, in the API's spelling. */
function parseCondition(text: string): string {
  const [kind, name = "", ...more] = text.split("=");
  const found = conditions.find((known) => known.toLowerCase() === name.toLowerCase());
  if (kind !== "condition" || found === undefined || more.length > 0) {
    throw new UsageError(`--for ${text} is not known; use condition=NAME with one of ${conditions.join(", ")}`);
  }
  return found;
}

/** Milliseconds of `--timeout`; absent means for ever. @throws UsageError when it is no duration. */
export function parseTimeout(text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  const ms = parseDuration(text);
  if (ms === undefined) throw new UsageError(`--timeout ${text} is not a duration; write 90s or 15m`);
  return ms;
}

/** Why a job that has ended is not Published, and what publishes it. */
function unpublishedText(job: Job, condition: string): string {
  if (condition !== "Published") return "";
  const message = job.status?.conditions.find(
    ({ type, status }) => type === "Published" && status === "False",
  )?.message;
  const why = message === undefined ? "nothing pushes its branch" : visibleLine(message);
  return `, not Published: ${why}; take the branch with: agentctl fetch job/${job.metadata?.name ?? ""}`;
}

/** `agentctl wait JOB… --for=condition=NAME`: exit 3 when the job ended otherwise, 4 when the time is up. */
export async function wait(session: Session, words: readonly string[], options: WaitOptions): Promise<ExitCode> {
  const condition = parseCondition(options.for ?? "condition=Complete");
  const timeoutMs = parseTimeout(options.timeout);
  for (const reference of parseReferences(words, "job")) {
    if (reference.kind !== "job") throw new UsageError("wait is for jobs: agentctl wait job/NAME");
    const result = await followJob(session, fullName(reference, session.namespace), {
      condition,
      showsProgress: session.terminal.isInteractive,
      ...(timeoutMs === undefined ? {} : { timeoutMs }),
    });
    if (result === "TimedOut") {
      session.terminal.err(`error: job/${reference.name} is not ${condition} after ${options.timeout}\n`);
      return exitCodes.waitTimedOut;
    }
    if (!result.isReached) {
      session.terminal.err(
        `error: job/${reference.name} ended as ${jobStatusText(result.job)}${unpublishedText(result.job, condition)}\n`,
      );
      return exitCodes.jobFailed;
    }
    session.terminal.out(`job/${reference.name} condition met: ${condition}\n`);
  }
  return exitCodes.done;
}
