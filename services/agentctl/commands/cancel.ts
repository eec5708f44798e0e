import { fullName, parseReferences, UsageError } from "../resource-name.ts";
import { type ExitCode, exitCodes, type Session } from "../session.ts";

/** `agentctl cancel JOB…|TASK…`: nothing of a job merges once this has returned. */
export async function cancel(session: Session, words: readonly string[]): Promise<ExitCode> {
  for (const reference of parseReferences(words)) {
    const name = fullName(reference, session.namespace);
    if (reference.kind === "worker") throw new UsageError("cancel is for jobs and tasks");
    if (reference.kind === "job") await session.jobs.cancelJob({ name }, { signal: session.signal });
    else await session.tasks.cancelTask({ name }, { signal: session.signal });
    session.terminal.out(`${reference.kind}/${reference.name} cancelled\n`);
  }
  return exitCodes.done;
}
