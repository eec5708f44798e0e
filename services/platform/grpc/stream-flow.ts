import { once } from "node:events";
import type { Readable, Writable } from "node:stream";
import type { DescMessage, MessageInitShape, MessageShape } from "@bufbuild/protobuf";
import { abortable } from "../lifecycle/abortable.ts";
import { decodeMessage, encodeMessage } from "./message-bytes.ts";

/** The streams of gRPC count messages, up to 16: larger ones than this are written one at a time. */
const largeBytes = 32 * 1_024;

/**
 * Writes every message as fast as the peer reads and no faster: a full buffer waits for `drain` or the signal, so a
 * stalled reader costs one buffer of half a megabyte at most, or its one message where that is larger. Closes `messages` in every case.
 * @throws the signal's reason
 */
export async function writeResponses<D extends DescMessage>(
  desc: D,
  stream: Pick<Writable, "write" | "once" | "off">,
  messages: AsyncIterable<MessageInitShape<D>>,
  signal: AbortSignal,
): Promise<void> {
  const iterator = messages[Symbol.asyncIterator]();
  try {
    for (;;) {
      const next = await abortable(iterator.next(), signal);
      if (next.done === true) return;
      const bytes = encodeMessage(desc, next.value);
      if (bytes.byteLength > largeBytes) {
        const taken = Promise.withResolvers<void>();
        stream.write(bytes, () => taken.resolve());
        await abortable(taken.promise, signal);
      } else if (!stream.write(bytes)) await drained(stream, signal);
    }
  } finally {
    // Not awaited: a generator that is inside a wait ends when that wait hears the same signal.
    iterator.return?.()?.catch(() => undefined);
  }
}

/** The messages of a request stream; the peer is held back while one is worked on. @throws the signal's reason */
export async function* readRequests<D extends DescMessage>(
  desc: D,
  stream: Readable,
  signal: AbortSignal,
): AsyncGenerator<MessageShape<D>, void, undefined> {
  const iterator = stream[Symbol.asyncIterator]();
  for (;;) {
    const next: IteratorResult<Buffer> = await abortable(iterator.next(), signal);
    if (next.done === true) return;
    yield decodeMessage(desc, next.value);
  }
}

async function drained(stream: Pick<Writable, "once" | "off">, signal: AbortSignal): Promise<void> {
  // Both calls have `on` and `once` of an EventEmitter.
  await abortable(once(stream as Writable, "drain", { signal }), signal);
}
