import { abortable } from "../../lifecycle/abortable.ts";
import type { NatsLink } from "../connect.ts";
import { type TailMessage, tailStream } from "../store/stream-tail.ts";

/** What {@link readSubject} reads. */
export interface SubjectQuery {
  readonly stream: string;
  readonly filter: string;
  /** Begins here. Default 1: the oldest that is stored. */
  readonly fromSeq?: number;
  /** Messages that a reader which stalls makes us hold; even. */
  readonly window: number;
  /** False = ends behind what is stored now. */
  readonly follow: boolean;
}

/** One stored message, its payload read as JSON. */
export interface SubjectMessage {
  readonly subject: string;
  readonly seq: number;
  readonly timeMs: number;
  readonly value: unknown;
}

/**
 * The messages of a stream that match, in order; over lost connections, none twice. Messages that are no JSON are left
 * out. A reader that stalls holds the server back.
 * @throws the signal's reason
 */
export async function* readSubject(
  link: NatsLink,
  query: SubjectQuery,
  signal: AbortSignal,
): AsyncGenerator<SubjectMessage, void, undefined> {
  const buffer: TailMessage[] = [];
  let taken = 0;
  let isComplete = false;
  let wake = Promise.withResolvers<void>();
  const tail = tailStream(link, {
    stream: query.stream,
    filter: query.filter,
    start: { kind: "sequence", seq: query.fromSeq ?? 1 },
    window: query.window,
    onMessage(message) {
      buffer.push(message);
      if (message.pending === 0) isComplete = true;
      wake.resolve();
    },
    onOpen(pending) {
      if (pending === 0) isComplete = true;
      wake.resolve();
    },
  });
  try {
    for (;;) {
      signal.throwIfAborted();
      const next = buffer.shift();
      if (next !== undefined) {
        taken += 1;
        if (taken % (query.window / 2) === 0) next.ack();
        const message = toMessage(next);
        if (message !== undefined) yield message;
        continue;
      }
      if (isComplete && !query.follow) return;
      await abortable(wake.promise, signal);
      wake = Promise.withResolvers<void>();
    }
  } finally {
    await tail.close();
  }
}

function toMessage({ subject, seq, timeMs, data }: TailMessage): SubjectMessage | undefined {
  try {
    const value: unknown = JSON.parse(new TextDecoder().decode(data));
    return { subject, seq, timeMs, value };
  } catch {
    return undefined;
  }
}
