import { createHash } from "node:crypto";
import { inflateSync } from "node:zlib";
import type { GitObject, ObjectType } from "./object-reader.ts";

/** What is in a pack, before git has seen it. */
export interface PackContents {
  readonly objects: number;
  /** Bytes of all its objects, unpacked, as git would refuse to make them longer. */
  readonly expandedBytes: number;
  /** All its objects, where each is there whole and the pack's checksum is right; undefined where git is to be asked. */
  readonly whole: readonly GitObject[] | undefined;
}

const headerBytes = 12;
const trailerBytes = 20;
const types: readonly (ObjectType | undefined)[] = [undefined, "commit", "tree", "blob", "tag"];
const offsetDelta = 6;
const referenceDelta = 7;

/**
 * Counts what a small pack (gitformat-pack(5)) unpacks to, so that git is not started on one that explodes.
 *
 * @returns undefined for a pack above the bounds, and for one that is broken: git says how.
 */
export function scanPack(
  pack: Buffer,
  bounds: { readonly maxObjects: number; readonly maxExpandedBytes: number },
): PackContents | undefined {
  const end = pack.length - trailerBytes;
  if (end < headerBytes || pack.toString("latin1", 0, 4) !== "PACK" || pack.readUInt32BE(4) !== 2) return undefined;
  const objects = pack.readUInt32BE(8);
  if (objects > bounds.maxObjects) return undefined;
  let at = headerBytes;
  let expandedBytes = 0;
  const whole: GitObject[] = [];
  for (let count = 0; count < objects; count += 1) {
    const room = bounds.maxExpandedBytes - expandedBytes;
    const entry = scanEntry(pack.subarray(at, end), room);
    if (entry === undefined) return undefined;
    at += entry.packedBytes;
    expandedBytes += entry.expandedBytes;
    if (entry.object !== undefined) whole.push(entry.object);
    if (expandedBytes > bounds.maxExpandedBytes) return undefined;
  }
  if (at !== end) return undefined;
  const isRight = createHash("sha1").update(pack.subarray(0, end)).digest().equals(pack.subarray(end));
  return { objects, expandedBytes, whole: isRight && whole.length === objects ? whole : undefined };
}

interface Entry {
  readonly packedBytes: number;
  readonly expandedBytes: number;
  /** Undefined for a delta. */
  readonly object: GitObject | undefined;
}

function scanEntry(bytes: Buffer, room: number): Entry | undefined {
  let at = 0;
  let byte = bytes[at++] ?? 0;
  const type = (byte >> 4) & 7;
  let size = byte & 15;
  for (let factor = 16; byte & 128; factor *= 128) {
    byte = bytes[at++] ?? 0;
    size += (byte & 127) * factor;
    if (size > room) return undefined;
  }
  if (type === 0 || type === 5 || size > room) return undefined;
  if (type === referenceDelta) at += 20;
  if (type === offsetDelta) while ((bytes[at++] ?? 0) & 128);
  const inflated = inflateAt(bytes, at, size);
  if (inflated === undefined) return undefined;
  const isDelta = type === offsetDelta || type === referenceDelta;
  const expandedBytes = isDelta ? deltaResultBytes(inflated.content) : size;
  if (expandedBytes === undefined || Math.max(size, expandedBytes) > room) return undefined;
  const name = types[type];
  const object = name === undefined ? undefined : { type: name, content: inflated.content };
  return { packedBytes: at + inflated.packedBytes, expandedBytes, object };
}

function inflateAt(bytes: Buffer, at: number, size: number): { content: Buffer; packedBytes: number } | undefined {
  try {
    const options = { info: true, maxOutputLength: Math.max(1, size) } as const;
    // With `info` the answer is the engine too, which counts what it has read; the types do not know it.
    const answer: unknown = inflateSync(bytes.subarray(at), options);
    const { buffer, engine } = answer as { buffer: Buffer; engine: { bytesWritten: number } };
    return buffer.length === size ? { content: buffer, packedBytes: engine.bytesWritten } : undefined;
  } catch {
    return undefined;
  }
}

/** A delta begins with the sizes of what it changes and of what it makes: seven bits a byte, the lowest first. */
function deltaResultBytes(delta: Buffer): number | undefined {
  let at = 0;
  const next = (): number | undefined => {
    let value = 0;
    for (let factor = 1; factor < 2 ** 49; factor *= 128) {
      const byte = delta[at++];
      if (byte === undefined) return undefined;
      value += (byte & 127) * factor;
      if ((byte & 128) === 0) return value;
    }
    return undefined;
  };
  return next() === undefined ? undefined : next();
}
