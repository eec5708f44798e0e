import { constants } from "node:fs";
import { access, mkdir, realpath } from "node:fs/promises";
import { sweepWorktrees } from "../../platform/git/worktree/worktree.ts";
import { reapOrphans } from "../../platform/process/reaper/reaper.ts";
import type { Logger } from "../../platform/telemetry/log.ts";
import { workerPaths } from "./worker-paths.ts";

/**
 * Makes the data folder, ends the processes and removes the trees that an earlier process of this worker left behind when it was killed. Caches stay.
 * @returns the folder's real path: mounts and working directories of processes are told by that, also where a link leads to it
 * @throws Error with one sentence when the folder cannot be written; AgentdError INTERNAL when a process cannot be killed or a tree not be removed.
 */
export async function clearEarlierLife(
  folder: string,
  worker: string,
  logger: Logger,
  signal: AbortSignal,
): Promise<string> {
  await mkdir(folder, { recursive: true, mode: 0o700 }).catch((cause: NodeJS.ErrnoException) => {
    throw new Error(`the data folder ${folder} cannot be made (${cause.code}): choose another with --data`, {
      cause,
    });
  });
  await access(folder, constants.W_OK).catch((cause: NodeJS.ErrnoException) => {
    throw new Error(`the data folder ${folder} cannot be written (${cause.code}): choose another with --data`, {
      cause,
    });
  });
  const dataRoot = await realpath(folder);
  const killed = await reapOrphans(worker, signal);
  const { trees, layers, isolated, drafts } = workerPaths(dataRoot);
  let removed = 0;
  for (const directory of [trees, layers, isolated, drafts])
    removed += await sweepWorktrees(directory, new Set(), signal);
  if (killed + removed > 0) logger.info({ killed, removed }, "an earlier life was cleared away");
  return dataRoot;
}
