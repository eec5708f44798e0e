import { setTimeout as delay } from "node:timers/promises";
import { isAgentdError } from "../../core/errors.ts";
import type { Job } from "../../gen/agentd/v1/job_pb.ts";
import { CallError } from "../../platform/grpc/status.ts";
import { createTurnPrinter, type TurnPrinter } from "../output/replay/turns.ts";
import { visibleLine } from "../output/visible.ts";
import type { Session } from "../session.ts";
import { followJob } from "./follow-job.ts";

/** A job of one task, by full names. */
export interface RunPlace {
  readonly job: string;
  readonly task: string;
  /** Of the job, for messages. */
  readonly name: string;
}

const retryMs = 250;
/** A task that has shown nothing for so long is asked what it waits for. */
const silenceMs = 3_000;

/** Shows the turns of a run as they come, and what it waits for, until its job has ended or the time is up. */
export async function followRun(
  session: Session,
  place: RunPlace,
  timeoutMs: number | undefined,
): Promise<Job | "TimedOut"> {
  const ended = new AbortController();
  const signal = AbortSignal.any([session.signal, ended.signal]);
  const shown: Shown = { atMs: session.now(), printer: createTurnPrinter((text) => session.terminal.err(text)) };
  const turns = showTurns(session, place, shown, signal);
  const waits = showWaits(session, place, shown, signal);
  try {
    const how = { condition: "Complete", showsProgress: false, ...(timeoutMs === undefined ? {} : { timeoutMs }) };
    const result = await followJob(session, place.job, how);
    if (result === "TimedOut") return result;
    // The log ends by itself behind the last turn.
    await Promise.race([turns, delay(2 * silenceMs, undefined, { signal })]);
    return result.job;
  } finally {
    ended.abort(new DOMException("the run has ended", "AbortError"));
    await Promise.all([turns, waits]);
  }
}

interface Shown {
  /** When something was shown last, milliseconds since the epoch. */
  atMs: number;
  /** The last turn that was shown; absent before the first. */
  last?: { readonly attempt: number; readonly turn: number };
  readonly printer: TurnPrinter;
}

async function showTurns(session: Session, place: RunPlace, shown: Shown, signal: AbortSignal): Promise<void> {
  let isOver = false;
  while (!signal.aborted) {
    try {
      await showLog(session, place, { shown, follow: !isOver }, signal);
      // A log that is followed may end before it has given what was stored last: it is read once more.
      if (isOver) return;
      isOver = true;
    } catch (error) {
      if (signal.aborted) return;
      // Not planned yet, or agentd is away: the job's own watch says which.
      if (!isAgentdError(error) && !(error instanceof CallError)) throw error;
      await pause(signal);
    }
  }
}

/** Prints what the log has beyond what was shown: where it begins anew, nothing is shown twice. */
async function showLog(
  session: Session,
  place: RunPlace,
  { shown, follow }: { readonly shown: Shown; readonly follow: boolean },
  signal: AbortSignal,
): Promise<void> {
  const { attempt = 0, turn = -1 } = shown.last ?? {};
  for await (const entry of session.tasks.tailTaskLogs({ name: place.task, follow }, { signal })) {
    if (entry.attempt < attempt || (entry.attempt === attempt && entry.turn <= turn)) continue;
    shown.printer.show(entry);
    shown.last = { attempt: entry.attempt, turn: entry.turn };
    shown.atMs = session.now();
  }
}

async function showWaits(session: Session, place: RunPlace, shown: Shown, signal: AbortSignal): Promise<void> {
  let said = "";
  while (!signal.aborted) {
    await pause(signal);
    if (signal.aborted || session.now() - shown.atMs < silenceMs) continue;
    shown.atMs = session.now();
    try {
      const { status } = await session.tasks.getTask({ name: place.task }, { signal });
      const text = status?.waitingFor ?? "";
      if (text !== "" && text !== said)
        session.terminal.err(`${status?.state ?? "Pending"}: waits for ${visibleLine(text)}\n`);
      said = text;
    } catch {
      // Only a comment on the way: the job's own watch reports a lost server.
    }
  }
}

async function pause(signal: AbortSignal): Promise<void> {
  await delay(retryMs, undefined, { signal }).catch(() => undefined);
}
