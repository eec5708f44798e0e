import { mkdir, mkdtemp, realpath, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { runCommand } from "../../platform/process/run-command.ts";
import { type AgentToolsOptions, createAgentTools } from "../agent-tools.ts";
import { createRepositoryInstructions, type RepositoryInstructions } from "../context/instructions.ts";
import type { Exec } from "../exec.ts";
import type { ToolResult, ToolSet } from "../tools/tool-set.ts";
import { createWorktreeFiles } from "./worktree-files.ts";

/** A throw-away worktree with tools that really work in it, for tests. */
export interface TemporaryWorktree extends AsyncDisposable {
  readonly root: string;
  readonly tools: ToolSet;
  readonly instructions: RepositoryInstructions;
  /** Checks and runs one call; throws when the check refuses it. */
  use(name: string, args: unknown): Promise<ToolResult>;
}

/** Makes a folder with the given files (by relative path) and the tools over it. */
export async function createTemporaryWorktree(
  files: Readonly<Record<string, string | Uint8Array>> = {},
  options: Partial<AgentToolsOptions> = {},
): Promise<TemporaryWorktree> {
  const parent = await realpath(await mkdtemp(join(tmpdir(), "agentd-agent-")));
  const root = join(parent, "tree");
  await mkdir(root);
  for (const [path, content] of Object.entries(files)) {
    await mkdir(dirname(join(root, path)), { recursive: true });
    await writeFile(join(root, path), content);
  }
  const directory = join(parent, "tmp");
  await mkdir(directory);
  const scratch = { directory, shownAs: "/tmp" };
  const tools = await createAgentTools({ root, execute: unwalledExec(root), scratch, ...options });
  return {
    root,
    tools,
    instructions: createRepositoryInstructions(await createWorktreeFiles(root)),
    async use(name, args) {
      const verdict = tools.check({ id: "1", name, arguments: JSON.stringify(args) });
      if ("problem" in verdict) throw new Error(verdict.problem);
      return tools.run(verdict.valid, AbortSignal.timeout(110_000));
    },
    [Symbol.asyncDispose]: () => rm(parent, { recursive: true, force: true }),
  };
}

/** The execute port without a sandbox. */
function unwalledExec(root: string): Exec {
  const env = { PATH: "/usr/local/bin:/usr/bin:/bin", CI: "1", LANG: "C.UTF-8" };
  return ({ argv, timeoutMs, outputBytesMax }, signal) =>
    runCommand({ run: { argv }, cwd: root, env, timeoutMs, outputBytesMax, killGraceMs: 200 }, signal);
}
