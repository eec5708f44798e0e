import { decodePath } from "../git-text.ts";
import { type TreeEntry, treeEntries, treeOf } from "./tree-entries.ts";
import type { ChangedFile, FileMode } from "./trees.ts";

/** Where trees are read, and how much of them. */
export interface TreeDiffDeps {
  /** The bytes of a tree object. */
  readTree(tree: string): Promise<Buffer>;
  /** Entries and trees that are looked at in all; undefined is the answer to more. */
  readonly visitsMax: number;
}

interface Walk {
  readonly deps: TreeDiffDeps;
  readonly changes: { readonly path: Buffer; readonly change: Omit<ChangedFile, "path"> }[];
  visits: number;
}

/**
 * What differs between two trees, as `git diff-tree -r --no-renames` lists it, in the order of the paths' bytes.
 *
 * @returns undefined when there is more to look at than `visitsMax`: ask git.
 */
export async function diffTrees(deps: TreeDiffDeps, from: string, to: string): Promise<ChangedFile[] | undefined> {
  const walk: Walk = { deps, changes: [], visits: 0 };
  if (!(await walkTrees(walk, from, to, Buffer.alloc(0)))) return undefined;
  walk.changes.sort((a, b) => Buffer.compare(a.path, b.path));
  return walk.changes.map(({ path, change }) => ({ ...change, path: decodePath(path) }));
}

/** False when the walk was given up. */
async function walkTrees(
  walk: Walk,
  from: string | undefined,
  to: string | undefined,
  prefix: Buffer,
): Promise<boolean> {
  const [before, after] = [await entriesOf(walk, from), await entriesOf(walk, to)];
  for (const name of new Set([...before.keys(), ...after.keys()])) {
    const [old, now] = [before.get(name), after.get(name)];
    walk.visits += 1;
    if (walk.visits > walk.deps.visitsMax) return false;
    if (old?.mode === now?.mode && old?.object === now?.object) continue;
    const path = Buffer.concat([prefix, (now ?? old)?.name ?? Buffer.alloc(0)]);
    const [oldFile, newFile] = [fileOf(old), fileOf(now)];
    if (oldFile !== undefined || newFile !== undefined) walk.changes.push({ path, change: changeOf(oldFile, newFile) });
    const [oldTree, newTree] = [treeOf(old), treeOf(now)];
    if (oldTree === undefined && newTree === undefined) continue;
    if (!(await walkTrees(walk, oldTree, newTree, Buffer.concat([path, Buffer.from("/")])))) return false;
  }
  return true;
}

async function entriesOf(walk: Walk, tree: string | undefined): Promise<ReadonlyMap<string, TreeEntry>> {
  if (tree === undefined) return new Map();
  walk.visits += 1;
  return treeEntries(await walk.deps.readTree(tree));
}

interface FileEntry {
  readonly mode: FileMode;
  readonly object: string;
}

function fileOf(entry: TreeEntry | undefined): FileEntry | undefined {
  return entry === undefined || entry.mode === "40000" ? undefined : { mode: entry.mode, object: entry.object };
}

const nothing = "0".repeat(40);

function changeOf(old: FileEntry | undefined, now: FileEntry | undefined): Omit<ChangedFile, "path"> {
  // Executable or not, a file is a file.
  const isSameKind = old?.mode.slice(0, 3) === now?.mode.slice(0, 3);
  const status = old === undefined ? "A" : now === undefined ? "D" : isSameKind ? "M" : "T";
  return { status, oldMode: old?.mode, newMode: now?.mode, newObject: now?.object ?? nothing };
}
