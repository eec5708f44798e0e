import type { StreamInfo } from "@nats-io/jetstream";
import { abortable } from "./abortable.ts";
import { type ChangeLog, createChangeLog } from "./change-log.ts";
import type { NatsLink } from "./connect.ts";
import { withLink } from "./connect.ts";
import { storeUnavailable } from "./nats-error.ts";
import { type Change, createMirror, type ResourceMirror } from "./resource-mirror.ts";
import { type StreamTail, type TailMessage, type TailStart, tailStream } from "./stream-tail.ts";
import { fencePrefix } from "./subjects.ts";

/** The mirror and what keeps it equal to the stream. */
export interface StoreFeed {
  readonly mirror: ResourceMirror;
  readonly log: ChangeLog;
  /** Fences still stored, to be purged like tombstones. */
  readonly fences: Map<string, { readonly revision: number; readonly timeMs: number }>;
  readonly revision: number;
  caughtUp(revision: number, signal: AbortSignal): Promise<void>;
  /** Resolves once there is something behind `revision`, or the log began anew. */
  movedOn(revision: number, signal: AbortSignal): Promise<void>;
  onChange(listener: (change: Change) => void): () => void;
  close(): Promise<void>;
}

/** What {@link openFeed} reads. */
export interface FeedOptions {
  readonly stream: string;
  /** Subjects of the stream are this and the key. */
  readonly prefix: string;
  readonly logItems: number;
  readonly logBytes: number;
}

interface Position {
  /** Newest message received, those of an unfinished batch included. */
  received: number;
  /** Set while everything is read anew: the newest value of each key so far. */
  loading: { readonly changes: Map<string, Change>; floor: number } | undefined;
  created: string;
}

/** Reads the whole stream into memory; resolves when the mirror has caught up. @throws STORE_UNAVAILABLE */
export async function openFeed(link: NatsLink, options: FeedOptions, signal: AbortSignal): Promise<StoreFeed> {
  const mirror = createMirror();
  const log = createChangeLog({ items: options.logItems, bytes: options.logBytes });
  const fences: StoreFeed["fences"] = new Map();
  const listeners = new Set<(change: Change) => void>();
  const waiters = new Set<{ readonly revision: number; readonly resolve: () => void }>();
  const closing = new AbortController();
  const at: Position = { received: 0, loading: { changes: new Map(), floor: 0 }, created: "" };
  let batch: Received[] = [];
  let tail: StreamTail | undefined;
  let onLoaded: (() => void) | undefined;
  const loaded = new Promise<void>((resolve) => {
    onLoaded = resolve;
  });

  const tell = (changes: readonly Change[]): void => {
    for (const change of changes) {
      for (const listener of [...listeners]) {
        try {
          listener(change);
        } catch (error) {
          link.log.error({ err: error, key: change.key }, "a listener of the store failed");
        }
      }
    }
  };
  const wakeWaiters = (isAnew: boolean): void => {
    for (const waiter of [...waiters]) {
      if (waiter.revision > log.revision && !isAnew) continue;
      waiters.delete(waiter);
      waiter.resolve();
    }
  };
  const woken = async (revision: number, waitSignal: AbortSignal): Promise<void> => {
    const reached = Promise.withResolvers<void>();
    const mine = { revision, resolve: reached.resolve };
    waiters.add(mine);
    try {
      await abortable(reached.promise, AbortSignal.any([waitSignal, closing.signal]));
    } finally {
      waiters.delete(mine);
    }
  };
  /** Applies whole batches at once: nobody sees one half of a batch. */
  const applyAll = (group: readonly Received[]): void => {
    const changes: Change[] = [];
    for (const item of group) {
      if (item.change.key.startsWith(fencePrefix)) {
        fences.set(item.change.key, item.change);
        continue;
      }
      mirror.apply(item.change);
      changes.push(item.change);
    }
    log.append(
      group.map(({ change, bytes }) => ({
        revision: change.revision,
        change: change.key.startsWith(fencePrefix) ? undefined : change,
        bytes,
      })),
    );
    wakeWaiters(false);
    tell(changes);
  };
  const finishLoad = (): void => {
    const loading = at.loading;
    if (loading === undefined) return;
    at.loading = undefined;
    batch = [];
    const revision = Math.max(at.received, loading.floor);
    at.received = revision;
    const changes = replaceMirror(mirror, fences, loading.changes, revision);
    log.reset(revision);
    wakeWaiters(true);
    tell(changes);
    onLoaded?.();
  };
  const onMessage = (message: TailMessage): void => {
    const item = receive(message, options.prefix, mirror, link);
    if (at.loading !== undefined) {
      at.received = Math.max(at.received, message.seq);
      at.loading.changes.set(item.change.key, item.change);
      if (message.pending === 0) finishLoad();
      return;
    }
    if (message.seq !== at.received + 1) {
      // A hole: what stood there was removed before we saw it, so only the whole stream tells the truth.
      link.log.warn({ expected: at.received + 1, got: message.seq }, "the resource stream has a hole: reading it anew");
      at.loading = { changes: new Map(), floor: 0 };
      tail?.restart({ kind: "last-per-subject" });
      return;
    }
    at.received = message.seq;
    if (batch.length > 0 && batch[0]?.batchId !== item.batchId) {
      applyAll(batch);
      batch = [];
    }
    if (item.batchId !== "" && !item.isCommit) {
      batch.push(item);
      return;
    }
    const group = [...batch, item];
    batch = [];
    applyAll(group);
  };
  const onStart = async (start: TailStart): Promise<TailStart> => {
    const info: StreamInfo = await withLink(
      link,
      `reading stream ${options.stream}`,
      () => link.jsm.streams.info(options.stream),
      closing.signal,
    );
    const isOther = at.created !== "" && at.created !== info.created;
    const isRolledBack = info.state.last_seq < at.received;
    if (at.loading === undefined && !isOther && !isRolledBack) return start;
    if (isOther || isRolledBack) {
      link.log.warn({ had: at.received, has: info.state.last_seq }, "the resource stream went back: reading it anew");
    }
    at.created = info.created;
    at.received = 0;
    // Taken before the consumer exists: what it hands out holds, or has replaced, everything up to here.
    at.loading = { changes: new Map(), floor: info.state.last_seq };
    return { kind: "last-per-subject" };
  };

  tail = tailStream(link, {
    stream: options.stream,
    start: { kind: "last-per-subject" },
    onMessage,
    onStart,
    onOpen: (pending) => {
      if (pending === 0) finishLoad();
    },
  });
  const close = async (): Promise<void> => {
    closing.abort(storeUnavailable("the store was closed", "unknown"));
    listeners.clear();
    await tail?.close();
  };
  try {
    await abortable(loaded, signal);
  } catch (error) {
    await close();
    throw error;
  }
  return {
    mirror,
    log,
    fences,
    get revision() {
      return log.revision;
    },
    async caughtUp(revision, waitSignal) {
      while (log.revision < revision) await woken(revision, waitSignal);
    },
    async movedOn(revision, waitSignal) {
      if (log.revision <= revision) await woken(revision + 1, waitSignal);
    },
    onChange(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    close,
  };
}

interface Received {
  readonly change: Change;
  readonly bytes: number;
  readonly batchId: string;
  readonly isCommit: boolean;
}

function receive(message: TailMessage, prefix: string, mirror: ResourceMirror, link: NatsLink): Received {
  const key = message.subject.slice(prefix.length);
  let value: unknown;
  if (message.data.length > 0 && message.header("KV-Operation") === "") {
    try {
      value = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(message.data));
    } catch (error) {
      // Not written by us. The revision has moved, which must be seen; the last good value stays.
      link.log.error({ err: error, key, revision: message.seq }, "a resource in the stream is no JSON: old value kept");
      value = mirror.get(key)?.value;
    }
  }
  return {
    change: { key, revision: message.seq, value: value ?? undefined, timeMs: message.timeMs },
    bytes: message.data.length + 256,
    batchId: message.header("Nats-Batch-Id"),
    isCommit: message.header("Nats-Batch-Commit") !== "",
  };
}

/** Makes the mirror equal to `next` and returns what that changed, in the order of the revisions. */
function replaceMirror(
  mirror: ResourceMirror,
  fences: StoreFeed["fences"],
  next: ReadonlyMap<string, Change>,
  revision: number,
): Change[] {
  const changes: Change[] = [];
  for (const key of [...mirror.keys()]) {
    if (next.has(key)) continue;
    changes.push({ key, revision, value: undefined, timeMs: Date.now() });
  }
  for (const tombstone of [...mirror.tombstones()]) mirror.forget(tombstone.key, tombstone.revision);
  fences.clear();
  for (const change of next.values()) {
    if (change.key.startsWith(fencePrefix)) fences.set(change.key, change);
    else if (change.value === undefined) {
      if (mirror.get(change.key) !== undefined) changes.push(change);
      else mirror.apply(change);
    } else {
      // The time as well: after a restore, another write may stand at the same sequence.
      const had = mirror.get(change.key);
      if (had?.revision !== change.revision || had.timeMs !== change.timeMs) changes.push(change);
    }
  }
  changes.sort((a, b) => a.revision - b.revision);
  for (const change of changes) {
    mirror.apply(change);
    // Its tombstone is gone from the stream: a new write of the key starts from revision 0.
    if (!next.has(change.key)) mirror.forget(change.key, change.revision);
  }
  return changes;
}
