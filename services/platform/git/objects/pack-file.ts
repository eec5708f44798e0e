import { createHash } from "node:crypto";
import { mkdir, rename, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setImmediate as nextTurn } from "node:timers/promises";
import { crc32, deflateSync } from "node:zlib";
import type { Repository } from "../bare-repository.ts";
import type { NewObject } from "./commit-objects.ts";
import type { ObjectType } from "./object-reader.ts";

/** A pack (gitformat-pack(5)) whose objects are all whole, and what its index says. */
export interface PackFile {
  readonly bytes: Buffer;
  readonly entries: readonly PackEntry[];
}

interface PackEntry {
  readonly name: Buffer;
  readonly offset: number;
  readonly crc: number;
}

const typeNumbers: Readonly<Record<ObjectType, number>> = { commit: 1, tree: 2, blob: 3, tag: 4 };
/** Objects packed between two turns of the event loop: about a millisecond. */
const objectsATurn = 16;

/**
 * Names of objects do not pack, and files are small: the least effort gains most of it in a third of the time. Less memory for what is
 * short, which takes longer to prepare than to pack.
 */
function deflation({ length }: Buffer): {
  readonly level: 1;
  readonly windowBits?: number;
  readonly memLevel?: number;
} {
  return length > 4_096 ? { level: 1 } : { level: 1, windowBits: 12, memLevel: 5 };
}

/** Packs objects, each of which is there once. */
export async function packObjects(objects: readonly NewObject[]): Promise<PackFile> {
  const header = Buffer.alloc(12);
  header.write("PACK", "latin1");
  header.writeUInt32BE(2, 4);
  header.writeUInt32BE(objects.length, 8);
  const parts: Buffer[] = [header];
  const entries: PackEntry[] = [];
  let offset = header.length;
  for (const [at, { name, type, content }] of objects.entries()) {
    if (at % objectsATurn === objectsATurn - 1) await nextTurn();
    const packed = Buffer.concat([entryHeader(type, content.length), deflateSync(content, deflation(content))]);
    entries.push({ name: Buffer.from(name, "hex"), offset, crc: crc32(packed) });
    parts.push(packed);
    offset += packed.length;
  }
  const body = Buffer.concat(parts);
  return { bytes: Buffer.concat([body, createHash("sha1").update(body).digest()]), entries };
}

/** Adds the pack to the repository. The index comes last: it is what makes a pack visible. */
export async function writePack({ objectDirectory }: Repository, { bytes, entries }: PackFile): Promise<void> {
  const checksum = bytes.subarray(-20);
  const folder = join(objectDirectory, "pack");
  const path = join(folder, `pack-${checksum.toString("hex")}`);
  await mkdir(folder, { recursive: true });
  await writeFile(`${path}.pack`, bytes, { mode: 0o444 });
  await writeFile(`${path}.idx-draft`, packIndex(entries, checksum), { mode: 0o444 });
  await rename(`${path}.idx-draft`, `${path}.idx`);
}

/** Version 2: how many names begin with at most each byte; names, checksums and offsets in the order of the names. */
function packIndex(entries: readonly PackEntry[], packChecksum: Buffer): Buffer {
  const sorted = [...entries].sort((a, b) => Buffer.compare(a.name, b.name));
  const head = Buffer.alloc(8 + 256 * 4);
  head.writeUInt32BE(0xff744f63, 0);
  head.writeUInt32BE(2, 4);
  let count = 0;
  for (let byte = 0; byte < 256; byte += 1) {
    while (count < sorted.length && (sorted[count]?.name[0] ?? 0) <= byte) count += 1;
    head.writeUInt32BE(count, 8 + 4 * byte);
  }
  const numbers = Buffer.alloc(8 * sorted.length);
  for (const [at, { crc, offset }] of sorted.entries()) {
    numbers.writeUInt32BE(crc, 4 * at);
    numbers.writeUInt32BE(offset, 4 * (sorted.length + at));
  }
  const body = Buffer.concat([head, ...sorted.map(({ name }) => name), numbers, packChecksum]);
  return Buffer.concat([body, createHash("sha1").update(body).digest()]);
}

/** Type and length: four bits of the length in the first byte, then seven bits a byte, the lowest first. */
export function entryHeader(type: ObjectType, length: number): Buffer {
  const bytes = [(typeNumbers[type] << 4) | (length & 15)];
  for (let rest = length >> 4; rest > 0; rest >>= 7) {
    bytes.push(rest & 127);
    bytes[bytes.length - 2] = (bytes.at(-2) ?? 0) | 128;
  }
  return Buffer.from(bytes);
}
