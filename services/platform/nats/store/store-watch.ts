import { type Consumer, DeliverPolicy, type JsMsg } from "@nats-io/jetstream";
import { AgentdError } from "../../../core/errors.ts";
import { abortable } from "../../lifecycle/abortable.ts";
import type { NatsLink } from "../connect.ts";
import { withLink } from "../connect.ts";
import { fencePrefix, resourcePrefix, streamNames } from "../subjects.ts";
import type { Change } from "./resource-mirror.ts";
import type { StoreFeed } from "./store-feed.ts";

/** Changes taken from memory, or messages from the server, at a time: all that a slow reader makes us hold. */
const pageMax = 256;

/**
 * Every change behind `fromRevision`, in order, without a hole, in pages of what is there; see `ResourceStore.watch`. Old changes are
 * replayed from the stream, newer ones come from the shared log in memory, so that a watcher has no buffer of its own.
 */
export async function* watchChanges(
  deps: { readonly link: NatsLink; readonly feed: StoreFeed },
  fromRevision: number,
  signal: AbortSignal,
): AsyncGenerator<readonly Change[], void, undefined> {
  const { link, feed } = deps;
  if (!Number.isSafeInteger(fromRevision) || fromRevision < 0) throw expired(fromRevision, "no revision");
  if (fromRevision > feed.revision) await awaitRevision(link, feed, fromRevision, signal);
  const epoch = feed.log.epoch;
  let position = fromRevision;
  let isLive = false;
  for (;;) {
    signal.throwIfAborted();
    if (feed.log.epoch !== epoch) throw expired(position, "the stream was read anew");
    const page = feed.log.after(position, pageMax);
    if (page !== undefined) {
      isLive = true;
      if (page.changes.length > 0) yield page.changes;
      if (page.position === position) await feed.movedOn(position, signal);
      position = page.position;
      continue;
    }
    if (isLive) throw expired(position, "the reader was too slow");
    for await (const replayed of replay(link, position, feed.revision, signal)) {
      position = replayed.at(-1)?.revision ?? position;
      yield replayed.filter(({ key }) => !key.startsWith(fencePrefix));
    }
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

/** The stream's messages behind `after` up to `upTo`. @throws WATCH_EXPIRED for a hole or an early end */
async function* replay(
  link: NatsLink,
  after: number,
  upTo: number,
  signal: AbortSignal,
): AsyncGenerator<readonly Change[], void, undefined> {
  let position = after;
  const doing = `replaying from revision ${after}`;
  const consumer = await withLink(
    link,
    doing,
    () =>
      link.js.consumers.get(streamNames.resources, {
        deliver_policy: DeliverPolicy.StartSequence,
        opt_start_seq: after + 1,
      }),
    signal,
  );
  try {
    let isEnd = false;
    while (position < upTo) {
      if (isEnd) throw expired(position, `the replay ends below revision ${upTo}`);
      const count = Math.min(pageMax, upTo - position);
      const page = await withLink(link, doing, () => readPage(consumer, count), signal);
      isEnd = page.length === 0 || page.at(-1)?.info.pending === 0;
      for (const message of page) {
        if (message.seq !== position + 1) throw expired(position, "older changes are no longer stored");
        position = message.seq;
      }
      yield page.map(toChange);
    }
  } finally {
    await abortable(consumer.delete(), AbortSignal.timeout(1_000)).catch(() => undefined);
  }
}

/** Ends early where nothing more is stored: the fetch itself would wait for its whole time. */
async function readPage(consumer: Consumer, count: number): Promise<readonly JsMsg[]> {
  const page: JsMsg[] = [];
  for await (const message of await consumer.fetch({ max_messages: count, expires: 1_000 })) {
    page.push(message);
    if (message.info.pending === 0) break;
  }
  return page;
}

function toChange(message: JsMsg): Change {
  const isDelete = message.data.length === 0 || (message.headers?.get("KV-Operation") ?? "") !== "";
  return {
    key: message.subject.slice(resourcePrefix.length),
    revision: message.seq,
    value: isDelete ? undefined : message.json<unknown>(),
    timeMs: message.time.getTime(),
  };
}
