import { parseAttempt } from "../../attempt-flag.ts";
import { visible } from "../../output/visible.ts";
import { fullName, parseOnly } from "../../resource-name.ts";
import { type ExitCode, exitCodes, type Session } from "../../session.ts";
import { serverVerb } from "../../verb.ts";

interface DiffOptions {
  readonly attempt?: number;
}

/** `agentctl diff TASK…`: what an attempt's result changes, as git shows it. */
export const diffVerb = serverVerb<DiffOptions>({
  words: "<task...>",
  wordsText: "task/NAME, task/JOB/NAME or NAME",
  details: "In a pipe it gives git's own bytes, which `git apply` takes.",
  examples: [
    "diff task/zod-4-src-a-ts --attempt 3",
    "diff zod-4-src-a-ts | git apply --check",
    "get tasks -o name | xargs agentctl diff",
  ],
  flags: [{ flags: "--attempt <n>", text: "which attempt (default: the last with a result)", parse: parseAttempt }],
  completes: ["task"],
  run: diff,
});

async function diff(session: Session, words: readonly string[], options: DiffOptions): Promise<ExitCode> {
  for (const reference of parseOnly(words, "task", "diff")) {
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
