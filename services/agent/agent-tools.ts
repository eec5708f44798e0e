import { rgPath } from "@vscode/ripgrep";
import type { Exec } from "./exec.ts";
import { createReadLedger } from "./read-ledger.ts";
import { createToolSet, type ToolSet } from "./tools/tool-set.ts";
import { createWorktreeFiles } from "./worktree-files.ts";

/** Absolute path of the ripgrep binary that glob and grep run: a sandbox must make it visible. */
export const ripgrepPath: string = rgPath;

/**
 * The tools of one attempt over the worktree at `root`; `only` names the ones that the job allows (all when absent).
 * @throws RangeError on a name that is no tool.
 */
export async function createAgentTools(root: string, execute: Exec, only?: readonly string[]): Promise<ToolSet> {
  const files = await createWorktreeFiles(root);
  return createToolSet({ files, execute, ledger: createReadLedger(), ripgrepPath }, only);
}
