import { setImmediate as nextTurn } from "node:timers/promises";
import { objectNamePattern, type Repository } from "../bare-repository.ts";
import { type NewObject, newObject } from "../objects/commit-objects.ts";
import { writeLooseObject } from "../objects/loose-object.ts";
import type { ObjectReader } from "../objects/object-reader.ts";
import { type PackFile, packObjects, writePack } from "../objects/pack-file.ts";
import { type CommitInput, commitContent } from "./merge.ts";
import { mergeDisjoint } from "./merge-disjoint.ts";
import { createObjectView, type ObjectView } from "./object-view.ts";

/** Merges commits and makes commits of the merges, all in memory until {@link MemoryMerger.store}. */
export interface MemoryMerger {
  /** The merged tree; undefined where only git can tell. @throws the signal's reason */
  merge(ours: string, theirs: string, signal: AbortSignal): Promise<string | undefined>;
  /** A commit of a tree that is here or in the repository. @returns its name. @throws AgentdError INTERNAL as `commitTree` */
  commit(input: CommitInput): string;
  /** Writes what was made since the last time to the repository, where git sees it. */
  store(): Promise<void>;
  /**
   * Writes what was made, for the last time.
   * @returns a pack of all that was made and of all that the merged commits bring; undefined where {@link store} was called, for git
   *   to go on, or there is much of it.
   */
  finish(signal: AbortSignal): Promise<PackFile | undefined>;
}

/** Where {@link createMemoryMerger} reads. */
export interface MemoryMergerDeps {
  readonly repository: Repository;
  readonly reader: ObjectReader;
  /** Commits that all of `ours` contain: only what was made on one of them is merged here. */
  readonly bases: ReadonlySet<string>;
}

/** Bounds of what is held and packed here. */
const packBytesMax = 16 * 1024 * 1024;
const packObjectsMax = 5_000;
/** So many objects are stored as one pack; fewer one by one, or there would be a pack for every merge. */
const packObjectsMin = 32;
/** Objects read between two turns of the event loop: about a millisecond. */
const objectsATurn = 16;

/** The tree of a result and of what it stands on. */
interface Sides {
  readonly tree: string;
  readonly base: string;
}

/** A merger that has made nothing yet. */
export function createMemoryMerger({ repository, reader, bases }: MemoryMergerDeps): MemoryMerger {
  const made = new Map<string, NewObject>();
  /** Trees of what was merged and of what that stands on; then of what became a commit. */
  const seen = new Map<string, Sides>();
  const merged = new Map<string, Sides>();
  let stored = 0;
  let isWhole = true;

  const view = createObjectView({ repository, reader, made, kept: bases });

  async function store(): Promise<void> {
    const fresh = [...made.values()].slice(stored);
    if (fresh.length >= packObjectsMin) await writePack(repository, await packObjects(fresh));
    // What is named goes before what names it, and so it was made.
    else for (const { type, content } of fresh) await writeLooseObject(repository.objectDirectory, type, content);
    stored += fresh.length;
  }

  return {
    async merge(ours, theirs, signal) {
      if (!objectNamePattern.test(ours) || !objectNamePattern.test(theirs)) return undefined;
      try {
        const [left, right] = [await view.readCommit(ours, signal), await view.readCommit(theirs, signal)];
        const [parent = "", ...more] = right.parents;
        if (more.length > 0 || !bases.has(parent)) return undefined;
        const base = (await view.readCommit(parent, signal)).tree;
        const sides = { base, ours: left.tree, theirs: right.tree };
        const result = await mergeDisjoint((tree) => view.readTree(tree, signal), sides);
        if (result === undefined) return undefined;
        for (const tree of result.made) made.set(tree.name, tree);
        seen.set(theirs, { tree: right.tree, base });
        return result.tree;
      } catch {
        signal.throwIfAborted();
        // Whatever it was, git tells it better.
        return undefined;
      }
    },
    commit(input) {
      const commit = newObject("commit", commitContent(input));
      made.set(commit.name, commit);
      for (const parent of input.parents) {
        const trees = seen.get(parent);
        if (trees !== undefined) merged.set(parent, trees);
      }
      return commit.name;
    },
    async store() {
      isWhole = false;
      await store();
    },
    async finish(signal) {
      const pack = isWhole ? await packAll(view, made, merged, signal) : undefined;
      if (pack === undefined || made.size < packObjectsMin) await store();
      else await writePack(repository, pack);
      return pack;
    },
  };
}

/** What was made, and what the merged commits bring; undefined where that is much. */
async function packAll(
  view: ObjectView,
  made: ReadonlyMap<string, NewObject>,
  merged: ReadonlyMap<string, Sides>,
  signal: AbortSignal,
): Promise<PackFile | undefined> {
  const objects = new Map(made);
  let left = packBytesMax;
  for (const { content } of made.values()) left -= content.length;
  try {
    for (const [commit, { tree, base }] of merged) {
      for await (const name of withFirst(commit, view.brought(tree, base, signal))) {
        if (objects.has(name)) continue;
        if (objects.size % objectsATurn === 0) await nextTurn();
        const { type, content } = await view.read(name, signal);
        left -= content.length;
        if (left < 0 || objects.size >= packObjectsMax) return undefined;
        objects.set(name, { name, type, content });
      }
    }
  } catch {
    signal.throwIfAborted();
    return undefined;
  }
  return await packObjects([...objects.values()]);
}

async function* withFirst(first: string, rest: AsyncIterable<string>): AsyncGenerator<string> {
  yield first;
  yield* rest;
}
