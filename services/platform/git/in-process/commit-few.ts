import { writeFile } from "node:fs/promises";
import type { Repository } from "../bare-repository.ts";
import { decodePath } from "../git-text.ts";
import type { GitIdentity } from "../hardened-git.ts";
import { commitObject, type NewObject, newObject, treeObjects } from "../objects/commit-objects.ts";
import { writeLooseObject } from "../objects/loose-object.ts";
import { createObjectReader, type ObjectReader } from "../objects/object-reader.ts";
import type { FewFiles } from "./apply-few.ts";
import { blobName, type FileContent, readContent } from "./file-content.ts";
import type { TreeChanges } from "./find-tree-changes.ts";
import type { IndexEntry, IndexedFile } from "./index-file.ts";
import { diffFile, type FileDiff } from "./unified-diff.ts";

/** What is committed, and where. */
export interface FewChanges {
  readonly cache: Repository;
  readonly base: string;
  /** The index of a check-out of `base`. */
  readonly entries: readonly IndexEntry[];
  readonly tree: string;
  readonly changes: TreeChanges;
  readonly message: string;
  readonly author: GitIdentity;
  /** New objects go here. */
  readonly objectDirectory: string;
  /** Where the unified diff is written; absent where nobody reads it: no `changes` are told then either. */
  readonly diffFile?: string;
  /** A commit whose objects need not be written. */
  readonly known?: string;
}

/** A commit that was made without git; of no changes none. */
export interface FewCommitted {
  readonly commit: string | undefined;
  readonly changes: readonly { readonly path: string; readonly insertions: number; readonly deletions: number }[];
  /** The names of all objects that the base has not. */
  readonly objects: readonly string[];
  /** What the commit has at each path that it changes. */
  readonly few: FewFiles;
}

/** Bounds of what is done here; more of it is git's. */
const filesMax = 64;
const fileBytesMax = 128 * 1024;
const bytesMax = 512 * 1024;

/**
 * Names that git may refuse or treat in its own way: those like `.git` on any system. With bytes as characters; the last three are
 * the UTF-8 of what HFS+ leaves out.
 */
export const oddName = /(?:^|\/)\.git|[~:\\]|\xe2\x80[\x8c-\x8f\xaa-\xae]|\xe2\x81[\xaa-\xaf]|\xef\xbb\xbf/i;

/** Readers of caches; each ends its process soon after the last question. */
const readers = new WeakMap<Repository, ObjectReader>();

/**
 * Commits few small changes as git would, without starting it.
 *
 * @returns undefined, with nothing that counts written, for anything that is not plain.
 * @throws the signal's reason
 */
export async function commitFew(few: FewChanges, signal: AbortSignal): Promise<FewCommitted | undefined> {
  const { removed, files } = few.changes;
  if (removed.length + files.length > filesMax || files.some((path) => oddName.test(path))) return undefined;
  const contents = readFiles(few.tree, files);
  if (contents === undefined) return undefined;
  const before = new Map<string, IndexedFile>(few.entries.map((entry) => [entry.path, entry]));
  const after = new Map(before);
  for (const path of removed) after.delete(path);
  for (const [path, { mode, content }] of contents) after.set(path, { mode, object: blobName(content) });
  const [old, now] = [treeObjects(before), treeObjects(after)];
  if (old === undefined || now === undefined) return undefined;
  const reader = readers.get(few.cache) ?? createObjectReader(few.cache);
  readers.set(few.cache, reader);
  try {
    // Not so where a tree of the base is written in an unusual way: its name is another one then.
    const base = await reader.read(few.base, { maxBytes: fileBytesMax }, signal);
    if (base?.content.toString("latin1").startsWith(`tree ${old.root}\n`) !== true) return undefined;
    if (old.root === now.root) return { commit: undefined, changes: [], objects: [], few: new Map() };
    const diffs: ReadonlyMap<string, FileDiff> | undefined =
      few.diffFile === undefined ? new Map() : await diffAll(reader, { before, after, contents }, signal);
    const commit = commitObject({ tree: now.root, parent: few.base, who: few.author, message: few.message });
    if (diffs === undefined || commit === undefined) return undefined;
    if (commit.name === few.known) return { commit: commit.name, changes: [], objects: [], few: new Map() };
    const blobs = [...contents.values()].map(({ content }) => newObject("blob", content));
    const trees = [...now.trees.values()].filter(({ name }) => !old.trees.has(name));
    const objects = new Map([...blobs, ...trees, commit].map((object) => [object.name, object]));
    await writeObjects(few, [...objects.values()]);
    if (few.diffFile !== undefined) {
      await writeFile(few.diffFile, Buffer.concat([...diffs.values()].map(({ text }) => text)));
    }
    const changes = [...diffs].map(([path, { insertions, deletions }]) => {
      return { path: decodePath(Buffer.from(path, "latin1")), insertions, deletions };
    });
    const changed = [...removed, ...files].filter((path) => !isSameFile(before.get(path), after.get(path)));
    const committed = new Map(changed.map((path) => [path, contents.get(path)]));
    return { commit: commit.name, changes, objects: [...objects.keys()], few: committed };
  } catch {
    signal.throwIfAborted();
    // Whatever it was, git tells it better.
    return undefined;
  }
}

function isSameFile(a: IndexedFile | undefined, b: IndexedFile | undefined): boolean {
  return a?.object === b?.object && a?.mode === b?.mode;
}

function readFiles(tree: string, files: readonly string[]): ReadonlyMap<string, FileContent> | undefined {
  const contents = new Map<string, FileContent>();
  let left = bytesMax;
  try {
    for (const path of files) {
      const file = readContent(tree, path, Math.min(fileBytesMax, left));
      contents.set(path, file);
      left -= file.content.length;
    }
    return contents;
  } catch {
    return undefined;
  }
}

interface Sides {
  readonly before: ReadonlyMap<string, IndexedFile>;
  readonly after: ReadonlyMap<string, IndexedFile>;
  readonly contents: ReadonlyMap<string, FileContent>;
}

/** In git's order; undefined where one is git's. */
async function diffAll(
  reader: ObjectReader,
  { before, after, contents }: Sides,
  signal: AbortSignal,
): Promise<ReadonlyMap<string, FileDiff> | undefined> {
  const diffs = new Map<string, FileDiff>();
  for (const path of [...new Set([...before.keys(), ...contents.keys()])].sort()) {
    const [old, now] = [before.get(path), after.get(path)];
    if (isSameFile(old, now)) continue;
    const read = old === undefined ? undefined : await reader.read(old.object, { maxBytes: fileBytesMax }, signal);
    if (old !== undefined && read?.type !== "blob") return undefined;
    const content = contents.get(path)?.content;
    const oldSide = old === undefined || read === undefined ? undefined : { ...old, content: read.content };
    const newSide = now === undefined || content === undefined ? undefined : { ...now, content };
    const diff = diffFile(path, oldSide, newSide);
    if (diff === undefined) return undefined;
    diffs.set(path, diff);
  }
  return diffs;
}

/** What is named goes before what names it. */
async function writeObjects({ objectDirectory }: FewChanges, objects: readonly NewObject[]): Promise<void> {
  for (const { type, content } of objects) await writeLooseObject(objectDirectory, type, content);
}
