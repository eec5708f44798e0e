import type { Change } from "./resource-mirror.ts";

/** One position of the stream; `change` is undefined for a message that is none of anybody's business (a fence). */
interface LogItem {
  readonly revision: number;
  readonly change: Change | undefined;
  readonly bytes: number;
}

/** The newest changes in memory, without a hole, so that watchers cost the server nothing. */
export interface ChangeLog {
  /** Position of the newest item. */
  readonly revision: number;
  /** Grows each time that the log had to begin anew; a reader of an older one has missed something. */
  readonly epoch: number;
  append(items: readonly LogItem[]): void;
  /** Up to `max` changes behind `position` and the position after them; undefined when they are no longer here. */
  after(position: number, max: number): { readonly changes: readonly Change[]; readonly position: number } | undefined;
  /** Begins anew: everything up to `revision` is gone. */
  reset(revision: number): void;
}

/** Bounds of the log; what exceeds them is dropped from its old end. */
export interface ChangeLogLimits {
  readonly items: number;
  readonly bytes: number;
}

/** An empty log that begins behind `revision`. */
export function createChangeLog(limits: ChangeLogLimits): ChangeLog {
  // A queue with a moving head; what is spent is let go at once, its places when they are half of them.
  let items: (LogItem | undefined)[] = [];
  let head = 0;
  let bytes = 0;
  let base = 0;
  let epoch = 0;

  const trim = (): void => {
    while (items.length - head > limits.items || (bytes > limits.bytes && items.length - head > 1)) {
      const oldest = items[head];
      if (oldest === undefined) return;
      items[head] = undefined;
      head += 1;
      bytes -= oldest.bytes;
      base = oldest.revision;
    }
    if (head > 1_024 && head > items.length / 2) {
      items = items.slice(head);
      head = 0;
    }
  };
  const newest = (): number => items.at(-1)?.revision ?? base;

  return {
    get revision() {
      return newest();
    },
    get epoch() {
      return epoch;
    },
    append(more) {
      for (const item of more) {
        items.push(item);
        bytes += item.bytes;
      }
      trim();
    },
    after(position, max) {
      if (position < base || position > newest()) return undefined;
      // Sequences are without a hole: the item behind `position` is at a known place.
      const from = head + (position - base);
      const slice = items.slice(from, from + max);
      const changes = slice.flatMap((item) => (item?.change === undefined ? [] : [item.change]));
      return { changes, position: slice.at(-1)?.revision ?? position };
    },
    reset(revision) {
      items = [];
      head = 0;
      bytes = 0;
      base = revision;
      epoch += 1;
    },
  };
}
