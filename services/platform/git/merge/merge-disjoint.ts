import { type NewObject, newObject } from "../objects/commit-objects.ts";
import { type TreeEntry, treeContent, treeOf } from "../objects/tree-entries.ts";

/** Trees of three commits: the first is the only common ancestor of the other two that counts. */
export interface MergeSides {
  readonly base: string;
  readonly ours: string;
  readonly theirs: string;
}

/** Reads the entries of a tree. @throws Error when it cannot be read or is too large */
export type ReadTree = (tree: string) => Promise<ReadonlyMap<string, TreeEntry>>;

/** A merged tree, with those of its folders that neither side had, each before what names it. */
export interface DisjointMerge {
  readonly tree: string;
  readonly made: readonly NewObject[];
}

/**
 * Merges two trees where that needs no look into files and no guess: in every folder that both sides changed, each has changed
 * other entries, and none has removed one. Then nothing in such a folder was renamed, so git's merge gives the same tree: what it
 * finds of renames matters only where the other side has changed something.
 *
 * @returns undefined for all else: git decides.
 */
export async function mergeDisjoint(readTree: ReadTree, sides: MergeSides): Promise<DisjointMerge | undefined> {
  const made: NewObject[] = [];
  const tree = await mergeFolder(readTree, sides, made);
  return tree === undefined ? undefined : { tree, made };
}

async function mergeFolder(
  readTree: ReadTree,
  { base, ours, theirs }: Omit<MergeSides, "base"> & { readonly base: string | undefined },
  made: NewObject[],
): Promise<string | undefined> {
  if (ours === theirs || theirs === base) return ours;
  if (ours === base) return theirs;
  const old = base === undefined ? new Map<string, TreeEntry>() : await readTree(base);
  const [left, right] = [await readTree(ours), await readTree(theirs)];
  for (const name of old.keys()) if (!left.has(name) || !right.has(name)) return undefined;
  const merged = new Map(left);
  for (const [name, entry] of right) {
    const [before, mine] = [old.get(name), left.get(name)];
    if (isSame(entry, before) || isSame(entry, mine)) continue;
    if (isSame(mine, before)) {
      merged.set(name, entry);
      continue;
    }
    if (mine === undefined || ![before ?? mine, mine, entry].every((each) => treeOf(each) !== undefined))
      return undefined;
    // A folder that both have made is one that both have filled.
    const inner = { base: before?.object, ours: mine.object, theirs: entry.object };
    const object = await mergeFolder(readTree, inner, made);
    if (object === undefined) return undefined;
    merged.set(name, { ...entry, object });
  }
  const tree = newObject("tree", treeContent([...merged.values()]));
  made.push(tree);
  return tree.name;
}

function isSame(a: TreeEntry | undefined, b: TreeEntry | undefined): boolean {
  return a?.mode === b?.mode && a?.object === b?.object;
}
