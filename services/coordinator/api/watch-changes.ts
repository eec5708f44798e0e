import { AgentdError } from "../../core/errors.ts";
import type { Change, Entry, ResourceStore } from "../../platform/nats/store.ts";
import { nextOrTick } from "./next-or-tick.ts";

/** One change as a watcher sees it. */
export type WatchEvent<T> =
  | { readonly type: "ADDED" | "MODIFIED" | "DELETED"; readonly entry: Entry<T>; readonly resourceVersion: string }
  | { readonly type: "BOOKMARK"; readonly entry?: undefined; readonly resourceVersion: string };

/** What {@link watchChanges} watches. */
export interface WatchScope<T> {
  /** Keys begin so. */
  readonly prefix: string;
  readonly isInScope: (value: T) => boolean;
  /** Whether a selector of the watcher's takes it, which may change; absent: all. */
  readonly isSelected?: (value: T) => boolean;
  /** Whether this is how such a resource looks when it is new. */
  readonly isNew: (value: T) => boolean;
  /** Where to start; empty: first the present state. */
  readonly resourceVersion: string;
  readonly bookmarkMs: number;
}

/**
 * Changes of the resources in scope, in order and without a gap. While the present state is given, `resourceVersion`
 * is empty: a watcher that is cut off there starts again. Bookmarks move it on while nothing in scope changes.
 * @throws AgentdError WATCH_EXPIRED: list again
 */
export async function* watchChanges<T>(
  store: ResourceStore,
  scope: WatchScope<T>,
  signal: AbortSignal,
): AsyncGenerator<WatchEvent<T>, void, undefined> {
  const startRevision = store.revision;
  const isShown = (value: T): boolean => scope.isInScope(value) && (scope.isSelected?.(value) ?? true);
  const present = store.list<T>(scope.prefix).filter((entry) => isShown(entry.value));
  // The last state of what is in scope: a deletion carries it.
  const known = new Map<string, Entry<T>>(present.map((entry) => [entry.key, entry]));
  let from = startRevision;
  if (scope.resourceVersion === "") {
    for (const entry of present) yield { type: "ADDED", entry, resourceVersion: "" };
    yield { type: "BOOKMARK", resourceVersion: String(startRevision) };
  } else from = readVersion(scope.resourceVersion);
  const seen = new Set(scope.resourceVersion === "" ? known.keys() : []);
  const ending = new AbortController();
  const changes = store.watch(from, AbortSignal.any([signal, ending.signal]))[Symbol.asyncIterator]();
  let position = from;
  let marked = from;
  let next = changes.next();
  try {
    for (;;) {
      const result = await nextOrTick(next, scope.bookmarkMs);
      if (result === "tick") {
        if (position === marked) continue;
        marked = position;
        yield { type: "BOOKMARK", resourceVersion: String(position) };
        continue;
      }
      if (result.done === true) return;
      const change = result.value;
      position = change.revision;
      const event = toEvent(scope, change, { known, seen, isReplay: change.revision <= startRevision });
      if (event !== undefined) {
        marked = position;
        yield event;
      }
      next = changes.next();
    }
  } finally {
    next.catch(() => undefined);
    ending.abort(new DOMException("the watch has ended", "AbortError"));
  }
}

interface Memory<T> {
  readonly known: Map<string, Entry<T>>;
  /** Keys that the watcher knows of: their changes are MODIFIED. */
  readonly seen: Set<string>;
  readonly isReplay: boolean;
}

function toEvent<T>(scope: WatchScope<T>, change: Change, memory: Memory<T>): WatchEvent<T> | undefined {
  const { key, revision, timeMs } = change;
  if (!key.startsWith(scope.prefix)) return undefined;
  const { known, seen, isReplay } = memory;
  const resourceVersion = String(revision);
  if (change.value === undefined) {
    const last = known.get(key);
    if (last === undefined) {
      // It lived and died before this watcher came: its last state is not known, so neither is whether it is in scope.
      if (isReplay) throw new AgentdError("WATCH_EXPIRED", "a resource was deleted meanwhile; list again");
      return undefined;
    }
    known.delete(key);
    seen.delete(key);
    return { type: "DELETED", entry: { ...last, revision, timeMs }, resourceVersion };
  }
  // Only coordinators write here, from values of this type.
  const value = change.value as T;
  if (!scope.isInScope(value)) return undefined;
  const entry = { key, value, revision, timeMs };
  if (scope.isSelected?.(value) === false) {
    // Not selected any more, or never: what a watcher that goes on from long ago knows is not known here.
    const wasShown = known.delete(key) || isReplay;
    seen.delete(key);
    return wasShown ? { type: "DELETED", entry, resourceVersion } : undefined;
  }
  const isEntering = scope.isSelected !== undefined && !isReplay && !known.has(key);
  known.set(key, entry);
  const type = !seen.has(key) && (scope.isNew(value) || isEntering) ? "ADDED" : "MODIFIED";
  seen.add(key);
  return { type, entry, resourceVersion };
}

/** The version that a client sent. @throws AgentdError INVALID_SPEC */
export function readVersion(text: string): number {
  const revision = /^\d{1,15}$/.test(text) ? Number(text) : undefined;
  if (revision !== undefined) return revision;
  const problems = [{ field: "resource_version", message: "is not from an answer of this server" }];
  throw new AgentdError("INVALID_SPEC", "the resource version is not from an answer of this server", { problems });
}
