import { setTimeout as delay } from "node:timers/promises";
import { parseAttempt } from "../../attempt-flag.ts";
import { tailOn } from "../../follow/over-losses.ts";
import { describeEnds } from "../../output/describe/attempt-ends.ts";
import { createReplay } from "../../output/replay/replay.ts";
import { createTurnPrinter } from "../../output/replay/turns.ts";
import { fullName, parseOnly, type ResourceReference, referenceText, UsageError } from "../../resource-name.ts";
import { type ExitCode, exitCodes, type Session } from "../../session.ts";
import { serverVerb } from "../../verb.ts";

interface LogsOptions {
  readonly follow?: boolean;
  readonly attempt?: number;
  readonly replay?: boolean;
  readonly speed?: number;
}

/** `agentctl logs [-f] TASK`: the turns of an attempt, as a person would want to read them. */
export const logsVerb = serverVerb<LogsOptions>({
  words: "<task...>",
  wordsText: "task/NAME, task/JOB/NAME or NAME",
  examples: [
    "logs task/zod-4-src-a-ts",
    "logs -f zod-4-src-a-ts",
    "logs task/zod-4/src-a-ts --attempt 2",
    "logs zod-4-src-a-ts --replay --speed 10",
  ],
  flags: [
    { flags: "-f, --follow", text: "go on with new turns until the task ends" },
    { flags: "--attempt <n>", text: "which attempt (default: the last)", parse: parseAttempt },
    { flags: "--replay", text: "tell the whole session, with the earlier attempts that it goes on from" },
    { flags: "--speed <n>", text: "with --replay: wait between turns as then, n times as fast", parse: parseSpeed },
  ],
  completes: ["task"],
  run: logs,
});

/** The longest wait between two turns, at any speed. */
const pauseMsMax = 10_000;

function parseSpeed(text: string): number {
  const speed = Number(text);
  if (!(speed > 0 && speed <= 10_000)) throw new Error("write a number above 0, for example 10.");
  return speed;
}

async function logs(session: Session, words: readonly string[], options: LogsOptions): Promise<ExitCode> {
  const [reference, ...more] = parseOnly(words, "task", "logs");
  if (reference === undefined || more.length > 0) throw new UsageError("logs is for one task: agentctl logs task/NAME");
  if (options.speed !== undefined && options.replay !== true) throw new UsageError("--speed goes with --replay");
  const request = {
    name: fullName(reference, session.namespace),
    attempt: options.attempt ?? 0,
    follow: options.follow ?? false,
  };
  // A server that is not there at all is an error, not one to wait for.
  if (request.follow) await session.tasks.getTask({ name: request.name }, { signal: session.signal });
  if (options.replay === true) return await replay(session, reference, request, options.speed);
  const printer = createTurnPrinter((text) => session.terminal.out(text));
  const open = () => session.tasks.tailTaskLogs(request, { signal: session.signal });
  for await (const entry of request.follow ? tailOn(session, open) : open()) printer.show(entry);
  if (!printer.hasShown()) {
    const which = options.attempt === undefined ? "" : ` of attempt ${options.attempt}`;
    session.terminal.err(`No turns${which} of ${referenceText(reference)} are recorded.\n`);
  }
  return exitCodes.done;
}

async function replay(
  session: Session,
  reference: ResourceReference,
  request: { readonly name: string; readonly attempt: number; readonly follow: boolean },
  speed: number | undefined,
): Promise<ExitCode> {
  const { signal, terminal } = session;
  const story = createReplay();
  const shown = new Set<number>();
  const open = () => session.tasks.tailTaskLogs({ ...request, records: true }, { signal });
  for await (const { attempt, record } of request.follow ? tailOn(session, open) : open()) {
    if (record === undefined) continue;
    const pauseMs = speed === undefined ? 0 : Math.min(pauseMsMax, story.pauseMs(record) / speed);
    if (pauseMs >= 1) await delay(pauseMs, undefined, { signal });
    shown.add(attempt);
    terminal.out(story.show(attempt, record));
  }
  if (shown.size === 0) {
    terminal.err(`No session of ${referenceText(reference)} is recorded.\n`);
    return exitCodes.done;
  }
  const task = await session.tasks.getTask({ name: request.name }, { signal });
  terminal.out(describeEnds(task, shown));
  return exitCodes.done;
}
