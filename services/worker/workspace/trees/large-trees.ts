import { randomBytes } from "node:crypto";
import { access, mkdir, rename, rm } from "node:fs/promises";
import { join } from "node:path";
import type PQueue from "p-queue";
import { mountOverlay } from "../../../platform/git/worktree/overlay-mount.ts";
import { createWorktree, removeWorktree, type Worktree } from "../../../platform/git/worktree/worktree.ts";
import type { Logger } from "../../../platform/telemetry/log.ts";
import { type CacheDirectory, draftPrefix } from "../cache-directory.ts";
import { createSingleFlight } from "../single-flight.ts";
import { placeName, type TreePlace } from "./tree-place.ts";

/** Trees of repositories with many files, however they are made here. */
export interface LargeTrees {
  /** A fresh tree in `directory`, which must not exist. @throws AgentdError as `createWorktree`, or the signal's reason */
  make(base: TreePlace, directory: string, signal: AbortSignal, priority?: number): Promise<Worktree>;
  /** Gives a tree another folder: folders with a mount in them can be renamed, mounts themselves cannot. */
  move(worktree: Worktree, directory: string): Promise<Worktree>;
  remove(directory: string, signal: AbortSignal): Promise<void>;
  /** The folder and the trees below it are gone: what they read from may go too. */
  release(directory: string): void;
}

/** What {@link createLargeTrees} needs. */
export interface LargeTreesDeps {
  /** One check-out a commit, which overlays read from; undefined where there are no overlays. */
  readonly layers: CacheDirectory | undefined;
  /** Bounds the check-outs of the whole process. */
  readonly heavy: PQueue;
  readonly logger: Logger;
}

/** Overlays where there are layers; check-outs elsewhere, and where a mount is refused. */
export function createLargeTrees({ layers, heavy, logger }: LargeTreesDeps): LargeTrees {
  const holds = createHolds();
  const flights = createSingleFlight<void>();
  const remove = async (directory: string, signal: AbortSignal): Promise<void> => {
    await removeWorktree({ directory }, signal);
    holds.release(directory);
  };
  return {
    async make(base, directory, signal, priority = 0) {
      const checkOut = (at: string, until: AbortSignal): Promise<Worktree> => {
        const options = { cache: base.repository, commit: base.commit, directory: at };
        return heavy.add(() => createWorktree(options, until), { priority });
      };
      if (layers !== undefined) {
        const layer = layers.path(placeName(base));
        holds.add(directory, layers.use(placeName(base)));
        try {
          await flights.run(layer, (shared) => makeLayer(layers, layer, (draft) => checkOut(draft, shared)), signal);
          return await makeOverlay(layer, base, directory, signal);
        } catch (error) {
          await remove(directory, AbortSignal.timeout(removeTimeoutMs));
          signal.throwIfAborted();
          logger.warn({ err: error }, "a tree could not be an overlay: it is checked out instead");
        }
      }
      return await checkOut(directory, signal);
    },
    async move(worktree, directory) {
      await rename(worktree.directory, directory);
      holds.move(worktree.directory, directory);
      const isShared = !worktree.indexFile.startsWith(`${worktree.directory}/`);
      const indexFile = isShared ? worktree.indexFile : join(directory, "index");
      return { ...worktree, directory, tree: join(directory, "tree"), indexFile };
    },
    remove,
    release: holds.release,
  };
}

const removeTimeoutMs = 60_000;

/** Layers in use, by the folder of the tree that reads from them. */
function createHolds() {
  const ends = new Map<string, () => void>();
  return {
    add: (directory: string, end: () => void): void => void ends.set(directory, end),
    move(from: string, to: string): void {
      const end = ends.get(from);
      ends.delete(from);
      if (end !== undefined) ends.set(to, end);
    },
    release(directory: string): void {
      for (const [held, end] of ends) {
        if (held !== directory && !held.startsWith(`${directory}/`)) continue;
        ends.delete(held);
        end();
      }
    },
  };
}

/** The check-out that all overlays of the place read from; it appears by one rename and never changes. */
async function makeLayer(
  cache: CacheDirectory,
  layer: string,
  checkOut: (draft: string) => Promise<unknown>,
): Promise<void> {
  if (await exists(layer)) return;
  const draft = cache.path(`${draftPrefix}${randomBytes(6).toString("hex")}`);
  try {
    await checkOut(draft);
    await rename(draft, layer);
  } finally {
    await rm(draft, { recursive: true, force: true });
  }
}

async function makeOverlay(layer: string, base: TreePlace, directory: string, signal: AbortSignal): Promise<Worktree> {
  const tree = join(directory, "tree");
  const parts = {
    lower: join(layer, "tree"),
    upper: join(directory, "upper"),
    work: join(directory, "work"),
    target: tree,
  };
  await mkdir(directory, { recursive: true, mode: 0o700 });
  for (const folder of [parts.upper, parts.work, tree]) await mkdir(folder);
  await mountOverlay(parts, signal);
  const { repository, commit } = base;
  // Of the layer: files that nobody wrote to are the same to lstat.
  const indexFile = join(layer, "index");
  return { directory, tree, base: commit, indexFile, cache: repository, readable: [repository.objectDirectory] };
}

function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}
