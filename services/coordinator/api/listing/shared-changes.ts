import { setNewest } from "../../../core/set-newest.ts";
import { encodedOnce } from "../../../platform/grpc/message-bytes.ts";
import type { WatchEvent } from "./watch-changes.ts";

/** A change as a message; all watchers of the same resources are given the same one. */
export type SharedChanges<T, M extends object> = (event: WatchEvent<T>) => M;

/** Changes kept: of a hundred watchers that replay, the last is some 1,400 behind the first. One that is farther behind makes its own. */
const keptMax = 2_048;

/**
 * Makes each change's message, and its bytes, once for all its watchers: with a hundred of them that is most of what a watch
 * costs. The present state, which has no version, is made for each.
 */
export function createSharedChanges<T, M extends object>(make: (event: WatchEvent<T>) => M): SharedChanges<T, M> {
  const kept = new Map<string, M>();
  return (event) => {
    if (event.resourceVersion === "") return make(event);
    const key = `${event.type} ${event.resourceVersion}`;
    const before = kept.get(key);
    if (before !== undefined) return before;
    const message = encodedOnce(make(event));
    setNewest(kept, key, message, keptMax);
    return message;
  };
}
