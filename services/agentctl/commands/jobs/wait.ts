import type { Job } from "../../../gen/agentd/v1/job_pb.ts";
import { followJob } from "../../follow/follow-job.ts";
import { durationFlag } from "../../global-options.ts";
import { jobStatusText } from "../../output/tables/job-table.ts";
import { visibleLine } from "../../output/visible.ts";
import { fullName, parseOnly, UsageError } from "../../resource-name.ts";
import { type ExitCode, exitCodes, type Session } from "../../session.ts";
import { serverVerb } from "../../verb.ts";

interface WaitOptions {
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
export const waitVerb = serverVerb<WaitOptions>({
  words: "<job...>",
  wordsText: "job/NAME or NAME",
  details: "Ends at once when the job can no longer come to the condition. Ctrl-C ends the waiting, never the job.",
  examples: [
    "wait job/zod-4",
    "wait job/zod-4 --for=condition=Complete --timeout=30m",
    "wait zod-4 --for=condition=Published",
  ],
  exits: { 3: "a job ended otherwise", 4: "the time is up" },
  flags: [
    {
      flags: "--for <condition>",
      text: `condition=NAME, of ${conditions.join(", ")}`,
      default: "condition=Complete",
      values: conditions.map((name) => `condition=${name}`),
    },
    { flags: "--timeout <duration>", text: "for example 30m, for all jobs together (default: for ever)" },
  ],
  completes: ["job"],
  run: wait,
});

async function wait(session: Session, words: readonly string[], options: WaitOptions): Promise<ExitCode> {
  const condition = parseCondition(options.for ?? "condition=Complete");
  const timeoutMs = durationFlag("--timeout", options.timeout);
  const endMs = timeoutMs === undefined ? undefined : session.now() + timeoutMs;
  for (const reference of parseOnly(words, "job", "wait")) {
    const name = fullName(reference, session.namespace);
    // Once it was there, the wait outlives a server that goes away.
    await session.jobs.getJob({ name }, { signal: session.signal });
    const result = await followJob(session, name, {
      condition,
      showsProgress: session.terminal.isInteractive,
      ...(endMs === undefined ? {} : { timeoutMs: Math.max(0, endMs - session.now()) }),
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
