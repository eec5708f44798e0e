import { setTimeout as delay } from "node:timers/promises";
import { isAgentdError } from "../../core/errors.ts";
import type { Job } from "../../gen/agentd/v1/job_pb.ts";
import { CallError } from "../../platform/grpc/status.ts";
import { followJob } from "../follow-job.ts";
import { createTurnPrinter } from "../output/turns.ts";
import { visibleLine } from "../output/visible.ts";
import type { Session } from "../session.ts";

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
  const last = { atMs: session.now() };
  const turns = showTurns(session, place, last, signal);
  const waits = showWaits(session, place, last, signal);
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
}

async function showTurns(session: Session, place: RunPlace, last: Shown, signal: AbortSignal): Promise<void> {
  const printer = createTurnPrinter((text) => session.terminal.err(text));
  let seen = { attempt: 0, turn: 0 };
  while (!signal.aborted) {
    // After a lost connection the log begins anew: what was shown is not shown twice.
    const from = seen;
    try {
      for await (const entry of session.tasks.tailTaskLogs({ name: place.task, follow: true }, { signal })) {
        if (entry.attempt < from.attempt || (entry.attempt === from.attempt && entry.turn <= from.turn)) continue;
        printer.show(entry);
        seen = { attempt: entry.attempt, turn: entry.turn };
        last.atMs = session.now();
      }
      return;
    } catch (error) {
      if (signal.aborted) return;
      // Not planned yet, or agentd is away: the job's own watch says which.
      if (!isAgentdError(error) && !(error instanceof CallError)) throw error;
    }
    await pause(signal);
  }
}

async function showWaits(session: Session, place: RunPlace, last: Shown, signal: AbortSignal): Promise<void> {
  let said = "";
  while (!signal.aborted) {
    await pause(signal);
    if (signal.aborted || session.now() - last.atMs < silenceMs) continue;
    last.atMs = session.now();
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
