import { fullName, parseReferences, referenceText, UsageError } from "../resource-name.ts";
import { type ExitCode, exitCodes, type Session } from "../session.ts";

/** `agentctl retry TASK…`: a failed task becomes Pending again, with its bounds fresh. */
export async function retry(session: Session, words: readonly string[]): Promise<ExitCode> {
  for (const reference of parseReferences(words, "task")) {
    if (reference.kind !== "task") throw new UsageError("retry is for tasks: agentctl retry task/NAME");
    const task = await session.tasks.retryTask(
      { name: fullName(reference, session.namespace) },
      { signal: session.signal },
    );
    session.terminal.out(`${referenceText(reference)} ${task.status?.state.toLowerCase() ?? "pending"} again\n`);
  }
  return exitCodes.done;
}
