import type PQueue from "p-queue";
import { applyFew } from "../../../platform/git/in-process/apply-few.ts";
import { countFiles, createWorktree, moveToCommit, type Worktree } from "../../../platform/git/worktree/worktree.ts";
import type { Logger } from "../../../platform/telemetry/log.ts";
import type { CacheDirectory } from "../cache-directory.ts";
import { createSingleFlight } from "../single-flight.ts";
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

/** What {@link createTreeSource} needs. */
export interface TreeSourceOptions {
  /** Spare trees lie here, on the file system of the attempts' trees. */
  readonly directory: string;
  /** Bounds the check-outs of the whole process. */
  readonly heavy: PQueue;
  /** One check-out a commit, which overlays read from; undefined where there are no overlays. */
  readonly layers: CacheDirectory | undefined;
  /** Trees that are kept ready, over all commits. */
  readonly sparesMax: number;
  /** From so many files on trees are made ahead. Default {@link largeFiles}. */
  readonly filesMin?: number;
  /** Whether small trees are overlays too, where there are layers. Default false. */
  readonly hasSmallOverlays?: boolean;
  readonly logger: Logger;
}

/** From so many files on the first look at all of an overlay, or a whole check-out, takes long. */
export const largeFiles = 2_000;
/** Without overlays each spare tree is a whole copy. */
export const copiedSparesMax = 4;
/** Commits whose size is remembered. */
const commitsMax = 1_000;

/** A source; nothing is on disk before the first tree. */
export function createTreeSource(options: TreeSourceOptions): TreeSource {
  const { heavy, logger, layers } = options;
  const large = createLargeTrees({ layers, heavy, logger });
  const spares = createSpareTrees({ ...options, large });
  const isLarge = createSizeCheck(options.filesMin ?? largeFiles);
  const hasSmallOverlays = layers !== undefined && options.hasSmallOverlays === true;
  let closed: Promise<void> | undefined;
  return {
    async add(wanted, base, directory, signal) {
      const { repository: cache, commit } = wanted;
      const isMadeAhead = wanted.isCheckout !== true && (await isLarge(base, signal));
      if (wanted.isCheckout === true || (!isMadeAhead && !hasSmallOverlays)) {
        return await heavy.add(() => createWorktree({ cache, commit, directory }, signal));
      }
      const spare = isMadeAhead ? await spares.take(base, directory) : undefined;
      const tree = spare ?? (await large.make(base, directory, signal));
      if (isMadeAhead) spares.refill(base);
      if (commit === base.commit) return tree;
      const moved = wanted.few === undefined ? undefined : await applyFew(tree, wanted.repository, commit, wanted.few);
      return moved ?? (await heavy.add(() => moveToCommit(tree, cache, commit, signal)));
    },
    release: large.release,
    settled: spares.settled,
    close: () => (closed ??= spares.close()),
  };
}

/** Whether a commit has many files; a commit that is not there has none, and the check-out says so. */
function createSizeCheck(filesMin: number): (base: TreePlace, signal: AbortSignal) => Promise<boolean> {
  const counts = new Map<string, number>();
  const flights = createSingleFlight<number>();
  return async ({ repository, commit }, signal) => {
    let count = counts.get(commit);
    if (count === undefined) {
      const look = (shared: AbortSignal) => countFiles(repository, commit, filesMin, shared).catch(() => 0);
      count = await flights.run(commit, look, signal);
      signal.throwIfAborted();
      if (counts.size >= commitsMax) counts.delete(counts.keys().next().value ?? "");
      if (count > 0) counts.set(commit, count);
    }
    return count >= filesMin;
  };
}
