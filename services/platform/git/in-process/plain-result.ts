import type { GitObject, ObjectType } from "../objects/object-reader.ts";
import { type TreeEntry, treeContent, treeEntries, treeOf } from "../objects/tree-entries.ts";
import { oddName } from "./commit-few.ts";

/** A result's objects, and what is asked of the repository. */
export interface PlainResult {
  /** All that the result brings, by name. */
  readonly objects: ReadonlyMap<string, GitObject>;
  readonly commit: string;
  readonly base: string;
  /** The tree of the base. */
  readonly baseTree: string;
  /** The bytes of a tree of the repository. */
  readTree(tree: string): Promise<Buffer>;
  /** Undefined when the repository has no such object. */
  typeOf(object: string): Promise<ObjectType | undefined>;
}

const visitsMax = 20_000;
const who = String.raw`[A-Za-z0-9][\w @.+-]{0,200} <[\w@.+-]{1,200}> [1-9]\d{0,9} [+-]\d{4}`;
const plainCommit = new RegExp(
  String.raw`^tree ([0-9a-f]{40})\nparent ([0-9a-f]{40})\nauthor ${who}\ncommitter ${who}\n\n[^\0]*$`,
);

/**
 * Whether a result is so plain that `git unpack-objects --strict` could only accept it: one commit on the base in the usual form, trees
 * in git's own order with ordinary names and modes, every object that they name there and of the right kind, and nothing else.
 *
 * @returns false for all else, good or bad: git is to be asked.
 */
export async function isPlainResult(result: PlainResult): Promise<boolean> {
  const { objects, commit, base, baseTree } = result;
  const top = objects.get(commit);
  const match = top?.type === "commit" ? plainCommit.exec(top.content.toString("latin1")) : null;
  const tree = match?.[1] ?? "";
  if (match?.[2] !== base || objects.get(tree)?.type !== "tree") return false;
  const walk = { ...result, seen: new Set([commit]), visits: 0 };
  return (await isPlainTree(walk, tree, baseTree)) && walk.seen.size === objects.size;
}

interface Walk extends PlainResult {
  readonly seen: Set<string>;
  visits: number;
}

/** @param before the tree that the base has at this place. */
async function isPlainTree(walk: Walk, tree: string, before: string | undefined): Promise<boolean> {
  walk.seen.add(tree);
  const content = walk.objects.get(tree)?.content ?? Buffer.alloc(0);
  const entries = treeEntries(content);
  // Two of one name would be one here; another order or another way to write a mode would give other bytes.
  if (!treeContent([...entries.values()]).equals(content)) return false;
  const old = before === undefined ? new Map<string, TreeEntry>() : treeEntries(await walk.readTree(before));
  for (const [name, entry] of entries) {
    walk.visits += 1;
    if (walk.visits > visitsMax || entry.mode === "160000" || !isPlainName(name)) return false;
    const same = old.get(name);
    if (same?.object === entry.object && same.mode === entry.mode) continue;
    const wanted: ObjectType = treeOf(entry) === undefined ? "blob" : "tree";
    const type = walk.objects.get(entry.object)?.type;
    if ((type ?? (await walk.typeOf(entry.object))) !== wanted) return false;
    if (type === undefined) continue;
    if (wanted === "blob") walk.seen.add(entry.object);
    else if (!(await isPlainTree(walk, entry.object, treeOf(same)))) return false;
  }
  return true;
}

function isPlainName(name: string): boolean {
  return name !== "" && name !== "." && name !== ".." && !name.includes("/") && !oddName.test(name);
}
