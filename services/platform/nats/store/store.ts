import type { NatsLink } from "../connect.ts";
import { withLink } from "../connect.ts";
import { tombstoneAgeMs } from "../stream-limits.ts";
import { resourcePrefix, streamNames } from "../subjects.ts";
import type { Change, Entry } from "./resource-mirror.ts";
import { commitWrites, type Fence, type Write } from "./store-commit.ts";
import { compactHistory } from "./store-compact.ts";
import { openFeed, type StoreFeed } from "./store-feed.ts";
import { watchChanges } from "./store-watch.ts";
import { readStored } from "./stored-change.ts";
import { createStreamHistory } from "./stream-history.ts";

export type { Change, Entry } from "./resource-mirror.ts";
export type { Fence, Write } from "./store-commit.ts";

/** All resources: reads from memory, writes by compare-and-swap. */
export interface ResourceStore {
  /** From the in-memory mirror. The value is shared: treat it as frozen. */
  get<T>(key: string): Entry<T> | undefined;
  /** From the mirror, sorted by key. A prefix with two dots or more looks at one job's (namespace's) keys only. */
  list<T>(prefix: string): readonly Entry<T>[];
  /** Last stream sequence applied to the mirror. Several keys written in one commit appear in it together. */
  readonly revision: number;
  /** Authoritative, from the stream's leader. @throws STORE_UNAVAILABLE */
  read<T>(key: string, signal: AbortSignal): Promise<Entry<T> | undefined>;
  /**
   * Writes all or nothing: one write is a compare-and-swap, several (or a fence) are one atomic batch. Returns the
   * last revision, and resolves only once the mirror holds it (read-your-writes).
   * @throws CONFLICT when a revision moved: nothing was written.
   * @throws STORE_UNAVAILABLE with `metadata.outcome`: `none`, `unknown` (read again) or `written`.
   * @throws LIMIT_EXCEEDED for a resource above 32 KiB, more than 1,000 messages (a fence is one).
   * @throws STORE_FULL: nothing was written.
   */
  commit(writes: readonly Write[], signal: AbortSignal, fence?: Fence): Promise<number>;
  /** Resolves when the mirror holds `revision`. */
  caughtUp(revision: number, signal: AbortSignal): Promise<void>;
  /**
   * Every change behind `fromRevision`, in order and without a hole, for ever, in pages of at most 256. A replica that is behind
   * waits first; a slow reader gets what it let pass from the stream.
   * @throws WATCH_EXPIRED for a hole in what is stored, or a revision that does not exist yet.
   */
  watch(fromRevision: number, signal: AbortSignal): AsyncIterable<readonly Change[]>;
  /** In memory, after the mirror was updated; must return quickly. Returns the way to stop. */
  onChange(listener: (change: Change) => void): () => void;
  /**
   * Removes tombstones (and fences) older than an hour from the stream, at most 1,000 a call; returns how many.
   * To be called by the leader now and then. Watches from before them expire.
   */
  purgeTombstones(nowMs: number, signal: AbortSignal): Promise<number>;
  /**
   * Removes from the stream what later changes of the same keys have replaced, as far as it is older than the revision
   * `before`; returns how many messages. What keys hold now stays. Watches from before them expire.
   */
  compact(before: number, signal: AbortSignal): Promise<number>;
}

/** Bounds of the shared buffer of recent changes. */
export interface StoreOptions {
  /** Default 32,768 changes. */
  readonly bufferedChanges?: number;
  /** Of JSON, which is about three times as much in memory. Default 8 MiB. */
  readonly bufferedBytes?: number;
}

const purgesMax = 1_000;

/**
 * Opens the store: reads the whole stream into memory and follows it, over lost connections and server restarts.
 * `ensureStreams` must have run. @throws STORE_UNAVAILABLE, or the signal's reason
 */
export async function openStore(
  link: NatsLink,
  options: StoreOptions,
  signal: AbortSignal,
): Promise<ResourceStore & AsyncDisposable> {
  const feed = await openFeed(
    link,
    {
      stream: streamNames.resources,
      prefix: resourcePrefix,
      logItems: options.bufferedChanges ?? 32_768,
      logBytes: options.bufferedBytes ?? 8 * 1_024 * 1_024,
    },
    signal,
  );
  const deps = { link, feed, history: createStreamHistory(link, () => feed.log.epoch) };
  let closing: Promise<void> | undefined;
  return {
    get: <T>(key: string) => feed.mirror.get(key) as Entry<T> | undefined,
    list: <T>(prefix: string) => feed.mirror.list(prefix) as readonly Entry<T>[],
    get revision() {
      return feed.revision;
    },
    read: (key, readSignal) => readKey(link, key, readSignal),
    commit: (writes, commitSignal, fence) => commitWrites(deps, writes, fence, commitSignal),
    caughtUp: (revision, waitSignal) => feed.caughtUp(revision, waitSignal),
    watch: (fromRevision, watchSignal) => watchChanges(deps, fromRevision, watchSignal),
    onChange: (listener) => feed.onChange(listener),
    purgeTombstones: (nowMs, purgeSignal) => purge(link, feed, nowMs - tombstoneAgeMs, purgeSignal),
    compact: (before, compactSignal) => compactHistory(deps, before, compactSignal),
    [Symbol.asyncDispose]() {
      closing ??= feed.close();
      return closing;
    },
  };
}

async function readKey<T>(link: NatsLink, key: string, signal: AbortSignal): Promise<Entry<T> | undefined> {
  const stored = await readStored(link, `reading ${key}`, { last_by_subj: `${resourcePrefix}${key}` }, signal);
  if (stored?.value === undefined) return undefined;
  // Only coordinators write here, and who asks knows what they write.
  return { key, value: stored.value as T, revision: stored.revision, timeMs: stored.timeMs };
}

async function purge(link: NatsLink, feed: StoreFeed, olderThanMs: number, signal: AbortSignal): Promise<number> {
  const fences = [...feed.fences].map(([key, { revision, timeMs }]) => ({ key, revision, timeMs }));
  const old = [...feed.mirror.tombstones(), ...fences].filter((each) => each.timeMs < olderThanMs).slice(0, purgesMax);
  for (const { key, revision } of old) {
    // Only up to the tombstone: a key that was made again in this moment keeps its new value.
    await withLink(
      link,
      `purging the tombstone of ${key}`,
      () => link.jsm.streams.purge(streamNames.resources, { filter: `${resourcePrefix}${key}`, seq: revision + 1 }),
      signal,
    );
    feed.mirror.forget(key, revision);
    if (feed.fences.get(key)?.revision === revision) feed.fences.delete(key);
  }
  return old.length;
}
