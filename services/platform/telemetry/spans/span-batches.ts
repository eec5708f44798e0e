import type { SpanRecord } from "./span-record.ts";
import type { SpanSink } from "./tracer.ts";

/** Spans on their way to somebody else. */
export interface SpanBatches extends AsyncDisposable {
  readonly accept: SpanSink;
  /** Sends what is left. Idempotent. */
  close(): Promise<void>;
}

/** Spans that wait; more are dropped and counted. */
const waitingMax = 4_096;
/** Spans in one batch: with the bounds of a record, far below the largest message of NATS. */
const batchMax = 64;

/**
 * Collects spans and hands them on in batches of at most 64, at the latest after `everyMs`. Never blocks and never fails
 * its caller: what comes too fast, or cannot be sent, is dropped, and `onDropped` is told how many.
 */
export function createSpanBatches(options: {
  readonly send: (batch: readonly SpanRecord[]) => void;
  readonly onDropped: (count: number) => void;
  /** Default 250. */
  readonly everyMs?: number;
}): SpanBatches {
  let waiting: SpanRecord[] = [];
  let timer: NodeJS.Timeout | undefined;
  const flush = (): void => {
    clearTimeout(timer);
    timer = undefined;
    const all = waiting;
    waiting = [];
    for (let at = 0; at < all.length; at += batchMax) {
      const batch = all.slice(at, at + batchMax);
      try {
        options.send(batch);
      } catch {
        options.onDropped(batch.length);
      }
    }
  };
  const close = (): Promise<void> => {
    flush();
    return Promise.resolve();
  };
  return {
    accept(span) {
      if (waiting.length >= waitingMax) {
        options.onDropped(1);
        return;
      }
      waiting.push(span);
      timer ??= setTimeout(flush, options.everyMs ?? 250).unref();
    },
    close,
    [Symbol.asyncDispose]: close,
  };
}
