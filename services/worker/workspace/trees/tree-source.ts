import type PQueue from "p-queue";
import { countFiles, createWorktree, moveToCommit, type Worktree } from "../../../platform/git/worktree.ts";
import type { Logger } from "../../../platform/telemetry/log.ts";
import type { CacheDirectory } from "../cache-directory.ts";
import { createLargeTrees } from "./large-trees.ts";
import { createSpareTrees } from "./spare-trees.ts";
import type { TreePlace } from "./tree-place.ts";

/** Makes worktrees, and keeps some of large repositories ready. */
export interface TreeSource {
  /**
   * A fresh tree at `wanted` in `directory`, which must not exist.
   * @param base the commit that the attempt starts from, where `wanted` is a result on top of it
   * @throws AgentdError as `createWorktree`
   */
  add(wanted: TreePlace, base: TreePlace, directory: string, signal: AbortSignal): Promise<Worktree>;
  /** To be called when the folder with trees of this source was removed: what they read from may go. */
  release(directory: string): void;
  /** Resolves when nothing is made in the background. */
  settled(): Promise<void>;
  /** Ends what is made in the background and removes the spare trees. Idempotent. */
  close(): Promise<void>;
}

export interface TreeSourceOptions {
  /** Spare trees lie here, on the file system of the attempts' trees. */
  readonly directory: string;
  /** Bounds the check-outs of the whole process. */
  readonly heavy: PQueue;
  /** One check-out a commit, which overlays read from; undefined where there are no overlays. */
  readonly layers: CacheDirectory | undefined;
  /** Trees that are kept ready, over all commits. */
  readonly sparesMax: number;
  /** Default {@link largeFiles}. */
  readonly filesMin?: number;
  readonly logger: Logger;
}

/**
 * From so many files on a tree is an overlay and is made ahead. Below it a check-out is as quick: on ext4 it takes 0.1 ms a file,
 * a mount and its end 15 ms.
 */
const largeFiles = 2_000;
/** Without overlays each spare tree is a whole copy. */
export const copiedSparesMax = 4;
/** Commits whose size is remembered. */
const commitsMax = 1_000;

/** A source; nothing is on disk before the first tree. */
export function createTreeSource(options: TreeSourceOptions): TreeSource {
  const { heavy, logger, layers } = options;
  const large = createLargeTrees({ layers, logger });
  const spares = createSpareTrees({ ...options, large });
  const isLarge = createSizeCheck(options.filesMin ?? largeFiles);
  let closed: Promise<void> | undefined;
  return {
    async add(wanted, base, directory, signal) {
      const { repository: cache, commit } = wanted;
      if (!(await isLarge(base, signal))) {
        return await heavy.add(() => createWorktree({ cache, commit, directory }, signal));
      }
      const tree = (await spares.take(base, directory)) ?? (await heavy.add(() => large.make(base, directory, signal)));
      spares.refill(base);
      if (commit === base.commit) return tree;
      return await heavy.add(() => moveToCommit(tree, cache, commit, signal));
    },
    release: large.release,
    settled: spares.settled,
    close: () => (closed ??= spares.close()),
  };
}

/** Whether a commit has many files; a commit that is not there has none, and the check-out says so. */
function createSizeCheck(filesMin: number): (base: TreePlace, signal: AbortSignal) => Promise<boolean> {
  const counts = new Map<string, number>();
  return async ({ repository, commit }, signal) => {
    let count = counts.get(commit);
    if (count === undefined) {
      count = await countFiles(repository, commit, filesMin, signal).catch(() => 0);
      signal.throwIfAborted();
      if (counts.size >= commitsMax) counts.delete(counts.keys().next().value ?? "");
      if (count > 0) counts.set(commit, count);
    }
    return count >= filesMin;
  };
}
