import { createHash } from "node:crypto";
import { closeSync, constants, fstatSync, lstatSync, openSync, readFileSync, readlinkSync } from "node:fs";
import type { IndexMode } from "./index-file.ts";

/** A file or link as git stores it. */
export interface FileContent {
  readonly mode: IndexMode;
  /** Of a link: where it points. */
  readonly content: Buffer;
}

/** A path of a tree (its bytes as characters) for the file system. */
export function pathIn(tree: string, path: string): string | Buffer {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: all of ASCII
  if (/^[\x00-\x7f]*$/.test(path)) return `${tree}/${path}`;
  return Buffer.concat([Buffer.from(`${tree}/`), Buffer.from(path, "latin1")]);
}

/**
 * Reads a file or link of an agent's tree: no link is followed, a pipe does not hold it.
 *
 * @throws Error when it is something else, larger than `bytesMax`, or may not be read.
 */
export function readContent(tree: string, path: string, bytesMax: number): FileContent {
  const place = pathIn(tree, path);
  if (lstatSync(place).isSymbolicLink()) {
    return { mode: "120000", content: readlinkSync(place, { encoding: "buffer" }) };
  }
  const file = openSync(place, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  try {
    const info = fstatSync(file);
    if (!info.isFile() || info.size > bytesMax) throw new Error("no small file");
    return { mode: (info.mode & 0o100) === 0 ? "100644" : "100755", content: readFileSync(file) };
  } finally {
    closeSync(file);
  }
}

/** The object name of a file's content. */
export function blobName(content: Buffer): string {
  return createHash("sha1").update(`blob ${content.length}\0`).update(content).digest("hex");
}
