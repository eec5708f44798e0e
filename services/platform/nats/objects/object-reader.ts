import { createHash } from "node:crypto";
import { JetStreamError } from "@nats-io/jetstream";
import { AgentdError } from "../../../core/errors.ts";
import { abortable } from "../../lifecycle/abortable.ts";
import type { NatsLink } from "../connect.ts";
import { withLink } from "../connect.ts";
import { storeUnavailable, toAgentdError } from "../nats-error.ts";
import { type BucketName, objectStream } from "../subjects.ts";
import { chunkSubject, digestOfName, metaSubject, type ObjectMeta, parseMeta } from "./object-format.ts";

/** Bounds of a read. */
export interface ReadOptions {
  /** For the whole read; default 2 min. */
  readonly timeoutMs?: number;
  /** More bytes than this are refused with LIMIT_EXCEEDED; default 4 GiB (16 MiB when read into memory). */
  readonly bytesMax?: number;
}

/** Chunks asked for at a time: at most 4 MiB wait in memory. */
const pageChunks = 32;
const readTimeoutMs = 120_000;

function missing(bucket: BucketName, name: string, why: string): AgentdError {
  return new AgentdError("OBJECT_MISSING", `object ${name} of bucket ${bucket} ${why}`, {
    metadata: { object: name, bucket },
    retryAfterMs: 1_000,
  });
}

/** An object's description; undefined when it is not there. @throws OBJECT_MISSING for a name that is none of ours */
export async function readMeta(
  link: NatsLink,
  bucket: BucketName,
  name: string,
  signal: AbortSignal,
): Promise<(ObjectMeta & { readonly storedAtMs: number }) | undefined> {
  if (digestOfName(name) === undefined) {
    throw missing(bucket, JSON.stringify(name.slice(0, 100)), "is no object's name");
  }
  const query = { last_by_subj: metaSubject(bucket, name) };
  const ask = () => link.jsm.direct.getMessage(objectStream(bucket), query);
  const stored = await withLink(link, `looking for an object in ${bucket}`, ask, signal);
  const meta = stored === null ? undefined : parseMeta(stored.string(), name);
  return stored === null || meta === undefined ? undefined : { ...meta, storedAtMs: stored.time.getTime() };
}

/**
 * Hands on each chunk in order; returns the size when all of it was there and the digest is the name's.
 * @throws OBJECT_MISSING, LIMIT_EXCEEDED, STORE_UNAVAILABLE
 */
export async function readThrough(
  link: NatsLink,
  bucket: BucketName,
  name: string,
  onChunk: (chunk: Uint8Array) => Promise<void>,
  options: ReadOptions,
  outer: AbortSignal,
): Promise<number> {
  const limit = AbortSignal.timeout(options.timeoutMs ?? readTimeoutMs);
  const signal = AbortSignal.any([outer, limit]);
  const bytesMax = options.bytesMax ?? 4 * 1_024 ** 3;
  try {
    const meta = await readMeta(link, bucket, name, signal);
    if (meta === undefined) throw missing(bucket, name, "is not there");
    const hash = createHash("sha256");
    let size = 0;
    let chunks = 0;
    let seq = 1;
    while (chunks < meta.chunks) {
      const page = await readPage(link, bucket, meta.nuid, seq, Math.min(pageChunks, meta.chunks - chunks), signal);
      if (page.length === 0) throw missing(bucket, name, `has ${chunks} of ${meta.chunks} parts`);
      for (const chunk of page) {
        size += chunk.data.length;
        if (size > bytesMax) {
          throw new AgentdError("LIMIT_EXCEEDED", `object ${name} has more than ${bytesMax} bytes`);
        }
        hash.update(chunk.data);
        await onChunk(chunk.data);
        seq = chunk.seq + 1;
      }
      chunks += page.length;
    }
    if (hash.digest("hex") !== digestOfName(name)) throw missing(bucket, name, "is not what its name says");
    return size;
  } catch (error) {
    outer.throwIfAborted();
    if (limit.aborted) throw storeUnavailable(`reading object ${name}: not done in time`, "none", error);
    throw error;
  }
}

/** Direct gets need no consumer: nothing is left on the server, and a worker needs no right to make one. */
async function readPage(
  link: NatsLink,
  bucket: BucketName,
  nuid: string,
  seq: number,
  batch: number,
  signal: AbortSignal,
): Promise<readonly { readonly seq: number; readonly data: Uint8Array }[]> {
  const doing = `reading an object of ${bucket}`;
  const ask = async (): Promise<readonly { readonly seq: number; readonly data: Uint8Array }[]> => {
    const query = { batch, seq, next_by_subj: chunkSubject(bucket, nuid) };
    const messages = await link.jsm.direct.getBatch(objectStream(bucket), query);
    const page: { readonly seq: number; readonly data: Uint8Array }[] = [];
    try {
      for await (const message of messages) page.push({ seq: message.seq, data: message.data });
    } catch (error) {
      if (!isNothingThere(error)) throw error;
    }
    return page;
  };
  try {
    return await withLink(link, doing, () => abortable(ask(), signal), signal);
  } catch (error) {
    throw toAgentdError(error, doing, signal);
  }
}

/** Status 404: no message from that sequence on. */
function isNothingThere(error: unknown): boolean {
  return error instanceof JetStreamError && "code" in error && error.code === 404;
}
