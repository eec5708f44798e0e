import { abortable } from "../../lifecycle/abortable.ts";
import type { NatsLink } from "../connect.ts";
import { withLink } from "../connect.ts";
import { storeUnavailable } from "../nats-error.ts";
import type { Change, ResourceMirror } from "./resource-mirror.ts";
import { createStoreState, type Received, type StoreState } from "./store-state.ts";
import { isDeletion } from "./stored-change.ts";
import { type StreamTail, type TailMessage, type TailStart, tailStream } from "./stream-tail.ts";

/** The mirror and what keeps it equal to the stream. */
export interface StoreFeed extends Pick<StoreState, "mirror" | "log" | "fences" | "onChange"> {
  readonly revision: number;
  /** Resolves when the mirror holds `revision`. */
  caughtUp(revision: number, signal: AbortSignal): Promise<void>;
  /** Resolves once there is something behind `revision`, or the log began anew. */
  movedOn(revision: number, signal: AbortSignal): Promise<void>;
  close(): Promise<void>;
}

/** What {@link openFeed} reads. */
export interface FeedOptions {
  readonly stream: string;
  /** Subjects of the stream are this and the key. */
  readonly prefix: string;
  /** Bounds of the log of recent changes. */
  readonly logItems: number;
  readonly logBytes: number;
}

/** Reads the whole stream into memory and follows it; resolves when it has caught up. @throws STORE_UNAVAILABLE */
export async function openFeed(link: NatsLink, options: FeedOptions, signal: AbortSignal): Promise<StoreFeed> {
  const state = createStoreState({ items: options.logItems, bytes: options.logBytes }, link.log);
  const closing = new AbortController();
  const loaded = Promise.withResolvers<void>();
  const tail = followStream(link, options, state, loaded.resolve, closing.signal);
  const close = async (): Promise<void> => {
    const reason = storeUnavailable("the store was closed", "unknown");
    closing.abort(reason);
    state.close(reason);
    await tail.close();
  };
  try {
    await abortable(loaded.promise, signal);
  } catch (error) {
    await close();
    throw error;
  }
  return {
    mirror: state.mirror,
    log: state.log,
    fences: state.fences,
    onChange: state.onChange,
    get revision() {
      return state.log.revision;
    },
    async caughtUp(revision, waitSignal) {
      while (state.log.revision < revision) await state.woken(revision, waitSignal);
    },
    async movedOn(revision, waitSignal) {
      if (state.log.revision <= revision) await state.woken(revision + 1, waitSignal);
    },
    close,
  };
}

/** Where the reader of the stream is. */
interface Position {
  /** Newest message received, those of an unfinished batch included. */
  received: number;
  /** When the stream was made; another time means that it is another stream. */
  created: string;
  /** Set while everything is read anew: the newest change of each key so far. */
  loading: { readonly changes: Map<string, Change>; readonly floor: number } | undefined;
  /** Messages of a batch whose last one has not come yet. */
  batch: Received[];
}

function followStream(
  link: NatsLink,
  options: FeedOptions,
  state: StoreState,
  onLoaded: () => void,
  closing: AbortSignal,
): StreamTail {
  const at: Position = { received: 0, created: "", loading: { changes: new Map(), floor: 0 }, batch: [] };
  const finishLoad = (): void => {
    if (at.loading === undefined) return;
    const { changes, floor } = at.loading;
    at.loading = undefined;
    at.batch = [];
    at.received = Math.max(at.received, floor);
    state.replace(changes, at.received);
    onLoaded();
  };
  const onMessage = (message: TailMessage): void => {
    const item = receive(message, options.prefix, state.mirror, link);
    if (at.loading !== undefined) {
      at.received = Math.max(at.received, message.seq);
      at.loading.changes.set(item.change.key, item.change);
      if (message.pending === 0) finishLoad();
    } else if (message.seq === at.received + 1) {
      at.received = message.seq;
      takeInOrder(at, item, state);
    } else {
      // A hole: what stood there was removed before we saw it, so only the whole stream tells the truth.
      link.log.warn({ expected: at.received + 1, got: message.seq }, "the resource stream has a hole: reading it anew");
      at.loading = { changes: new Map(), floor: 0 };
      tail.restart({ kind: "last-per-subject" });
    }
  };
  const onStart = async (start: TailStart): Promise<TailStart> => {
    const ask = () => link.jsm.streams.info(options.stream);
    const info = await withLink(link, `reading stream ${options.stream}`, ask, closing);
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
  const tail: StreamTail = tailStream(link, {
    stream: options.stream,
    start: { kind: "last-per-subject" },
    onMessage,
    onStart,
    onOpen: (pending) => {
      if (pending === 0) finishLoad();
    },
  });
  return tail;
}

/** Holds the messages of a batch back until its last one. */
function takeInOrder(at: Position, item: Received, state: StoreState): void {
  if (at.batch.length > 0 && at.batch[0]?.batchId !== item.batchId) {
    state.apply(at.batch);
    at.batch = [];
  }
  at.batch.push(item);
  if (item.batchId !== "" && !item.isCommit) return;
  const group = at.batch;
  at.batch = [];
  state.apply(group);
}

function receive(message: TailMessage, prefix: string, mirror: ResourceMirror, link: NatsLink): Received {
  const key = message.subject.slice(prefix.length);
  let value: unknown;
  if (!isDeletion(message.data, message.header("KV-Operation"))) {
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
