import { AgentdError } from "../../core/errors.ts";
import { abortable } from "../lifecycle/abortable.ts";
import type { NatsLink } from "./connect.ts";
import { tailStream } from "./stream-tail.ts";

/** What {@link readSubject} reads. */
export interface SubjectQuery {
  readonly stream: string;
  readonly filter: string;
  /** Begins here. Default 1: the oldest that is stored. */
  readonly fromSeq?: number;
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

/** Above these the server is asked to wait. */
const fullMessages = 4_096;
const fullBytes = 8 * 1_024 * 1_024;
/** What flow control should never let in; a reader that gets here is cut off. */
const bufferedBytesMax = 128 * 1_024 * 1_024;

/**
 * The messages of a stream that match, in order; over lost connections, none twice. Messages that are no
 * JSON are left out.
 * @throws WATCH_EXPIRED when the reader is too slow, or the signal's reason
 */
export async function* readSubject(
  link: NatsLink,
  query: SubjectQuery,
  signal: AbortSignal,
): AsyncGenerator<SubjectMessage, void, undefined> {
  const buffer: { readonly message: SubjectMessage | undefined; readonly bytes: number }[] = [];
  let taken = 0;
  let bytes = 0;
  let isComplete = false;
  let isOverrun = false;
  let wake = Promise.withResolvers<void>();
  const tail = tailStream(link, {
    stream: query.stream,
    filter: query.filter,
    start: { kind: "sequence", seq: query.fromSeq ?? 1 },
    onMessage(message) {
      if (isOverrun) return;
      if (bytes > bufferedBytesMax) isOverrun = true;
      else {
        bytes += message.data.length + 256;
        buffer.push({ message: toMessage(message), bytes: message.data.length + 256 });
      }
      if (message.pending === 0) isComplete = true;
      wake.resolve();
    },
    isFull: () => buffer.length - taken > fullMessages || bytes > fullBytes,
    onOpen(pending) {
      if (pending === 0) isComplete = true;
      wake.resolve();
    },
  });
  try {
    for (;;) {
      signal.throwIfAborted();
      const next = buffer[taken];
      if (next !== undefined) {
        taken += 1;
        bytes -= next.bytes;
        if (taken === buffer.length || taken > fullMessages) {
          buffer.splice(0, taken);
          taken = 0;
        }
        if (buffer.length - taken < fullMessages / 2 && bytes < fullBytes / 2) tail.goOn();
        if (next.message !== undefined) yield next.message;
        continue;
      }
      if (isOverrun) throw new AgentdError("WATCH_EXPIRED", "the reader was too slow: read again from the start");
      if (isComplete && !query.follow) return;
      await abortable(wake.promise, signal);
      wake = Promise.withResolvers<void>();
    }
  } finally {
    await tail.close();
  }
}

function toMessage(message: {
  readonly subject: string;
  readonly seq: number;
  readonly timeMs: number;
  readonly data: Uint8Array;
}): SubjectMessage | undefined {
  try {
    const value: unknown = JSON.parse(new TextDecoder().decode(message.data));
    return { subject: message.subject, seq: message.seq, timeMs: message.timeMs, value };
  } catch {
    return undefined;
  }
}
