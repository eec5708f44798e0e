import { createHash, randomBytes } from "node:crypto";
import { type FileHandle, open, rename, rm } from "node:fs/promises";
import { headers } from "@nats-io/nats-core";
import { Objm } from "@nats-io/obj";
import type { NatsLink } from "../connect.ts";
import { withLink } from "../connect.ts";
import { type BucketName, objectStream } from "../subjects.ts";
import { chunkBytes, chunkSubject, formatMeta, metaSubject } from "./object-format.ts";
import { type ReadOptions, readMeta, readThrough } from "./object-reader.ts";

export type { ReadOptions } from "./object-reader.ts";

/** Where an object's bytes come from. */
export type ObjectSource = { readonly file: string } | Uint8Array;

/** An object that is completely stored. */
export interface StoredObject {
  /** sha256 of the content in hex + "/" + random: never used twice. */
  readonly name: string;
  readonly size: number;
}

/** Chunks on their way to the server at a time. */
const chunksInFlight = 8;
const memoryBytesMax = 16 * 1_024 * 1_024;

/**
 * Stores an object under a new name. In bucket `agentd` it is read back before this returns. A failed put leaves no
 * object; its chunks are removed by `sweepChunks` (or, in `inbox`, by age). Put it again: that makes another name.
 *
 * Own code instead of the object store's `put`: that one needs rights to purge and to read the whole bucket, which a
 * worker must not have, and after a lost answer it removes chunks that may belong to a live object.
 * @throws STORE_UNAVAILABLE; STORE_FULL when the bucket is
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
  let failure: unknown;
  for await (const chunk of chunksOf(source)) {
    hash.update(chunk);
    size += chunk.length;
    chunks += 1;
    const sent: Promise<unknown> = publish(chunkSubject(bucket, nuid), chunk)
      .catch((error: unknown) => {
        failure ??= error;
      })
      .finally(() => inFlight.delete(sent));
    inFlight.add(sent);
    if (inFlight.size >= chunksInFlight) await Promise.race(inFlight);
    if (failure !== undefined) break;
  }
  // All of them, so that a failure leaves nothing on its way.
  await Promise.all(inFlight);
  if (failure !== undefined) throw failure;
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

/** What is known about an object without reading it. */
export interface ObjectStat {
  readonly size: number;
  /** When it was completely stored, by the server's clock. */
  readonly storedAtMs: number;
}

/** Size and age of an object; undefined when it is not there. @throws STORE_UNAVAILABLE */
export async function statObject(
  link: NatsLink,
  bucket: BucketName,
  name: string,
  signal: AbortSignal,
): Promise<ObjectStat | undefined> {
  const meta = await readMeta(link, bucket, name, signal);
  return meta === undefined ? undefined : { size: meta.size, storedAtMs: meta.storedAtMs };
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
 * `olderThanMs` (server time) and `hasRested` agrees. Returns how many such puts. Coordinators only. @throws STORE_UNAVAILABLE
 */
export async function sweepChunks(
  link: NatsLink,
  bucket: BucketName,
  { olderThanMs, hasRested }: { readonly olderThanMs: number; readonly hasRested: (subject: string) => boolean },
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
    if (last === null || last.time.getTime() >= olderThanMs || !hasRested(subject)) continue;
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
