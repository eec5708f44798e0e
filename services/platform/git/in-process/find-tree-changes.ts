import type { BigIntStats, Dirent } from "node:fs";
import { lstatSync, readdirSync } from "node:fs";
import { setImmediate as nextTurn } from "node:timers/promises";
import { blobName, type FileContent, pathIn, readContent } from "./file-content.ts";
import type { IndexEntry, IndexFile } from "./index-file.ts";

/** What differs between a tree and its index; paths as in {@link IndexEntry}. */
export interface TreeChanges {
  readonly removed: readonly string[];
  /** Changed or new files and links. */
  readonly files: readonly string[];
}

/** Bounds of one look: above them, git does it faster or safer. */
const visitsMax = 8_000;
const readBytesMax = 8 * 1024 * 1024;
/** Entries between two turns of the event loop: about 1 ms. */
const entriesATurn = 128;

interface Look {
  readonly tree: string;
  readonly index: IndexFile;
  readonly tracked: ReadonlyMap<string, IndexEntry>;
  readonly known: ReadonlySet<string>;
  readonly found: Set<string>;
  readonly changed: string[];
  readonly added: string[];
  hasIgnoreFile: boolean;
  visits: number;
  bytesRead: number;
}

/**
 * Finds what `git status` would list, without starting it. A file counts as unchanged when `lstat` says what it said at the
 * check-out and nothing can have changed it since: its time of change, which nobody can set, is before the index was written.
 * Any other is read and compared.
 *
 * @param known new files that are not ignored, as an earlier look found
 * @returns undefined where git is to be asked: for many files, special files, repositories inside the tree, folders that cannot
 *   be read, and new files in a tree with ignore files.
 */
export async function findTreeChanges(
  tree: string,
  index: IndexFile,
  known: ReadonlySet<string>,
  signal: AbortSignal,
): Promise<TreeChanges | undefined> {
  const tracked = new Map(index.entries.map((entry) => [entry.path, entry]));
  const look: Look = {
    ...{ tree, index, tracked, known, found: new Set(), changed: [], added: [] },
    ...{ hasIgnoreFile: false, visits: 0, bytesRead: 0 },
  };
  const folders = [""];
  for (let folder = folders.pop(); folder !== undefined; folder = folders.pop()) {
    for (const entry of entriesOf(look, folder) ?? [undefined]) {
      if (entry === undefined || !takeEntry(look, folder, entry, folders)) return undefined;
      look.visits += 1;
      if (look.visits > visitsMax) return undefined;
      if (look.visits % entriesATurn !== 0) continue;
      await nextTurn();
      signal.throwIfAborted();
    }
  }
  if (look.hasIgnoreFile && !isKnownNew(look)) return undefined;
  const removed = index.entries.map(({ path }) => path).filter((path) => !look.found.has(path));
  return { removed, files: [...look.changed, ...look.added].sort() };
}

/** Which new files are ignored is known where no ignore file has changed. */
function isKnownNew({ added, changed, known }: Look): boolean {
  return (
    added.every((path) => known.has(path)) &&
    ![...added, ...changed].some((path) => path.toLowerCase().endsWith(".gitignore"))
  );
}

function entriesOf(look: Look, folder: string): Dirent[] | undefined {
  try {
    return readdirSync(pathIn(look.tree, folder), { withFileTypes: true, encoding: "latin1" });
  } catch {
    return undefined;
  }
}

/** False when this is nothing for us. */
function takeEntry(look: Look, folder: string, entry: Dirent, folders: string[]): boolean {
  // The agent's own, which nobody reads. Anywhere else it makes its folder a repository.
  if (entry.name === ".git") return folder === "";
  const path = folder === "" ? entry.name : `${folder}/${entry.name}`;
  if (entry.name.toLowerCase() === ".gitignore") look.hasIgnoreFile = true;
  if (entry.isDirectory()) return folders.push(path) > 0;
  if (!entry.isFile() && !entry.isSymbolicLink()) return false;
  const indexed = look.tracked.get(path);
  if (indexed === undefined) return look.added.push(path) > 0;
  look.found.add(path);
  try {
    const info = lstatSync(pathIn(look.tree, path), { bigint: true });
    if (isUntouched(indexed, info, look.index.writtenNs)) return true;
    look.bytesRead += Number(info.size);
    if (look.bytesRead > readBytesMax) return false;
    if (!isSame(indexed, readContent(look.tree, path, readBytesMax))) look.changed.push(path);
    return true;
  } catch {
    return false;
  }
}

function isUntouched(entry: IndexEntry, info: BigIntStats, writtenNs: bigint): boolean {
  return (
    info.ctimeNs === entry.ctimeNs &&
    info.ctimeNs < writtenNs &&
    info.mtimeNs === entry.mtimeNs &&
    Number(info.ino & 0xffffffffn) === entry.ino &&
    Number(info.size & 0xffffffffn) === entry.size
  );
}

function isSame(entry: IndexEntry, now: FileContent): boolean {
  return now.mode === entry.mode && blobName(now.content) === entry.object;
}
