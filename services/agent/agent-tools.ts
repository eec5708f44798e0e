import { rgPath } from "@vscode/ripgrep";
import { treeSitterCheck } from "./edit/syntax-check.ts";
import type { Exec } from "./exec.ts";
import type { FileBefore, TreeGit } from "./tools/tool.ts";
import { createToolSet, type EditStyle, type ToolSet } from "./tools/tool-set.ts";
import { createReadLedger } from "./worktree/read-ledger.ts";
import { createScratch, type ScratchPlace } from "./worktree/scratch.ts";
import { createWorktreeFiles } from "./worktree/worktree-files.ts";

/** Absolute path of the ripgrep binary that glob and grep run: a sandbox must make it visible. */
export const ripgrepPath: string = rgPath;

/** What one attempt's tools are made from. */
export interface AgentToolsOptions {
  /** The worktree. */
  readonly root: string;
  readonly execute: Exec;
  /** Names of the tools that the job allows; all when absent. */
  readonly only?: readonly string[] | undefined;
  /** How the model was trained to change files; default "edit". */
  readonly editStyle?: EditStyle;
  /** Where long outputs are kept; without it they are only cut. */
  readonly scratch?: ScratchPlace;
  /** Read-only git over the tree; without it the git tool says that there is none. */
  readonly git?: TreeGit;
  /** Told of each file before a tool changes it, so that it can be restored. Default: nobody. */
  beforeChange?(before: FileBefore): Promise<void>;
}

/**
 * The tools of one attempt over its worktree.
 * @throws RangeError on a name that is no tool.
 */
export async function createAgentTools(options: AgentToolsOptions): Promise<ToolSet> {
  const context = {
    files: await createWorktreeFiles(options.root),
    execute: options.execute,
    ledger: createReadLedger(),
    ripgrepPath,
    scratch: await createScratch(options.scratch),
    git: options.git,
    syntax: treeSitterCheck,
    beforeChange: async (before: FileBefore) => options.beforeChange?.(before),
  };
  return createToolSet(context, options.only, options.editStyle);
}
