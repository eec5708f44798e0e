import { type Consumer, DeliverPolicy, type JsMsg } from "@nats-io/jetstream";
import { abortable } from "../../lifecycle/abortable.ts";
import type { NatsLink } from "../connect.ts";
import { withLink } from "../connect.ts";
import { fencePrefix, streamNames } from "../subjects.ts";
import type { Change, Entry } from "./resource-mirror.ts";
import { expectedRevisionHeader } from "./store-commit.ts";
import { readStored, toChange } from "./stored-change.ts";

/**
 * What is stored of `count` revisions from `first` on, fences included, each with what its key held before where that is still
 * stored.
 * @throws STORE_UNAVAILABLE, or the signal's reason
 */
export async function readChanges(
  link: NatsLink,
  first: number,
  count: number,
  signal: AbortSignal,
): Promise<readonly Change[]> {
  const page = new Map<number, Read>();
  for (const message of await readMessages(link, first, count, signal)) page.set(message.seq, toRead(message));
  const withBefore = async ({ change, previous }: Read): Promise<Change> => {
    if (previous === undefined) return change;
    const held = previous === 0 ? "none" : await heldAt(link, page, change.key, previous, signal);
    return held === undefined ? change : { ...change, before: held };
  };
  return await Promise.all([...page.values()].map(withBefore));
}

interface Read {
  readonly change: Change;
  /** Revision of the key's message before this one, 0 = there was none; undefined for a fence, and where its writer did not say. */
  readonly previous: number | undefined;
}

async function readMessages(
  link: NatsLink,
  first: number,
  count: number,
  signal: AbortSignal,
): Promise<readonly JsMsg[]> {
  const doing = `replaying from revision ${first}`;
  const start = { deliver_policy: DeliverPolicy.StartSequence, opt_start_seq: first };
  const consumer = await withLink(link, doing, () => link.js.consumers.get(streamNames.resources, start), signal);
  try {
    const messages = await withLink(link, doing, () => fetchMessages(consumer, count), signal);
    return messages.filter(({ seq }) => seq < first + count);
  } finally {
    await abortable(consumer.delete(), AbortSignal.timeout(1_000)).catch(() => undefined);
  }
}

/** Ends early where nothing more is stored: the fetch itself would wait for its whole time. */
async function fetchMessages(consumer: Consumer, count: number): Promise<readonly JsMsg[]> {
  const page: JsMsg[] = [];
  for await (const message of await consumer.fetch({ max_messages: count, expires: 1_000 })) {
    page.push(message);
    if (message.info.pending === 0) break;
  }
  return page;
}

/** What the key held at a revision; undefined when that is no longer stored. */
async function heldAt(
  link: NatsLink,
  page: ReadonlyMap<number, Read>,
  key: string,
  revision: number,
  signal: AbortSignal,
): Promise<Entry | "none" | undefined> {
  const change =
    page.get(revision)?.change ?? (await readStored(link, `reading revision ${revision}`, { seq: revision }, signal));
  if (change?.key !== key) return undefined;
  const { value, timeMs } = change;
  return value === undefined ? "none" : { key, value, revision, timeMs };
}

function toRead(message: JsMsg): Read {
  const change = toChange(message, message.headers);
  const expected = message.headers?.get(expectedRevisionHeader) ?? "";
  // A fence's is another key's.
  const isKnown = expected !== "" && !change.key.startsWith(fencePrefix);
  return { change, previous: isKnown ? Number(expected) : undefined };
}
