import { jobStatusText, trueCondition } from "../output/job-table.ts";
import { fullName, parseReferences, referenceText, UsageError } from "../resource-name.ts";
import { type ExitCode, exitCodes, type Session } from "../session.ts";

/** `agentctl cancel JOB…|TASK…`: nothing of a job merges once this has returned. */
export async function cancel(session: Session, words: readonly string[]): Promise<ExitCode> {
  for (const reference of parseReferences(words)) {
    const name = fullName(reference, session.namespace);
    if (reference.kind === "worker") throw new UsageError("cancel is for jobs and tasks");
    if (reference.kind === "task") {
      await session.tasks.cancelTask({ name }, { signal: session.signal });
      session.terminal.out(`${referenceText(reference)} cancelled\n`);
      continue;
    }
    const job = await session.jobs.cancelJob({ name }, { signal: session.signal });
    const had = trueCondition(job, "Complete") !== undefined || trueCondition(job, "Failed") !== undefined;
    const text = had ? `had ended already: ${jobStatusText(job)}` : "cancelled";
    session.terminal.out(`${referenceText(reference)} ${text}\n`);
  }
  return exitCodes.done;
}
