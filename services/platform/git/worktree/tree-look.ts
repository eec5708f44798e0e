import { randomBytes } from "node:crypto";
import { join } from "node:path";
import { isAgentdError } from "../../../core/errors.ts";
import { copyIndex, type Worktree, worktreeGit, writeGitDirectory } from "./worktree.ts";

/** What a look at the tree shows. */
export interface TreeLook {
  /** Standard output, or git's own words where it refused. */
  readonly output: string;
  readonly exitCode: number;
  readonly isTruncated: boolean;
}

/**
 * Runs git commands that only read, on an agent's tree and the history of its base.
 *
 * As for the harvest, nothing that the agent could write is trusted: git dir, configuration and attributes are made anew beside
 * the tree, the index is the one of the checkout. Commits that the agent made itself are not seen.
 * A git that takes longer than `timeoutMs` is stopped and says so, with exit code -1.
 * @throws AgentdError DISK_FULL; the signal's reason after an abort.
 */
export function createTreeLook(worktree: Worktree) {
  const gitDir = join(worktree.directory, `look-${randomBytes(6).toString("hex")}.git`);
  let made: Promise<void> | undefined;
  const make = async (): Promise<void> => {
    await writeGitDirectory(gitDir, { cache: worktree.cache, head: worktree.base, isBare: true });
    await copyIndex(worktree.indexFile, join(gitDir, "index"));
  };
  return async (
    args: readonly string[],
    options: { readonly stdoutBytesMax: number; readonly timeoutMs: number },
    signal: AbortSignal,
  ): Promise<TreeLook> => {
    made ??= make();
    await made;
    const { cache, tree } = worktree;
    const git = worktreeGit(cache.git, { gitDir, tree, indexFile: join(gitDir, "index") });
    try {
      const result = await git.run(args, { ...options, truncate: true, okExitCodes: [0, 1, 128, 129] }, signal);
      const { exitCode, isTruncated } = result;
      const words = exitCode === 0 || isTruncated ? result.stdout.toString("utf8") : result.stderr;
      return { output: words.replaceAll(worktree.directory, "."), exitCode, isTruncated };
    } catch (error) {
      // It took too long, or died.
      if (isAgentdError(error, "INTERNAL") && "command" in error.metadata) {
        return { output: error.message, exitCode: -1, isTruncated: false };
      }
      throw error;
    }
  };
}
