import { visible } from "../output/visible.ts";
import { fullName, parseReferences, UsageError } from "../resource-name.ts";
import { type ExitCode, exitCodes, type Session } from "../session.ts";

/** `agentctl why TASK…`: what the task waits for, and what would let it run. */
export async function why(session: Session, words: readonly string[]): Promise<ExitCode> {
  for (const reference of parseReferences(words, "task")) {
    if (reference.kind !== "task") throw new UsageError("why is for tasks: agentctl why task/NAME");
    const reply = await session.tasks.explainTask(
      { name: fullName(reference, session.namespace) },
      { signal: session.signal },
    );
    session.terminal.out(`${visible(reply.summary)}\n`);
    for (const detail of reply.details) session.terminal.out(`  ${visible(detail)}\n`);
  }
  return exitCodes.done;
}
