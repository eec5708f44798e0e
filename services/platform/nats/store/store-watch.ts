import { AgentdError } from "../../../core/errors.ts";
import type { NatsLink } from "../connect.ts";
import { withLink } from "../connect.ts";
import { fencePrefix, streamNames } from "../subjects.ts";
import type { Change } from "./resource-mirror.ts";
import type { StoreFeed } from "./store-feed.ts";
import { pageRevisions, type StreamHistory } from "./stream-history.ts";

/**
 * Every change behind `fromRevision`, in order, without a hole, in pages of what is there; see `ResourceStore.watch`. Newer
 * changes come from the shared log in memory, so that a watcher has no buffer of its own; older ones, also those that a slow
 * reader has let pass, from the stream.
 */
export async function* watchChanges(
  deps: { readonly link: NatsLink; readonly feed: StoreFeed; readonly history: StreamHistory },
  fromRevision: number,
  signal: AbortSignal,
): AsyncGenerator<readonly Change[], void, undefined> {
  const { link, feed, history } = deps;
  if (!Number.isSafeInteger(fromRevision) || fromRevision < 0) throw expired(fromRevision, "no revision");
  if (fromRevision > feed.revision) await awaitRevision(link, feed, fromRevision, signal);
  const epoch = feed.log.epoch;
  let position = fromRevision;
  for (;;) {
    signal.throwIfAborted();
    if (feed.log.epoch !== epoch) throw expired(position, "the stream was read anew");
    const page = feed.log.after(position, pageRevisions);
    if (page !== undefined) {
      if (page.changes.length > 0) yield page.changes;
      if (page.position === position) await feed.movedOn(position, signal);
      position = page.position;
      continue;
    }
    const older = await history.after(position, feed.revision, signal);
    const last = older.at(-1);
    if (last === undefined) throw expired(position, "older changes are no longer stored");
    position = last.revision;
    const shown = older.filter(({ key }) => !key.startsWith(fencePrefix));
    if (shown.length > 0) yield shown;
  }
}

function expired(revision: number, why: string): AgentdError {
  return new AgentdError("WATCH_EXPIRED", `cannot watch from revision ${revision}: ${why}; list again`, {
    metadata: { revision: String(revision) },
  });
}

/** The mirror lags behind what the client has seen elsewhere, or the client has seen another stream. */
async function awaitRevision(link: NatsLink, feed: StoreFeed, revision: number, signal: AbortSignal): Promise<void> {
  const doing = "asking for the newest revision";
  const info = await withLink(link, doing, () => link.jsm.streams.info(streamNames.resources), signal);
  if (revision > info.state.last_seq) {
    throw expired(revision, `the newest is ${info.state.last_seq}`);
  }
  await feed.caughtUp(revision, signal);
}
