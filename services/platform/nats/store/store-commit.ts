import { randomUUID } from "node:crypto";
import { headers, type MsgHdrs } from "@nats-io/nats-core";
import { AgentdError } from "../../../core/errors.ts";
import { abortable, pause } from "../../lifecycle/abortable.ts";
import type { NatsLink } from "../connect.ts";
import { withLink } from "../connect.ts";
import { apiCodes, storeFull, storeUnavailable } from "../nats-error.ts";
import { batchMessagesMax, resourceBytesMax } from "../stream-limits.ts";
import { fencePrefix, isKey, resourcePrefix, streamNames } from "../subjects.ts";
import type { StoreFeed } from "./store-feed.ts";
import { isDeletion } from "./stored-change.ts";

/** One key's change in a commit. */
export interface Write {
  readonly key: string;
  /** undefined = delete (tombstone). */
  readonly value: object | undefined;
  /** Revision that this key must have; 0 = must be absent (a tombstone counts as absent). */
  readonly expected: number;
}

/** Another key that must still be at this revision; checked by the server in the same batch, not changed. */
export interface Fence {
  readonly key: string;
  readonly revision: number;
}

interface Message {
  readonly key: string;
  readonly payload: string;
  readonly isDelete: boolean;
  /** Revision that the server compares. */
  expected: number;
  /** The caller wants the key absent: `expected` is 0 or its tombstone's revision. */
  readonly isAbsent: boolean;
  /** Key whose revision is compared instead of this message's own. */
  readonly fenceOn?: string;
}

interface Ack {
  readonly seq?: number;
  readonly error?: { readonly err_code?: number; readonly code?: number; readonly description?: string };
}

/** The server compares it, and stores it with the message: who reads the stream learns which revision of the key came before. */
export const expectedRevisionHeader = "Nats-Expected-Last-Subject-Sequence";

/** Repeats of a batch that the server refused to open, before it counts as unavailable. */
const batchAttemptsMax = 6;
/** How long an answered write waits for the mirror. */
const mirrorWaitMs = 10_000;
/** How long a conflict waits for the mirror to show what it lost against. */
const conflictWaitMs = 1_000;

/** Writes all or nothing; see `ResourceStore.commit`. */
export async function commitWrites(
  deps: { readonly link: NatsLink; readonly feed: StoreFeed },
  writes: readonly Write[],
  fence: Fence | undefined,
  signal: AbortSignal,
): Promise<number> {
  const { link, feed } = deps;
  if (writes.length === 0) throw new RangeError("a commit needs at least one write");
  const messages = prepare(writes, fence);
  resolveAbsent(messages, feed);
  refuseStale(messages, feed);
  let hasLookedUp = false;
  for (let attempt = 1; ; attempt += 1) {
    const ack = await publish(link, messages, signal);
    const code = ack.error?.err_code;
    if (ack.error === undefined && ack.seq !== undefined) {
      await awaitMirror(feed, ack.seq, signal);
      return ack.seq;
    }
    if (code === apiCodes.wrongLastSequence || code === apiCodes.wrongLastSequenceUnknown) {
      await letMirrorSee(feed, ack.error?.description ?? "", signal);
      refuseStale(messages, feed);
      // The mirror explains nothing: a tombstone that it knows may be purged, or one that it does not know written.
      if (hasLookedUp || !(await lookUpAbsent(link, messages, signal))) throw conflict(messages, undefined);
      hasLookedUp = true;
      continue;
    }
    if (code === apiCodes.batchIncomplete && attempt < batchAttemptsMax) {
      // What a 51st open batch sees: its first messages were refused. Nothing is written.
      await pause(5 * 2 ** attempt * (0.5 + Math.random()), signal);
      continue;
    }
    throw refusal(messages, ack);
  }
}

function prepare(writes: readonly Write[], fence: Fence | undefined): Message[] {
  const seen = new Set<string>();
  const messages: Message[] = writes.map((write) => {
    if (!isKey(write.key)) throw new RangeError(`not a key of the resource stream: ${JSON.stringify(write.key)}`);
    if (seen.has(write.key)) throw new RangeError(`the key ${write.key} stands twice in one batch`);
    seen.add(write.key);
    const payload = write.value === undefined ? "" : JSON.stringify(write.value);
    const bytes = Buffer.byteLength(payload);
    if (bytes > resourceBytesMax) {
      throw new AgentdError("LIMIT_EXCEEDED", `${write.key} would be ${bytes} bytes; a resource has at most 32 KiB`, {
        metadata: { key: write.key, bytes: String(bytes), bytesMax: String(resourceBytesMax) },
      });
    }
    return {
      key: write.key,
      payload,
      isDelete: write.value === undefined,
      expected: write.expected,
      isAbsent: write.expected === 0,
    };
  });
  if (fence !== undefined) {
    if (seen.has(fence.key)) throw new RangeError(`${fence.key} is written in this batch, so it cannot be its fence`);
    // A message has one revision to compare: a fence needs a message of its own, which says nothing else.
    messages.unshift({
      key: `${fencePrefix}${fence.key}`,
      payload: "",
      isDelete: true,
      expected: fence.revision,
      isAbsent: false,
      fenceOn: fence.key,
    });
  }
  if (messages.length > batchMessagesMax) {
    throw new AgentdError("LIMIT_EXCEEDED", `${messages.length} messages in one batch; at most ${batchMessagesMax}`, {
      metadata: { messages: String(messages.length), messagesMax: String(batchMessagesMax) },
    });
  }
  return messages;
}

function resolveAbsent(messages: readonly Message[], feed: StoreFeed): void {
  for (const message of messages) {
    if (message.isAbsent) message.expected = feed.mirror.tombstone(message.key)?.revision ?? 0;
  }
}

/** Saves a round trip, and names the key: the mirror only ever lags, so what it has past `expected` is a conflict. */
function refuseStale(messages: readonly Message[], feed: StoreFeed): void {
  for (const message of messages) {
    const key = message.fenceOn ?? message.key;
    const entry = feed.mirror.get(key);
    const revision = entry?.revision ?? feed.mirror.tombstone(key)?.revision ?? 0;
    if (message.isAbsent ? entry !== undefined : revision > message.expected) throw conflict(messages, key);
  }
}

function conflict(messages: readonly Message[], key: string | undefined): AgentdError {
  const what =
    key ??
    messages
      .map((message) => message.fenceOn ?? message.key)
      .slice(0, 3)
      .join(", ");
  return new AgentdError("CONFLICT", `${what} was changed by somebody else; nothing was written`, {
    metadata: { outcome: "none", ...(key === undefined ? {} : { key }) },
  });
}

function refusal(messages: readonly Message[], ack: Ack): AgentdError {
  const text = `${ack.error?.description ?? "no sequence in the answer"} (JetStream ${ack.error?.err_code ?? "?"})`;
  const what = messages[0]?.key ?? "";
  const code = ack.error?.err_code;
  if (code === apiCodes.storeFailed) {
    return storeFull(
      `writing ${what}: the store is full (${text}); earlier states that make room are removed within a minute`,
    );
  }
  if (code === apiCodes.maxPayload || code === apiCodes.batchTooLarge) {
    return new AgentdError("LIMIT_EXCEEDED", `writing ${what}: ${text}`, { metadata: { outcome: "none", key: what } });
  }
  const isNothingWritten = code === apiCodes.batchIncomplete || ack.error?.code === 400;
  return storeUnavailable(`writing ${what}: ${text}`, isNothingWritten ? "none" : "unknown");
}

/** Asks the stream for each key that must be absent; true when an expected revision was corrected. */
async function lookUpAbsent(link: NatsLink, messages: readonly Message[], signal: AbortSignal): Promise<boolean> {
  let isCorrected = false;
  for (const message of messages) {
    if (!message.isAbsent) continue;
    const subject = `${resourcePrefix}${message.key}`;
    const stored = await withLink(
      link,
      `reading ${message.key}`,
      () => link.jsm.streams.getMessage(streamNames.resources, { last_by_subj: subject }),
      signal,
    );
    const isLive = stored !== null && !isDeletion(stored.data, stored.header.get("KV-Operation"));
    if (isLive) throw conflict(messages, message.key);
    const revision = stored?.seq ?? 0;
    if (revision === message.expected) continue;
    message.expected = revision;
    isCorrected = true;
  }
  return isCorrected;
}

async function publish(link: NatsLink, messages: readonly Message[], signal: AbortSignal): Promise<Ack> {
  const doing = `writing ${messages[0]?.key}`;
  const batchId = randomUUID();
  const send = async (): Promise<Ack> => {
    const last = messages.length - 1;
    let answer: Promise<Ack> | undefined;
    for (const [index, message] of messages.entries()) {
      const hdrs = messageHeaders(message);
      if (messages.length > 1) {
        hdrs.set("Nats-Batch-Id", batchId);
        hdrs.set("Nats-Batch-Sequence", String(index + 1));
        if (index === last) hdrs.set("Nats-Batch-Commit", "1");
      }
      const subject = `${resourcePrefix}${message.key}`;
      if (index < last) link.connection.publish(subject, message.payload, { headers: hdrs });
      else {
        const timeout = link.requestTimeoutMs;
        answer = link.connection
          .request(subject, message.payload, { headers: hdrs, timeout })
          .then((reply) => reply.json<Ack>());
      }
    }
    return (await answer) ?? {};
  };
  return await withLink(link, doing, send, signal);
}

function messageHeaders(message: Message): MsgHdrs {
  const hdrs = headers();
  hdrs.set(expectedRevisionHeader, String(message.expected));
  if (message.fenceOn !== undefined) {
    hdrs.set("Nats-Expected-Last-Subject-Sequence-Subject", `${resourcePrefix}${message.fenceOn}`);
  }
  if (message.isDelete) hdrs.set("KV-Operation", "DEL");
  return hdrs;
}

async function awaitMirror(feed: StoreFeed, revision: number, signal: AbortSignal): Promise<void> {
  if (feed.revision >= revision) return;
  const limit = AbortSignal.timeout(mirrorWaitMs);
  try {
    await abortable(feed.caughtUp(revision, AbortSignal.any([signal, limit])), signal);
  } catch (error) {
    if (signal.aborted) throw signal.reason;
    throw storeUnavailable(`written as revision ${revision}, but not seen back from NATS in time`, "written", error);
  }
}

/** Lets the mirror show the write that won, so that a caller who reads again does not lose again at once. */
async function letMirrorSee(feed: StoreFeed, description: string, signal: AbortSignal): Promise<void> {
  const revision = Number(/wrong last sequence: (\d+)/.exec(description)?.[1] ?? 0);
  if (feed.revision >= revision) return;
  const limit = AbortSignal.any([signal, AbortSignal.timeout(conflictWaitMs)]);
  await feed.caughtUp(revision, limit).catch(() => signal.throwIfAborted());
}
