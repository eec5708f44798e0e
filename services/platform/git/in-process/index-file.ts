import { createHash } from "node:crypto";
import type { BigIntStats } from "node:fs";
import { readFile, stat } from "node:fs/promises";

/** A file, an executable or a link, as an index keeps it. */
export type IndexMode = "100644" | "100755" | "120000";

/** What a commit has at a path. */
export interface IndexedFile {
  readonly mode: IndexMode;
  readonly object: string;
}

/** A file of an index, with what `lstat` said when it was checked out. */
export interface IndexEntry extends IndexedFile {
  /** The path's bytes, one a character ("latin1"): such strings compare as git sorts, and names need not be UTF-8. */
  readonly path: string;
  readonly ctimeNs: bigint;
  readonly mtimeNs: bigint;
  /** Of this and the size git keeps the low 32 bits. */
  readonly ino: number;
  readonly size: number;
  /** All of it, as it stands in the index. */
  readonly bytes: Buffer;
}

/** An index that this process can work with. */
export interface IndexFile {
  /** In git's order. */
  readonly entries: readonly IndexEntry[];
  /** When it was written. A file that was changed in that moment or later may have been changed after its check-out. */
  readonly writtenNs: bigint;
}

const headerBytes = 12;
const checksumBytes = 20;
/** Ten numbers, the object, the flags. */
const entryBytes = 62;
const modes: ReadonlyMap<number, IndexMode> = new Map([
  [0o100644, "100644"],
  [0o100755, "100755"],
  [0o120000, "120000"],
]);

/**
 * Reads an index (gitformat-index(5)) of at most `entriesMax` files.
 *
 * @returns undefined for a larger one and for anything but the plain kind: with submodules, conflicts, sparse, split, damaged.
 */
export async function readIndex(file: string, entriesMax: number): Promise<IndexFile | undefined> {
  const { mtimeNs } = await stat(file, { bigint: true });
  const bytes = await readFile(file);
  const entries = parseIndex(bytes, entriesMax);
  return entries === undefined ? undefined : { entries, writtenNs: mtimeNs };
}

/** See {@link readIndex}. */
export function parseIndex(bytes: Buffer, entriesMax: number): readonly IndexEntry[] | undefined {
  const end = bytes.length - checksumBytes;
  if (end < headerBytes || bytes.toString("latin1", 0, 4) !== "DIRC" || bytes.readUInt32BE(4) !== 2) return undefined;
  const count = bytes.readUInt32BE(8);
  if (count > entriesMax) return undefined;
  const checksum = createHash("sha1").update(bytes.subarray(0, end)).digest();
  if (!checksum.equals(bytes.subarray(end))) return undefined;
  const entries: IndexEntry[] = [];
  let at = headerBytes;
  for (let index = 0; index < count; index += 1) {
    const nameEnd = at + entryBytes < end ? bytes.indexOf(0, at + entryBytes) : -1;
    const entry = nameEnd < 0 || nameEnd >= end ? undefined : parseEntry(bytes, at, nameEnd);
    if (entry === undefined) return undefined;
    entries.push(entry);
    at += entry.bytes.length;
  }
  return hasOnlyOptionalExtensions(bytes.subarray(at, end)) ? entries : undefined;
}

function parseEntry(bytes: Buffer, at: number, nameEnd: number): IndexEntry | undefined {
  const mode = modes.get(bytes.readUInt32BE(at + 24));
  const flags = bytes.readUInt16BE(at + 60);
  // Assumed valid, extended, or one side of a conflict.
  if (mode === undefined || (flags & 0xf000) !== 0) return undefined;
  return {
    path: bytes.toString("latin1", at + entryBytes, nameEnd),
    mode,
    object: bytes.toString("hex", at + 40, at + 60),
    ctimeNs: nanoseconds(bytes, at),
    mtimeNs: nanoseconds(bytes, at + 8),
    ino: bytes.readUInt32BE(at + 20),
    size: bytes.readUInt32BE(at + 36),
    // One to eight NUL bytes make the length a multiple of eight.
    bytes: bytes.subarray(at, at + ((nameEnd - at + 8) & ~7)),
  };
}

/** The bytes of a file's entry. */
export function indexEntryBytes(path: string, { mode, object }: IndexedFile, info: BigIntStats): Buffer {
  const name = Buffer.from(path, "latin1");
  const bytes = Buffer.alloc((entryBytes + name.length + 8) & ~7);
  const { ctimeNs, mtimeNs, dev, ino, uid, gid, size } = info;
  const second = 1_000_000_000n;
  const numbers = [ctimeNs / second, ctimeNs % second, mtimeNs / second, mtimeNs % second, dev, ino];
  for (const [at, value] of [...numbers, BigInt(`0o${mode}`), uid, gid, size].entries()) {
    bytes.writeUInt32BE(Number(value & 0xffffffffn), 4 * at);
  }
  bytes.write(object, 40, "hex");
  bytes.writeUInt16BE(Math.min(name.length, 0xfff), 60);
  name.copy(bytes, entryBytes);
  return bytes;
}

/** An index of these entries, whatever their order. */
export function formatIndex(entries: Iterable<Pick<IndexEntry, "path" | "bytes">>): Buffer {
  const sorted = [...entries].sort((a, b) => (a.path < b.path ? -1 : 1));
  const header = Buffer.alloc(headerBytes);
  header.write("DIRC", "latin1");
  header.writeUInt32BE(2, 4);
  header.writeUInt32BE(sorted.length, 8);
  const bytes = Buffer.concat([header, ...sorted.map((entry) => entry.bytes)]);
  return Buffer.concat([bytes, createHash("sha1").update(bytes).digest()]);
}

function nanoseconds(bytes: Buffer, at: number): bigint {
  return BigInt(bytes.readUInt32BE(at)) * 1_000_000_000n + BigInt(bytes.readUInt32BE(at + 4));
}

/** An extension whose name begins with a capital may be ignored; the others change what the entries mean. */
function hasOnlyOptionalExtensions(bytes: Buffer): boolean {
  let at = 0;
  while (at + 8 <= bytes.length) {
    if (!/^[A-Z]/.test(bytes.toString("latin1", at, at + 1))) return false;
    at += 8 + bytes.readUInt32BE(at + 4);
  }
  return at === bytes.length;
}
