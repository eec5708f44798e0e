import { parseAttempt } from "../../attempt-flag.ts";
import { fullName, parseOnly, referenceText, UsageError } from "../../resource-name.ts";
import { type ExitCode, exitCodes, type Session } from "../../session.ts";
import { serverVerb } from "../../verb.ts";

interface RewindOptions {
  readonly to?: number;
  readonly attempt?: number;
}

/** `agentctl rewind TASK --to TURN`: a failed task runs again from a turn on, with the files and the conversation of then. */
export const rewindVerb = serverVerb<RewindOptions>({
  words: "<task>",
  wordsText: "task/NAME, task/JOB/NAME or NAME",
  details:
    "For a task that failed or was cancelled. Its limits count the turns that stay. `agentctl logs TASK --replay` shows the turns.",
  examples: ["rewind task/zod-4-src-c-ts --to 7", "rewind zod-4-src-c-ts --to 3 --attempt 1"],
  flags: [
    { flags: "--to <turn>", text: "the last turn that stays", parse: parseAttempt },
    { flags: "--attempt <n>", text: "which attempt (default: the last)", parse: parseAttempt },
  ],
  completes: ["task"],
  run: rewind,
});

async function rewind(session: Session, words: readonly string[], options: RewindOptions): Promise<ExitCode> {
  const [reference, ...more] = parseOnly(words, "task", "rewind");
  if (reference === undefined || more.length > 0 || options.to === undefined) {
    throw new UsageError("rewind is for one task and a turn: agentctl rewind task/NAME --to TURN");
  }
  const request = { name: fullName(reference, session.namespace), turn: options.to, attempt: options.attempt ?? 0 };
  const task = await session.tasks.rewindTask(request, { signal: session.signal });
  const state = task.status?.state.toLowerCase() ?? "pending";
  session.terminal.out(`${referenceText(reference)} ${state} again, behind turn ${options.to}\n`);
  return exitCodes.done;
}
