import { createHash, randomBytes } from "node:crypto";
import { readFileSync } from "node:fs";
import { mkdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { deflate, inflate, inflateSync } from "node:zlib";
import type { GitObject, ObjectType } from "./object-reader.ts";

const pack = promisify(deflate);
const unpack = promisify(inflate);

/** Longer than any header: a type, a blank, a number and NUL. */
const headerBytesMax = 32;

/** The file of an object that is stored by itself, relative to the object directory. */
export function loosePath(object: string): string {
  return join(object.slice(0, 2), object.slice(2));
}

/** Writes an object as git does, without starting it; the file appears whole or not at all. @returns its name */
export async function writeLooseObject(
  objectDirectory: string,
  type: ObjectType,
  content: Uint8Array,
): Promise<string> {
  const bytes = Buffer.concat([Buffer.from(`${type} ${content.length}\0`), content]);
  const object = createHash("sha1").update(bytes).digest("hex");
  const draft = join(objectDirectory, `tmp_obj_${randomBytes(8).toString("hex")}`);
  try {
    await writeFile(draft, await pack(bytes), { flag: "wx", mode: 0o444 });
    await mkdir(join(objectDirectory, object.slice(0, 2)), { recursive: true });
    await rename(draft, join(objectDirectory, loosePath(object)));
    return object;
  } catch (error) {
    await rm(draft, { force: true });
    throw error;
  }
}

/**
 * Reads the file of an object that is stored by itself; undefined when there is none.
 *
 * @throws Error when it is larger than `maxBytes`, or no git object.
 */
export async function readLooseObject(
  objectDirectory: string,
  object: string,
  maxBytes: number,
): Promise<GitObject | undefined> {
  const packed = await readFile(join(objectDirectory, loosePath(object))).catch((error: NodeJS.ErrnoException) => {
    if (error.code === "ENOENT") return undefined;
    throw error;
  });
  if (packed === undefined) return undefined;
  return parseLoose(object, await unpack(packed, { maxOutputLength: maxBytes + headerBytesMax }));
}

/** As {@link readLooseObject}, for many small ones: each of its waits costs more than the whole read. */
export function readLooseObjectSync(objectDirectory: string, object: string, maxBytes: number): GitObject | undefined {
  let packed: Buffer;
  try {
    packed = readFileSync(join(objectDirectory, loosePath(object)));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw error;
  }
  return parseLoose(object, inflateSync(packed, { maxOutputLength: maxBytes + headerBytesMax }));
}

function parseLoose(object: string, bytes: Buffer): GitObject {
  const end = bytes.indexOf(0);
  const match = /^(blob|tree|commit|tag) (\d+)$/.exec(bytes.subarray(0, Math.max(0, end)).toString("latin1"));
  const content = bytes.subarray(end + 1);
  if (match === null || Number(match[2]) !== content.length) throw new Error(`object ${object} is broken`);
  return { type: match[1] as ObjectType, content };
}
