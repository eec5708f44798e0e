import { visible } from "../output/visible.ts";
import { fullName, parseReferences, UsageError } from "../resource-name.ts";
import { type ExitCode, exitCodes, type Session } from "../session.ts";

/** `agentctl diff TASK…`: what an attempt's result changes, as git shows it. */
export async function diff(
  session: Session,
  words: readonly string[],
  options: { readonly attempt?: number },
): Promise<ExitCode> {
  for (const reference of parseReferences(words, "task")) {
    if (reference.kind !== "task") throw new UsageError("diff is for tasks: agentctl diff task/NAME");
    const reply = await session.tasks.getTaskDiff(
      { name: fullName(reference, session.namespace), attempt: options.attempt ?? 0 },
      { signal: session.signal },
    );
    const bytes = Buffer.from(reply.diff);
    // A pipe gets git's own bytes, so that `agentctl diff … | git apply` works; a screen gets text that cannot act on it.
    session.terminal.out(session.terminal.isInteractive ? visible(bytes.toString("utf8")) : bytes);
    if (reply.isTruncated) session.terminal.err("(cut: the diff is larger than 3 MiB)\n");
  }
  return exitCodes.done;
}
