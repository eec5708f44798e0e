import { createHash, randomBytes } from "node:crypto";
import { type FileHandle, open, rename, rm } from "node:fs/promises";
import { JetStreamError } from "@nats-io/jetstream";
import { headers } from "@nats-io/nats-core";
import { Objm } from "@nats-io/obj";
import { AgentdError } from "../../core/errors.ts";
import { abortable } from "./abortable.ts";
import type { NatsLink } from "./connect.ts";
import { withLink } from "./connect.ts";
import { storeUnavailable, toAgentdError } from "./nats-error.ts";
import {
  chunkBytes,
  chunkSubject,
  digestOfName,
  formatMeta,
  metaSubject,
  type ObjectMeta,
  parseMeta,
} from "./object-format.ts";
import { type BucketName, objectStream } from "./subjects.ts";

/** Where an object's bytes come from. */
export type ObjectSource = { readonly file: string } | Uint8Array;

/** An object that is completely stored. */
export interface StoredObject {
  /** sha256 of the content in hex + "/" + random: never used twice. */
  readonly name: string;
  readonly size: number;
}

/** Bounds of a read. */
export interface ReadOptions {
  /** For the whole read; default 2 min. */
  readonly timeoutMs?: number;
  /** More bytes than this are refused with LIMIT_EXCEEDED; default 4 GiB (16 MiB when read into memory). */
  readonly bytesMax?: number;
}

/** Chunks on their way to the server at a time. */
const chunksInFlight = 8;
/** Chunks asked for at a time: at most 4 MiB wait in memory. */
const pageChunks = 32;
const readTimeoutMs = 120_000;
const memoryBytesMax = 16 * 1_024 * 1_024;

/**
 * Stores an object under a new name. In bucket `agentd` it is read back before this returns. A failed put leaves no
 * object; its chunks are removed by `sweepChunks` (or, in `inbox`, by age). Put it again: that makes another name.
 *
 * Own code instead of the object store's `put`: that one needs rights to purge and to read the whole bucket, which a
 * worker must not have, and after a lost answer it removes chunks that may belong to a live object.
 * @throws STORE_UNAVAILABLE; LIMIT_EXCEEDED when the bucket is full
 */
export async function putObject(
  link: NatsLink,
  bucket: BucketName,
  source: ObjectSource,
  signal: AbortSignal,
): Promise<StoredObject> {
  const nuid = randomBytes(16).toString("hex");
  const hash = createHash("sha256");
  const inFlight = new Set<Promise<unknown>>();
  const publish = (subject: string, data: Uint8Array | string, expectedLast?: number): Promise<unknown> => {
    const hdrs = headers();
    if (expectedLast !== undefined) hdrs.set("Nats-Expected-Last-Subject-Sequence", String(expectedLast));
    const options = { headers: hdrs, timeout: link.requestTimeoutMs, retries: 0 };
    return withLink(link, `storing an object in ${bucket}`, () => link.js.publish(subject, data, options), signal);
  };
  let size = 0;
  let chunks = 0;
  try {
    for await (const chunk of chunksOf(source)) {
      hash.update(chunk);
      size += chunk.length;
      chunks += 1;
      const sent: Promise<unknown> = publish(chunkSubject(bucket, nuid), chunk).finally(() => inFlight.delete(sent));
      sent.catch(() => undefined);
      inFlight.add(sent);
      if (inFlight.size >= chunksInFlight) await Promise.race(inFlight);
    }
  } finally {
    // All of them, so that a failure leaves nothing on its way.
    const results = await Promise.allSettled(inFlight);
    const failed = results.find((result) => result.status === "rejected");
    if (failed !== undefined) throw failed.reason;
  }
  const sha256 = hash.digest();
  const name = `${sha256.toString("hex")}/${randomBytes(16).toString("hex")}`;
  await publish(metaSubject(bucket, name), formatMeta(bucket, { name, nuid, size, chunks }, sha256, new Date()), 0);
  if (bucket === "agentd") await readThrough(link, bucket, name, async () => undefined, { bytesMax: size }, signal);
  return { name, size };
}

/**
 * Reads an object into a file, which appears only when all of it is there and its digest is right.
 * @throws OBJECT_MISSING when it is not there, incomplete or not what its name says; LIMIT_EXCEEDED; STORE_UNAVAILABLE
 */
export async function getObject(
  link: NatsLink,
  bucket: BucketName,
  name: string,
  toFile: string,
  options: ReadOptions,
  signal: AbortSignal,
): Promise<StoredObject> {
  const part = `${toFile}.part-${randomBytes(6).toString("hex")}`;
  const file: FileHandle = await open(part, "wx", 0o600);
  try {
    const size = await readThrough(link, bucket, name, (chunk) => writeAll(file, chunk), options, signal);
    await file.close();
    await rename(part, toFile);
    return { name, size };
  } catch (error) {
    await file.close().catch(() => undefined);
    await rm(part, { force: true });
    throw error;
  }
}

/** Reads a small object (16 MiB unless told) into memory. @throws as `getObject` */
export async function readObject(
  link: NatsLink,
  bucket: BucketName,
  name: string,
  options: ReadOptions,
  signal: AbortSignal,
): Promise<Buffer> {
  const parts: Uint8Array[] = [];
  const keep = async (chunk: Uint8Array): Promise<void> => {
    parts.push(chunk);
  };
  await readThrough(link, bucket, name, keep, { bytesMax: memoryBytesMax, ...options }, signal);
  return Buffer.concat(parts);
}

/** Removes an object: its description first, so that nobody finds half of it. Not there is fine. Coordinators only. */
export async function deleteObject(
  link: NatsLink,
  bucket: BucketName,
  name: string,
  signal: AbortSignal,
): Promise<void> {
  const meta = await readMeta(link, bucket, name, signal);
  const purge = async (filter: string): Promise<void> => {
    const run = () => link.jsm.streams.purge(objectStream(bucket), { filter });
    await withLink(link, `deleting an object from ${bucket}`, run, signal);
  };
  await purge(metaSubject(bucket, name));
  if (meta !== undefined) await purge(chunkSubject(bucket, meta.nuid));
}

/** An object of the bucket's list. */
export interface ListedObject extends StoredObject {
  readonly modifiedAtMs: number;
  readonly nuid: string;
}

/** All objects of a bucket, for mark-and-sweep. Coordinators only. @throws STORE_UNAVAILABLE */
export async function listObjects(
  link: NatsLink,
  bucket: BucketName,
  signal: AbortSignal,
): Promise<readonly ListedObject[]> {
  const list = async (): Promise<readonly ListedObject[]> => {
    const store = await new Objm(link.js).open(bucket, false);
    const infos = await store.list();
    return infos.map(({ name, size, mtime, nuid }) => ({ name, size, nuid, modifiedAtMs: Date.parse(mtime) }));
  };
  return await withLink(link, `listing bucket ${bucket}`, list, signal);
}

/**
 * Removes chunks that no object's description names, from puts that failed, when the newest is older than
 * `olderThanMs` (server time). Returns how many such puts. Coordinators only. @throws STORE_UNAVAILABLE
 */
export async function sweepChunks(
  link: NatsLink,
  bucket: BucketName,
  olderThanMs: number,
  signal: AbortSignal,
): Promise<number> {
  const stream = objectStream(bucket);
  const doing = `sweeping bucket ${bucket}`;
  const filter = chunkSubject(bucket, "*");
  // Chunks first, names after: a put that ends in between is seen as named.
  const ask = () => link.jsm.streams.info(stream, { subjects_filter: filter });
  const info = await withLink(link, doing, ask, signal);
  const named = new Set((await listObjects(link, bucket, signal)).map((each) => chunkSubject(bucket, each.nuid)));
  let swept = 0;
  for (const subject of Object.keys(info.state.subjects ?? {})) {
    if (named.has(subject)) continue;
    const last = await withLink(
      link,
      doing,
      () => link.jsm.streams.getMessage(stream, { last_by_subj: subject }),
      signal,
    );
    if (last === null || last.time.getTime() >= olderThanMs) continue;
    await withLink(link, doing, () => link.jsm.streams.purge(stream, { filter: subject }), signal);
    swept += 1;
  }
  return swept;
}

/** Copies an object into another bucket under a new name, verified on the way. Coordinators only. @throws as `getObject` */
export async function copyObject(
  link: NatsLink,
  from: { readonly bucket: BucketName; readonly name: string },
  to: BucketName,
  viaFile: string,
  options: ReadOptions,
  signal: AbortSignal,
): Promise<StoredObject> {
  await getObject(link, from.bucket, from.name, viaFile, options, signal);
  try {
    return await putObject(link, to, { file: viaFile }, signal);
  } finally {
    await rm(viaFile, { force: true });
  }
}

function missing(bucket: BucketName, name: string, why: string): AgentdError {
  return new AgentdError("OBJECT_MISSING", `object ${name} of bucket ${bucket} ${why}`, {
    metadata: { object: name, bucket },
    retryAfterMs: 1_000,
  });
}

async function readMeta(
  link: NatsLink,
  bucket: BucketName,
  name: string,
  signal: AbortSignal,
): Promise<ObjectMeta | undefined> {
  if (digestOfName(name) === undefined)
    throw missing(bucket, JSON.stringify(name.slice(0, 100)), "is no object's name");
  const query = { last_by_subj: metaSubject(bucket, name) };
  const ask = () => link.jsm.direct.getMessage(objectStream(bucket), query);
  const stored = await withLink(link, `looking for an object in ${bucket}`, ask, signal);
  return stored === null ? undefined : parseMeta(stored.string(), name);
}

/** Hands on each chunk in order; returns the size when all of it was there and the digest is the name's. */
async function readThrough(
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

async function* chunksOf(source: ObjectSource): AsyncGenerator<Uint8Array, void, undefined> {
  if (source instanceof Uint8Array) {
    for (let at = 0; at < source.length; at += chunkBytes) yield source.subarray(at, at + chunkBytes);
    return;
  }
  const file = await open(source.file, "r");
  try {
    for (;;) {
      // A new buffer each time: the last one is still on its way.
      const buffer = Buffer.allocUnsafe(chunkBytes);
      let filled = 0;
      while (filled < chunkBytes) {
        const { bytesRead } = await file.read(buffer, filled, chunkBytes - filled, null);
        if (bytesRead === 0) break;
        filled += bytesRead;
      }
      if (filled > 0) yield buffer.subarray(0, filled);
      if (filled < chunkBytes) return;
    }
  } finally {
    await file.close();
  }
}

async function writeAll(file: FileHandle, chunk: Uint8Array): Promise<void> {
  let written = 0;
  while (written < chunk.length) written += (await file.write(chunk, written)).bytesWritten;
}
