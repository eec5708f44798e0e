import { fullName, parseReferences, UsageError } from "../resource-name.ts";
import { type ExitCode, exitCodes, type Session } from "../session.ts";

/** `agentctl delete JOB…`: the job and its tasks are gone; a branch that was published or fetched stays. */
export async function deleteJobs(session: Session, words: readonly string[]): Promise<ExitCode> {
  for (const reference of parseReferences(words, "job")) {
    if (reference.kind !== "job") throw new UsageError("delete is for jobs: agentctl delete job/NAME");
    await session.jobs.deleteJob({ name: fullName(reference, session.namespace) }, { signal: session.signal });
    session.terminal.out(`job/${reference.name} deleted\n`);
  }
  return exitCodes.done;
}
