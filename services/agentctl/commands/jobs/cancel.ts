import { eachOf } from "../../each-of.ts";
import { jobStatusText, trueCondition } from "../../output/tables/job-table.ts";
import { fullName, parseReferences, type ResourceReference, referenceText, UsageError } from "../../resource-name.ts";
import { type ExitCode, exitCodes, type Session } from "../../session.ts";
import { serverVerb } from "../../verb.ts";

/** `agentctl cancel JOB…|TASK…`: nothing of a job merges once this has returned. */
export const cancelVerb = serverVerb({
  words: "<resource...>",
  wordsText: "job/NAME or task/NAME; or a kind and names",
  details: "Final for a job: nothing of it merges once this has returned. What merged before stays merged.",
  examples: [
    "cancel job/zod-4",
    "cancel task/zod-4-src-a-ts",
    "get tasks --field-selector status.state=Pending -o name | xargs agentctl cancel",
  ],
  flags: [],
  completes: ["job", "task"],
  run: cancel,
});

async function cancel(session: Session, words: readonly string[]): Promise<ExitCode> {
  const references = parseReferences(words);
  for (const { kind } of references) {
    if (kind !== "job" && kind !== "task")
      throw new UsageError("cancel is for jobs and tasks; see `agentctl drain` for workers");
  }
  await eachOf(session, references, async (reference) => {
    session.terminal.out(`${referenceText(reference)} ${await cancelOne(session, reference)}\n`);
  });
  return exitCodes.done;
}

async function cancelOne(session: Session, reference: ResourceReference): Promise<string> {
  const name = fullName(reference, session.namespace);
  if (reference.kind === "task") {
    await session.tasks.cancelTask({ name }, { signal: session.signal });
    return "cancelled";
  }
  const job = await session.jobs.cancelJob({ name }, { signal: session.signal });
  if (trueCondition(job, "Complete") !== undefined) return `had ended already: ${jobStatusText(job)}`;
  // One that failed is closed all the same: until now its tasks could be retried.
  return trueCondition(job, "Failed") === undefined ? "cancelled" : `cancelled; it had ended as ${jobStatusText(job)}`;
}
