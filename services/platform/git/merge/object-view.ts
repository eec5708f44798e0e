import { type Repository } from "../bare-repository.ts";
import { type CommitLines, type NewObject, parseCommit } from "../objects/commit-objects.ts";
import { readLooseObjectSync } from "../objects/loose-object.ts";
import type { GitObject, ObjectReader } from "../objects/object-reader.ts";
import { type TreeEntry, treeEntries, treeOf } from "../objects/tree-entries.ts";

type CommitTree = CommitLines & { readonly tree: string };

/** A repository's objects, with some that are not written yet. All throw an Error for what is not there, too large or of another kind. */
export interface ObjectView {
  read(name: string, signal: AbortSignal): Promise<GitObject>;
  readTree(name: string, signal: AbortSignal): Promise<ReadonlyMap<string, TreeEntry>>;
  readCommit(name: string, signal: AbortSignal): Promise<CommitTree>;
  /** The names of a tree's objects, its own among them, that another tree has not at the same place. */
  brought(tree: string, base: string | undefined, signal: AbortSignal): AsyncGenerator<string>;
}

/** What {@link createObjectView} reads. */
export interface ObjectViewDeps {
  readonly repository: Repository;
  readonly reader: ObjectReader;
  /** Objects that are not written yet. */
  readonly made: ReadonlyMap<string, NewObject>;
  /** Commits that are asked for again and again. */
  readonly kept: ReadonlySet<string>;
}

const treeBytesMax = 4 * 1024 * 1024;
const treesMax = 4_000;

/** A view that remembers the trees that it has read. */
export function createObjectView({ repository, reader, made, kept }: ObjectViewDeps): ObjectView {
  const trees = new Map<string, ReadonlyMap<string, TreeEntry>>();
  const commits = new Map<string, CommitTree>();

  async function read(name: string, signal: AbortSignal): Promise<GitObject> {
    const own = made.get(name);
    if (own !== undefined) return own;
    const loose = readLooseObjectSync(repository.objectDirectory, name, treeBytesMax);
    const object = loose ?? (await reader.read(name, { maxBytes: treeBytesMax }, signal));
    if (object === undefined) throw new Error(`object ${name} is not there`);
    return object;
  }

  async function readTree(name: string, signal: AbortSignal): Promise<ReadonlyMap<string, TreeEntry>> {
    const known = trees.get(name);
    if (known !== undefined) return known;
    const { type, content } = await read(name, signal);
    if (type !== "tree") throw new Error(`${name} is no tree`);
    const entries = treeEntries(content);
    // The oldest goes: a chain's next merge looks at what the last one made.
    if (trees.size >= treesMax) trees.delete(trees.keys().next().value ?? "");
    trees.set(name, entries);
    return entries;
  }

  async function readCommit(name: string, signal: AbortSignal): Promise<CommitTree> {
    const known = commits.get(name);
    if (known !== undefined) return known;
    const { type, content } = await read(name, signal);
    const { tree, parents } = parseCommit(content);
    if (type !== "commit" || tree === undefined) throw new Error(`${name} is no commit`);
    const commit = { tree, parents };
    if (kept.has(name)) commits.set(name, commit);
    return commit;
  }

  async function* brought(tree: string, base: string | undefined, signal: AbortSignal): AsyncGenerator<string> {
    if (tree === base) return;
    yield tree;
    const before = base === undefined ? new Map<string, TreeEntry>() : await readTree(base, signal);
    for (const [name, entry] of await readTree(tree, signal)) {
      const old = before.get(name);
      if (entry.object === old?.object || entry.mode === "160000") continue;
      const folder = treeOf(entry);
      if (folder === undefined) yield entry.object;
      else yield* brought(folder, treeOf(old), signal);
    }
  }

  return { read, readTree, readCommit, brought };
}
