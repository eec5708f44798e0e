import type { SessionRecord } from "../../agent/session/session-record.ts";
import type { AttemptRef } from "../../core/worker-protocol.ts";
import { abortable } from "../../platform/lifecycle/abortable.ts";
import type { NatsLink } from "../../platform/nats/connect.ts";
import { createTranscriptWriter, type TranscriptWriter } from "../../platform/nats/messages/transcripts.ts";
import { subjects } from "../../platform/nats/subjects.ts";
import type { Logger } from "../../platform/telemetry/log.ts";
import { attemptKey } from "./attempt-result.ts";

/** Turns of one attempt that may wait while NATS is away: at most 256 KiB each. */
const bufferedTurnsMax = 16;

/** A line of an attempt that is shown to whoever watches and stored nowhere. */
export interface LiveLine {
  readonly atMs: number;
  readonly source: "system" | "check";
  /** Check name; empty otherwise. */
  readonly name: string;
  readonly text: string;
}

/** Where an attempt's story goes. */
export interface TranscriptSink {
  /**
   * Resolves when the record is stored; while NATS is away, when it stands in the bounded buffer.
   * @throws the signal's reason.
   */
  append(ref: AttemptRef, record: SessionRecord, signal: AbortSignal): Promise<void>;
  /** Resolves when all records of the attempt are stored, however long NATS is away. @throws the signal's reason */
  stored(ref: AttemptRef, signal: AbortSignal): Promise<void>;
  /** After the last turn: resolves when all are stored, or NATS is away (they are stored later). @throws the signal's reason. */
  end(ref: AttemptRef, signal: AbortSignal): Promise<void>;
  /** Shows a line to those who watch now. */
  say(ref: AttemptRef, line: Omit<LiveLine, "atMs">): void;
  /** Gives up what is still buffered. Idempotent. */
  close(): void;
}

interface Entry {
  readonly record: SessionRecord;
  readonly done: PromiseWithResolvers<void>;
}

interface Queue {
  readonly writer: TranscriptWriter;
  readonly entries: Entry[];
}

/** Transcripts of this worker's attempts, each in order. */
export function createTranscriptSink(link: NatsLink, worker: string, logger: Logger): TranscriptSink {
  const queues = new Map<string, Queue>();
  const closing = new AbortController();

  async function pump(key: string, queue: Queue): Promise<void> {
    for (let head = queue.entries[0]; head !== undefined; head = queue.entries[0]) {
      try {
        await queue.writer.append(head.record, closing.signal);
      } catch (error) {
        closing.signal.throwIfAborted();
        // A turn that NATS will never take is dropped: the work is worth more than its story.
        logger.warn({ attempt: key, err: error }, "a record could not be stored");
      }
      queue.entries.shift();
      head.done.resolve();
    }
  }

  function queueOf({ uid, task, attempt }: AttemptRef): Queue {
    const key = attemptKey({ uid, task, attempt });
    const known = queues.get(key);
    if (known !== undefined) return known;
    const queue = { writer: createTranscriptWriter(link, { worker, uid, task, attempt }), entries: [] };
    queues.set(key, queue);
    return queue;
  }

  return {
    async append(ref, record, signal) {
      const queue = queueOf(ref);
      const entry = { record, done: Promise.withResolvers<void>() };
      queue.entries.push(entry);
      // Ends with everything stored, or at close.
      if (queue.entries.length === 1) pump(attemptKey(ref), queue).catch(() => undefined);
      if (queue.entries.length > bufferedTurnsMax) await abortable(entry.done.promise, signal);
      else await untilStoredOrAway(link, entry.done.promise, signal);
    },
    async stored(ref, signal) {
      const last = queues.get(attemptKey(ref))?.entries.at(-1);
      if (last !== undefined) await abortable(last.done.promise, signal);
    },
    async end(ref, signal) {
      const queue = queues.get(attemptKey(ref));
      queues.delete(attemptKey(ref));
      const last = queue?.entries.at(-1);
      if (last !== undefined) await untilStoredOrAway(link, last.done.promise, signal);
    },
    say({ uid, task, attempt }, line) {
      if (!link.isConnected || closing.signal.aborted) return;
      const text = JSON.stringify({ atMs: Date.now(), ...line });
      link.connection.publish(subjects.live({ worker, uid, task, attempt }), text);
    },
    close: () => closing.abort(new Error("the worker stops")),
  };
}

/** Does not hold up the work while NATS is away. */
async function untilStoredOrAway(link: NatsLink, stored: Promise<void>, signal: AbortSignal): Promise<void> {
  if (!link.isConnected) return;
  const away = Promise.withResolvers<void>();
  const stop = link.onState((isConnected) => {
    if (!isConnected) away.resolve();
  });
  try {
    await abortable(Promise.race([stored, away.promise]), signal);
  } finally {
    stop();
  }
}
