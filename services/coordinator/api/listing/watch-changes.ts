import { AgentdError } from "../../../core/errors.ts";
import type { Change, Entry, ResourceStore } from "../../../platform/nats/store/store.ts";
import { createTicks } from "./next-or-tick.ts";

/** One change as a watcher sees it. */
export type WatchEvent<T> =
  | { readonly type: "ADDED" | "MODIFIED" | "DELETED"; readonly entry: Entry<T>; readonly resourceVersion: string }
  | { readonly type: "BOOKMARK"; readonly entry?: undefined; readonly resourceVersion: string };

/** What {@link watchChanges} watches. */
export interface WatchScope<T, M> {
  /** Keys begin so. */
  readonly prefix: string;
  readonly isInScope: (value: T) => boolean;
  /** Whether a selector of the watcher's takes it, which may change; absent: all. */
  readonly isSelected?: (value: T) => boolean;
  /** Whether this is how such a resource looks when it is new. */
  readonly isNew: (value: T) => boolean;
  /** What the watcher is given for an event. */
  readonly show: (event: WatchEvent<T>) => M;
  /** Where to start; empty: first the present state. */
  readonly resourceVersion: string;
  readonly bookmarkMs: number;
}

/**
 * Changes of the resources in scope, in order and without a gap. While the present state is given, `resourceVersion`
 * is empty: a watcher that is cut off there starts again. Bookmarks move it on while nothing in scope changes.
 *
 * A watcher holds nothing of what it has shown: each change says what was there before.
 * @throws AgentdError WATCH_EXPIRED: list again
 */
export async function* watchChanges<T, M>(
  store: ResourceStore,
  scope: WatchScope<T, M>,
  signal: AbortSignal,
): AsyncGenerator<M, void, undefined> {
  const { show } = scope;
  let position = store.revision;
  if (scope.resourceVersion === "") {
    const startRevision = position;
    const present = store.list<T>(scope.prefix).filter(({ value }) => isShown(scope, value));
    for (const entry of present) yield show({ type: "ADDED", entry, resourceVersion: "" });
    yield show({ type: "BOOKMARK", resourceVersion: String(startRevision) });
  } else position = readVersion(scope.resourceVersion);
  // By hand: a signal of AbortSignal.any looks at all of its sources each time that it is asked.
  const ending = new AbortController();
  const end = (): void => ending.abort(signal.reason);
  signal.addEventListener("abort", end, { once: true });
  if (signal.aborted) end();
  const changes = store.watch(position, ending.signal)[Symbol.asyncIterator]();
  using ticks = createTicks(scope.bookmarkMs);
  let marked = { position, atMs: performance.now() };
  const mark = (): void => void (marked = { position, atMs: performance.now() });
  let next = changes.next();
  try {
    for (;;) {
      const result = await ticks.nextOrTick(next);
      if (result !== "tick") {
        if (result.done === true) return;
        for (const change of result.value) {
          position = change.revision;
          const event = toEvent(scope, change);
          if (event === undefined) continue;
          mark();
          yield show(event);
        }
        next = changes.next();
      }
      // Also where others' changes come all the time, so that there is never a tick.
      const isDue = result === "tick" || performance.now() - marked.atMs >= scope.bookmarkMs;
      if (position === marked.position || !isDue) continue;
      mark();
      yield show({ type: "BOOKMARK", resourceVersion: String(position) });
    }
  } finally {
    next.catch(() => undefined);
    signal.removeEventListener("abort", end);
    ending.abort(new DOMException("the watch has ended", "AbortError"));
  }
}

function toEvent<T>(scope: WatchScope<T, unknown>, change: Change): WatchEvent<T> | undefined {
  const { key, revision, timeMs } = change;
  if (!key.startsWith(scope.prefix)) return undefined;
  // Only coordinators write here, from values of this type.
  const before = change.before as Entry<T> | "none" | undefined;
  const resourceVersion = String(revision);
  if (change.value === undefined) {
    // Its last state is no longer stored, so nobody knows whether it was in scope.
    if (before === undefined) throw new AgentdError("WATCH_EXPIRED", "a resource was deleted meanwhile; list again");
    if (before === "none" || !isShown(scope, before.value)) return undefined;
    return { type: "DELETED", entry: { ...before, revision, timeMs }, resourceVersion };
  }
  const value = change.value as T;
  if (!scope.isInScope(value)) return undefined;
  const entry = { key, value, revision, timeMs };
  const wasShown = before === undefined ? undefined : before !== "none" && isShown(scope, before.value);
  if (!isShown(scope, value)) return wasShown === false ? undefined : { type: "DELETED", entry, resourceVersion };
  const isAdded = wasShown === undefined ? scope.isNew(value) : !wasShown;
  return { type: isAdded ? "ADDED" : "MODIFIED", entry, resourceVersion };
}

function isShown<T>(scope: WatchScope<T, unknown>, value: T): boolean {
  return scope.isInScope(value) && (scope.isSelected?.(value) ?? true);
}

/** The version that a client sent. @throws AgentdError INVALID_SPEC */
export function readVersion(text: string): number {
  const revision = /^\d{1,15}$/.test(text) ? Number(text) : undefined;
  if (revision !== undefined) return revision;
  const problems = [{ field: "resource_version", message: "is not from an answer of this server" }];
  throw new AgentdError("INVALID_SPEC", "the resource version is not from an answer of this server", { problems });
}
