import { randomBytes } from "node:crypto";
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import type { AttemptRef } from "../../core/worker-protocol.ts";
import { removeWorktree, type Worktree } from "../../platform/git/worktree/worktree.ts";
import { formatAttemptMarker, type ProcessOwner } from "../../platform/process/reaper/attempt-marker.ts";
import type { Logger } from "../../platform/telemetry/log.ts";
import type { BatchedReaper } from "./batched-reaper.ts";
import type { CommandPlace } from "./shell.ts";
import type { TreePlace } from "./trees/tree-place.ts";
import type { TreeSource } from "./trees/tree-source.ts";

/** Ending an attempt's processes and trees may take this long, whatever else happens. */
const endTimeoutMs = 60_000;

/** A worktree with its private HOME and TMPDIR. */
export interface Tree {
  readonly worktree: Worktree;
  readonly place: CommandPlace;
}

/** All processes and trees of one attempt: nothing of it outlives `end`. */
export interface AttemptSpace {
  /**
   * A fresh tree at `wanted`.
   * @param label part of the folder's name, once in a space.
   * @param base where `wanted` is a result, what it stands on: only the difference need be written. Default `wanted` itself.
   * @throws AgentdError DISK_FULL and what git says, or the signal's reason.
   */
  addTree(wanted: TreePlace, label: string, signal: AbortSignal, base?: TreePlace): Promise<Tree>;
  /** Kills every process that was started in this space, also those that left their group. */
  reap(): Promise<void>;
  /** Reaps, then removes the trees. Never throws; what could not be removed is logged and goes at the next start. */
  end(): Promise<void>;
}

/** What all spaces of a worker share. */
export interface AttemptSpaceOptions {
  /** Folder of all spaces of this worker. */
  readonly directory: string;
  readonly worker: string;
  readonly owner: ProcessOwner;
  readonly trees: TreeSource;
  readonly reaper: BatchedReaper;
  readonly logger: Logger;
}

/** A space for the attempt (or for the setup or base check that `ref` names); nothing is on disk before the first tree. */
export function createAttemptSpace(options: AttemptSpaceOptions, ref: AttemptRef): AttemptSpace {
  const { worker, owner, logger } = options;
  const marker = formatAttemptMarker({ worker, owner, ...{ uid: ref.uid, task: ref.task, attempt: ref.attempt } });
  // Short: sockets below TMPDIR have 108 bytes for their whole path.
  const name = `${ref.task.slice(0, 24)}-${ref.attempt}-${randomBytes(4).toString("hex")}`;
  const directory = join(options.directory, name);
  // A result's objects refer to the cache's: a tree at a result needs both.
  const readable = new Set<string>();
  const reap = () => options.reaper.reap({ marker, directory });
  return {
    async addTree(wanted, label, signal, base) {
      const root = join(directory, label);
      const home = join(root, "home");
      const tmp = join(root, "tmp");
      await mkdir(home, { recursive: true, mode: 0o700 });
      await mkdir(tmp, { mode: 0o700 });
      const worktree = await options.trees.add(wanted, base ?? wanted, join(root, "git"), signal);
      for (const path of worktree.readable) readable.add(path);
      return { worktree, place: { tree: worktree.tree, home, tmp, readable: [...readable], marker } };
    },
    reap,
    async end() {
      try {
        await reap();
        await removeWorktree({ directory }, AbortSignal.timeout(endTimeoutMs));
        options.trees.release(directory);
      } catch (error) {
        logger.error({ ...ref, err: error }, "an attempt could not be cleared away");
      }
    },
  };
}
