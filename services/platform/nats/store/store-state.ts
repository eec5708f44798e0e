import { abortable } from "../../lifecycle/abortable.ts";
import type { Logger } from "../../telemetry/log.ts";
import { fencePrefix } from "../subjects.ts";
import { type ChangeLog, type ChangeLogLimits, createChangeLog } from "./change-log.ts";
import { type Change, createMirror, type ResourceMirror } from "./resource-mirror.ts";

/** One message of the resource stream, read. */
export interface Received {
  readonly change: Change;
  readonly bytes: number;
  /** "" = written alone. */
  readonly batchId: string;
  /** The last message of its batch. */
  readonly isCommit: boolean;
}

/** What the store knows, and who waits to know more. Memory only. */
export interface StoreState {
  readonly mirror: ResourceMirror;
  readonly log: ChangeLog;
  /** Fences still stored, to be purged like tombstones. */
  readonly fences: Map<string, { readonly revision: number; readonly timeMs: number }>;
  /** Applies the messages of one commit at once, so that nobody sees one half of a batch. */
  apply(group: readonly Received[]): void;
  /** Makes everything equal to `next`, as of `revision`: the log begins anew. */
  replace(next: ReadonlyMap<string, Change>, revision: number): void;
  /** Resolves once the log holds `revision`, or began anew. @throws the signal's reason, or that of {@link close} */
  woken(revision: number, signal: AbortSignal): Promise<void>;
  /** Ends all waits, also those to come. */
  close(reason: unknown): void;
  onChange(listener: (change: Change) => void): () => void;
}

/** An empty state. */
export function createStoreState(limits: ChangeLogLimits, logger: Logger): StoreState {
  const mirror = createMirror();
  const log = createChangeLog(limits);
  const fences: StoreState["fences"] = new Map();
  const listeners = createListeners(logger);
  const waiters = new Set<PromiseWithResolvers<void> & { readonly revision: number }>();
  let closed: { readonly reason: unknown } | undefined;

  const wake = (isAnew: boolean): void => {
    for (const waiter of [...waiters]) {
      if (waiter.revision > log.revision && !isAnew) continue;
      waiters.delete(waiter);
      waiter.resolve();
    }
  };
  return {
    mirror,
    log,
    fences,
    apply(group) {
      const isFence = (change: Change): boolean => change.key.startsWith(fencePrefix);
      const changes: Change[] = [];
      const items = group.map(({ change: received, bytes }) => {
        const { key, revision } = received;
        if (isFence(received)) {
          fences.set(key, received);
          return { revision, change: undefined, bytes };
        }
        const change: Change = { ...received, before: mirror.get(key) ?? "none" };
        mirror.apply(change);
        changes.push(change);
        return { revision, change, bytes };
      });
      log.append(items);
      wake(false);
      listeners.tell(changes);
    },
    replace(next, revision) {
      const changes = replaceAll(mirror, fences, next, revision);
      log.reset(revision);
      wake(true);
      listeners.tell(changes);
    },
    async woken(revision, signal) {
      if (closed !== undefined) throw closed.reason;
      const mine = { revision, ...Promise.withResolvers<void>() };
      waiters.add(mine);
      try {
        await abortable(mine.promise, signal);
      } finally {
        waiters.delete(mine);
      }
    },
    close(reason) {
      closed ??= { reason };
      for (const waiter of waiters) waiter.reject(reason);
    },
    onChange: listeners.add,
  };
}

/** A listener that throws harms neither the others nor the store. */
function createListeners(logger: Logger): {
  readonly add: StoreState["onChange"];
  readonly tell: (changes: readonly Change[]) => void;
} {
  const listeners = new Set<(change: Change) => void>();
  return {
    add(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    tell(changes) {
      for (const change of changes) {
        for (const listener of [...listeners]) {
          try {
            listener(change);
          } catch (error) {
            logger.error({ err: error, key: change.key }, "a listener of the store failed");
          }
        }
      }
    },
  };
}

/** Makes the mirror equal to `next` and returns what that changed, in the order of the revisions. */
function replaceAll(
  mirror: ResourceMirror,
  fences: StoreState["fences"],
  next: ReadonlyMap<string, Change>,
  revision: number,
): Change[] {
  const changes: Change[] = [];
  for (const key of [...mirror.keys()]) {
    if (!next.has(key)) changes.push({ key, revision, value: undefined, timeMs: 0 });
  }
  for (const tombstone of [...mirror.tombstones()]) mirror.forget(tombstone.key, tombstone.revision);
  fences.clear();
  for (const change of next.values()) {
    const had = mirror.get(change.key);
    if (change.key.startsWith(fencePrefix)) fences.set(change.key, change);
    else if (change.value === undefined && had === undefined) mirror.apply(change);
    // The time as well: after a restore, another write may stand at the same sequence.
    else if (had?.revision !== change.revision || had.timeMs !== change.timeMs) changes.push(change);
  }
  changes.sort((a, b) => a.revision - b.revision);
  for (const change of changes) {
    mirror.apply(change);
    // Its tombstone is gone from the stream: a new write of the key starts from revision 0.
    if (!next.has(change.key)) mirror.forget(change.key, change.revision);
  }
  return changes;
}
