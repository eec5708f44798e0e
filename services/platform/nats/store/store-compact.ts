import type { NatsLink } from "../connect.ts";
import { withLink } from "../connect.ts";
import { resourcePrefix, streamNames } from "../subjects.ts";
import type { StoreFeed } from "./store-feed.ts";

/** See `ResourceStore.compact`. */
export async function compactHistory(
  deps: { readonly link: NatsLink; readonly feed: StoreFeed },
  before: number,
  signal: AbortSignal,
): Promise<number> {
  const { link, feed } = deps;
  // To the server a purge up to 0 is one of everything.
  if (before < 2) return 0;
  const ask = () => link.jsm.streams.info(streamNames.resources, { subjects_filter: `${resourcePrefix}>` });
  const { state } = await withLink(link, "counting the revisions of each key", ask, signal);
  // It went back, after a restore: what we know of it is not what it holds, and we are about to read it anew.
  if (state.last_seq < feed.revision) return 0;
  let removed = 0;
  for (const [subject, count] of Object.entries(state.subjects ?? {})) {
    const newest = count > 1 ? newestOf(feed, subject.slice(resourcePrefix.length)) : undefined;
    if (newest === undefined) continue;
    const seq = Math.min(newest, before);
    const purge = () => link.jsm.streams.purge(streamNames.resources, { filter: subject, seq });
    removed += (await withLink(link, `removing what ${subject} held before`, purge, signal)).purged;
  }
  return removed;
}

/** Revision of what the key holds now: its value, tombstone or fence, which stays. */
function newestOf({ mirror, fences }: StoreFeed, key: string): number | undefined {
  return (mirror.get(key) ?? mirror.tombstone(key) ?? fences.get(key))?.revision;
}
