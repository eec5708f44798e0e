import { sweepWorktrees } from "../../platform/git/worktree.ts";
import { reapOrphans } from "../../platform/process/reaper.ts";
import type { Logger } from "../../platform/telemetry/log.ts";
import { workerPaths } from "./worker-paths.ts";

/**
 * Ends the processes and removes the trees that an earlier process of this worker left behind when it was killed. Caches stay.
 * @throws AgentdError INTERNAL when a process cannot be killed or a tree not be removed.
 */
export async function clearEarlierLife(
  dataRoot: string,
  worker: string,
  logger: Logger,
  signal: AbortSignal,
): Promise<void> {
  const killed = await reapOrphans(worker, signal);
  const { trees, isolated, drafts } = workerPaths(dataRoot);
  let removed = 0;
  for (const directory of [trees, isolated, drafts]) removed += await sweepWorktrees(directory, new Set(), signal);
  if (killed + removed > 0) logger.info({ killed, removed }, "an earlier life was cleared away");
}
