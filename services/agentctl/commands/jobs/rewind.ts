import { parseAttempt } from "../../attempt-flag.ts";
import { fullName, parseOnly, referenceText, UsageError } from "../../resource-name.ts";
import { type ExitCode, exitCodes, type Session } from "../../session.ts";
import { serverVerb } from "../../verb.ts";

interface RewindOptions {
  readonly to?: number;
  readonly attempt?: number;
  readonly filesBefore?: { readonly turn: number; readonly call: number };
}

/** `agentctl rewind TASK --to TURN`: a failed task runs again from a turn on, with the files and the conversation of then. */
export const rewindVerb = serverVerb<RewindOptions>({
  words: "<task>",
  wordsText: "task/NAME, task/JOB/NAME or NAME",
  details:
    "For a task that failed or was cancelled. Its limits count the turns that stay. `agentctl logs TASK --replay` shows the turns.",
  examples: [
    "rewind task/zod-4-src-c-ts --to 7",
    "rewind zod-4-src-c-ts --to 3 --attempt 1",
    "rewind zod-4-src-c-ts --files-before 5.2",
  ],
  flags: [
    { flags: "--to <turn>", text: "the last turn that stays", parse: parseAttempt },
    {
      flags: "--files-before <turn[.call]>",
      text: "with the files as they were before that turn, or that call of it; --to defaults to the last turn then",
      parse: parseFilesPoint,
    },
    { flags: "--attempt <n>", text: "which attempt (default: the last)", parse: parseAttempt },
  ],
  completes: ["task"],
  run: rewind,
});

async function rewind(session: Session, words: readonly string[], options: RewindOptions): Promise<ExitCode> {
  const [reference, ...more] = parseOnly(words, "task", "rewind");
  if (reference === undefined || more.length > 0 || (options.to ?? options.filesBefore) === undefined) {
    throw new UsageError("rewind is for one task and a turn: agentctl rewind task/NAME --to TURN");
  }
  const { to = 0, attempt = 0, filesBefore: files } = options;
  const restored = files === undefined ? {} : { filesTurn: files.turn, filesCall: files.call };
  const request = { name: fullName(reference, session.namespace), turn: to, attempt, ...restored };
  const task = await session.tasks.rewindTask(request, { signal: session.signal });
  const state = task.status?.state.toLowerCase() ?? "pending";
  const behind = to === 0 ? "behind its last turn" : `behind turn ${to}`;
  const put = files === undefined ? "" : `, with the files as before call ${files.call} of turn ${files.turn}`;
  session.terminal.out(`${referenceText(reference)} ${state} again, ${behind}${put}\n`);
  return exitCodes.done;
}

/** @throws Error when it is no turn, or no turn and call */
function parseFilesPoint(text: string): { turn: number; call: number } {
  const found = /^([1-9]\d{0,5})(?:\.([1-9]\d{0,3}))?$/u.exec(text);
  if (found === null) throw new Error("write a turn, or a turn and a call of it: 5 or 5.2.");
  return { turn: Number(found[1]), call: Number(found[2] ?? 1) };
}
