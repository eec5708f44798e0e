import { createHash } from "node:crypto";
import { writeFile } from "node:fs/promises";
import { promisify } from "node:util";
import { deflate } from "node:zlib";
import type { Repository } from "../bare-repository.ts";
import { readLooseObject } from "../loose-object.ts";
import type { ObjectType } from "../object-reader.ts";

const pack = promisify(deflate);
/** Of its objects together; a larger pack is worth git's deltas. */
const bytesMax = 256 * 1024;
/** gitformat-pack(5). */
const typeNumbers: Readonly<Record<ObjectType, number>> = { commit: 1, tree: 2, blob: 3, tag: 4 };

/** A bundle of few objects. */
export interface SmallBundle {
  readonly ref: string;
  readonly commit: string;
  /** What the receiver must have: all that `objects` name and do not hold. */
  readonly base: string;
  /** What is in the bundle; each stored by itself in the repository. */
  readonly objects: readonly string[];
}

/** Writes the bundle that `createBundle` writes, without starting git. @returns false when there is too much in it. */
export async function writeSmallBundle(repository: Repository, bundle: SmallBundle, file: string): Promise<boolean> {
  const header = Buffer.alloc(12);
  header.write("PACK", "latin1");
  header.writeUInt32BE(2, 4);
  header.writeUInt32BE(bundle.objects.length, 8);
  const parts: Buffer[] = [header];
  let left = bytesMax;
  for (const name of bundle.objects) {
    const object = await readLooseObject(repository.objectDirectory, name, bytesMax).catch(() => undefined);
    if (object === undefined || object.content.length > left) return false;
    left -= object.content.length;
    parts.push(entryHeader(object.type, object.content.length), await pack(object.content));
  }
  const bytes = Buffer.concat(parts);
  const checksum = createHash("sha1").update(bytes).digest();
  const text = `# v2 git bundle\n-${bundle.base}\n${bundle.commit} ${bundle.ref}\n\n`;
  await writeFile(file, Buffer.concat([Buffer.from(text), bytes, checksum]), { flag: "wx", mode: 0o600 });
  return true;
}

/** Type and length: four bits of the length in the first byte, then seven bits a byte, the lowest first. */
function entryHeader(type: ObjectType, length: number): Buffer {
  const bytes = [(typeNumbers[type] << 4) | (length & 15)];
  for (let rest = length >> 4; rest > 0; rest >>= 7) {
    bytes.push(rest & 127);
    bytes[bytes.length - 2] = (bytes.at(-2) ?? 0) | 128;
  }
  return Buffer.from(bytes);
}
