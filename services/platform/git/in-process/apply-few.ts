import { lstatSync, mkdirSync, rmdirSync, symlinkSync, unlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Repository } from "../bare-repository.ts";
import type { Worktree } from "../worktree/worktree.ts";
import { blobName, type FileContent, pathIn } from "./file-content.ts";
import { formatIndex, type IndexEntry, indexEntryBytes, readIndex } from "./index-file.ts";

/** What a commit has at each path that it changes of its base; undefined where it has nothing. Paths as in {@link IndexEntry}. */
export type FewFiles = ReadonlyMap<string, FileContent | undefined>;

const entriesMax = 50_000;

/**
 * Moves a fresh tree, in which nobody has worked, from its base to a result on top of it, as `moveToCommit` does and without git:
 * only the changed files, the index and what the tree's own `.git` says of the commit are written.
 *
 * @param repository has the objects of `commit`.
 * @returns undefined, with nothing written, where the index is not the plain kind.
 * @throws Error when the tree is not as its index says, or the disk is full; the tree is then half changed.
 */
export async function applyFew(
  worktree: Worktree,
  repository: Repository,
  commit: string,
  few: FewFiles,
): Promise<Worktree | undefined> {
  const { directory, tree } = worktree;
  const index = await readIndex(worktree.indexFile, entriesMax);
  if (index === undefined) return undefined;
  const entries = new Map<string, Pick<IndexEntry, "path" | "bytes">>(
    index.entries.map((entry) => [entry.path, entry]),
  );
  // Removals first: a file may have become a folder, or a folder a file.
  for (const path of few.keys()) if (entries.delete(path)) removeFile(tree, path);
  for (const [path, file] of few)
    if (file !== undefined) entries.set(path, { path, bytes: writeFile(tree, path, file) });
  const indexFile = join(directory, "index");
  const bytes = formatIndex(entries.values());
  for (const file of [indexFile, join(tree, ".git", "index")]) writeFileSync(file, bytes);
  writeFileSync(join(tree, ".git", "HEAD"), `${commit}\n`);
  writeFileSync(join(tree, ".git", "objects", "info", "alternates"), `${repository.objectDirectory}\n`);
  const readable = [...new Set([...worktree.readable, repository.objectDirectory])];
  return { directory, tree, base: commit, indexFile, cache: repository, readable };
}

/** Removes a file and, as git does, the folders that are empty then. */
function removeFile(tree: string, path: string): void {
  unlinkSync(pathIn(tree, path));
  for (let end = path.lastIndexOf("/"); end > 0; end = path.lastIndexOf("/", end - 1)) {
    try {
      rmdirSync(pathIn(tree, path.slice(0, end)));
    } catch {
      return;
    }
  }
}

/** Writes a file, and gives the bytes of its entry in an index. */
function writeFile(tree: string, path: string, { mode, content }: FileContent): Buffer {
  const place = pathIn(tree, path);
  const end = path.lastIndexOf("/");
  if (end > 0) mkdirSync(pathIn(tree, path.slice(0, end)), { recursive: true });
  if (mode === "120000") symlinkSync(content, place);
  else writeFileSync(place, content, { flag: "wx", mode: mode === "100755" ? 0o777 : 0o666 });
  return indexEntryBytes(path, { mode, object: blobName(content) }, lstatSync(place, { bigint: true }));
}
