import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import type PQueue from "p-queue";
import { canMountOverlay } from "../../../platform/git/worktree/overlay-mount.ts";
import type { Logger } from "../../../platform/telemetry/log.ts";
import { openCacheDirectory } from "../cache-directory.ts";
import type { WorkerPaths } from "../worker-paths.ts";
import { copiedSparesMax, createTreeSource, type TreeSource } from "./tree-source.ts";

/** Overlays made ahead, over all slots of a process: more than start together in practice; each is a mount and some MiB of names. */
const sparesMax = 32;
const probeTimeoutMs = 30_000;

/** What decides how this worker makes trees. */
export interface OpenTreesOptions {
  readonly paths: WorkerPaths;
  readonly heavy: PQueue;
  readonly slots: number;
  /** Bytes of check-outs that are kept when no overlay reads from them. */
  readonly bytesMax: number;
  /** Whether commands run in a sandbox: only there they cannot reach the check-out that all overlays read from. */
  readonly isSandboxed: boolean;
  /** Whether mounts go with this process, however it ends. */
  readonly hasOwnMounts: boolean;
  /** For one attempt only: no tree is made ahead, and none is an overlay. */
  readonly isForOne: boolean;
  readonly logger: Logger;
}

/** The trees of a process: overlays where it may mount them. @throws Error when the data folder cannot be written */
export async function openTrees(options: OpenTreesOptions): Promise<TreeSource> {
  const { paths, heavy, logger } = options;
  const common = { directory: join(paths.trees, "spare"), heavy, logger };
  if (options.isForOne) return createTreeSource({ ...common, layers: undefined, sparesMax: 0 });
  await mkdir(paths.layers, { recursive: true, mode: 0o700 });
  const hasOverlays = options.isSandboxed && (await canMountOverlay(paths.layers, AbortSignal.timeout(probeTimeoutMs)));
  // Mounts that outlive a killed worker would hold its folder: only large trees are worth that.
  const hasSmallOverlays = hasOverlays && options.hasOwnMounts;
  const what = hasSmallOverlays ? "all trees are overlays" : "large trees are overlays";
  logger.info({ hasOverlays, hasSmallOverlays }, hasOverlays ? what : "large trees are checked out ahead, whole");
  if (!hasOverlays) {
    return createTreeSource({ ...common, layers: undefined, sparesMax: Math.min(options.slots, copiedSparesMax) });
  }
  const layers = await openCacheDirectory({ directory: paths.layers, bytesMax: options.bytesMax, logger });
  return createTreeSource({ ...common, layers, hasSmallOverlays, sparesMax: Math.min(options.slots, sparesMax) });
}
