import { parseAttempt } from "../../attempt-flag.ts";
import { createTurnPrinter } from "../../output/turns.ts";
import { fullName, parseOnly, referenceText, UsageError } from "../../resource-name.ts";
import { type ExitCode, exitCodes, type Session } from "../../session.ts";
import { serverVerb } from "../../verb.ts";

interface LogsOptions {
  readonly follow?: boolean;
  readonly attempt?: number;
}

/** `agentctl logs [-f] TASK`: the turns of an attempt, as a person would want to read them. */
export const logsVerb = serverVerb<LogsOptions>({
  words: "<task...>",
  wordsText: "task/NAME, task/JOB/NAME or NAME",
  examples: ["logs task/zod-4-src-a-ts", "logs -f zod-4-src-a-ts", "logs task/zod-4/src-a-ts --attempt 2"],
  flags: [
    { flags: "-f, --follow", text: "go on with new turns until the task ends" },
    { flags: "--attempt <n>", text: "which attempt (default: the last)", parse: parseAttempt },
  ],
  completes: ["task"],
  run: logs,
});

async function logs(session: Session, words: readonly string[], options: LogsOptions): Promise<ExitCode> {
  const [reference, ...more] = parseOnly(words, "task", "logs");
  if (reference === undefined || more.length > 0) throw new UsageError("logs is for one task: agentctl logs task/NAME");
  const request = {
    name: fullName(reference, session.namespace),
    attempt: options.attempt ?? 0,
    follow: options.follow ?? false,
  };
  const printer = createTurnPrinter((text) => session.terminal.out(text));
  for await (const entry of session.tasks.tailTaskLogs(request, { signal: session.signal })) printer.show(entry);
  if (!printer.hasShown()) {
    const which = options.attempt === undefined ? "" : ` of attempt ${options.attempt}`;
    session.terminal.err(`No turns${which} of ${referenceText(reference)} are recorded.\n`);
  }
  return exitCodes.done;
}
