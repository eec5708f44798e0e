import { eachOf } from "../../each-of.ts";
import { hasEnded, jobStatusText } from "../../output/tables/job-table.ts";
import { fullName, parseOnly } from "../../resource-name.ts";
import { type ExitCode, exitCodes, type Session } from "../../session.ts";
import { serverVerb } from "../../verb.ts";

/** `agentctl suspend JOB…`: no new attempts start; what runs goes on. */
export const suspendVerb = serverVerb({
  words: "<job...>",
  wordsText: "job/NAME or NAME",
  details: "Attempts that run go on to their end, and land. Go on with `agentctl resume`.",
  examples: ["suspend job/zod-4", "get jobs -l team=web -o name | xargs agentctl suspend"],
  flags: [],
  completes: ["job"],
  run: (session, words) => setSuspend(session, words, "suspend"),
});

/** `agentctl resume JOB…`: attempts start again. */
export const resumeVerb = serverVerb({
  words: "<job...>",
  wordsText: "job/NAME or NAME",
  examples: ["resume job/zod-4", "get jobs --field-selector spec.suspend=true -o name | xargs agentctl resume"],
  flags: [],
  completes: ["job"],
  run: (session, words) => setSuspend(session, words, "resume"),
});

async function setSuspend(session: Session, words: readonly string[], verb: "suspend" | "resume"): Promise<ExitCode> {
  const suspend = verb === "suspend";
  const call = { signal: session.signal };
  await eachOf(session, parseOnly(words, "job", verb), async (reference) => {
    const before = await session.jobs.getJob({ name: fullName(reference, session.namespace) }, call);
    const done = suspend ? "suspended" : "resumed";
    if (before.spec?.suspend === suspend) {
      session.terminal.out(`job/${reference.name} ${suspend ? "suspended" : "running"} already\n`);
      return;
    }
    const { namespace } = session;
    await session.jobs.updateJob(
      {
        job: { metadata: { namespace, name: reference.name }, spec: { suspend } },
        updateMask: { paths: ["spec.suspend"] },
      },
      call,
    );
    session.terminal.out(`job/${reference.name} ${done}\n`);
    if (hasEnded(before)) {
      const note = `job/${reference.name} has ended (${jobStatusText(before)}): this counts once a task is retried`;
      session.terminal.err(`note: ${note}\n`);
    }
  });
  return exitCodes.done;
}
