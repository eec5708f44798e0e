import { clipEnd } from "../../clip.ts";
import { ToolError } from "../../tool-error.ts";
import type { LocatedPath } from "../../worktree/worktree-files.ts";
import { quotePath } from "../../worktree/worktree-path.ts";
import type { ToolContext } from "../tool.ts";

const timeoutMs = 30_000;

/**
 * Options of every search: no configuration file can add any (`--pre` would run a program), ignore files count whether or not
 * git's folder is visible in the sandbox, hidden files are searched except git's own. Sorted: the same answer each time.
 */
const baseOptions = [
  "--no-config",
  "--no-messages",
  "--hidden",
  "--no-require-git",
  "--no-ignore-global",
  "--null",
  "--color=never",
  "--sort=path",
];

/** Never git's folder, in any case; given last, so that no other glob can bring it back. */
const withoutGit = "--iglob=!.git";

/**
 * Runs ripgrep on `target` and returns its output; empty when nothing matched.
 *
 * `operands` stand after `--`, so that no pattern can be an option. The engine is the linear-time one.
 * @throws ToolError with ripgrep's own message when the pattern is wrong, or when it takes too long.
 */
export async function ripgrep(
  context: ToolContext,
  search: {
    readonly options: readonly string[];
    readonly operands: readonly string[];
    readonly target: LocatedPath;
    readonly outputBytesMax: number;
  },
  signal: AbortSignal,
): Promise<string> {
  const path = search.target.real === "." ? "." : `./${search.target.real}`;
  const argv = [context.ripgrepPath, ...baseOptions, ...search.options, withoutGit, "--", ...search.operands, path];
  const result = await context.execute({ argv, timeoutMs, outputBytesMax: search.outputBytesMax }, signal);
  if (result.timedOut) throw new ToolError(`The search took longer than ${timeoutMs / 1_000} s. Give a narrower path.`);
  if (result.exitCode === 0) return result.output;
  if (result.exitCode === 1) return "";
  // Exit code 2 with matches: some file could not be read.
  if (result.exitCode === 2 && result.output !== "" && !/^rg: /mu.test(result.output)) return result.output;
  throw new ToolError(`The search failed: ${clipEnd(result.output.trim() || "ripgrep was killed", 2_000)}`);
}

/** A path as ripgrep prints it (`./a/b`), as it is shown to the model. */
export function showPath(path: string): string {
  return quotePath(path.startsWith("./") ? path.slice(2) : path);
}

/**
 * A glob as ripgrep is given it. With a slash it is anchored at the searched folder, as ripgrep anchors at the root only.
 * Undefined when it means "everything": such a glob would bring back ignored files.
 */
export function toRipgrepGlob(pattern: string, target: LocatedPath, root: string): string | undefined {
  if (pattern.includes("\0")) throw new ToolError("The glob contains a NUL character.");
  if (pattern.length > 1_000) throw new ToolError("The glob is longer than 1000 characters.");
  let local = pattern.startsWith(`${root}/`) ? pattern.slice(root.length + 1) : pattern;
  const isAbsolute = local !== pattern;
  while (local.startsWith("./")) local = local.slice(2);
  if (local === "") throw new ToolError("The glob is empty.");
  if (["*", "**", "**/*"].includes(local) && !isAbsolute) return undefined;
  if (!local.includes("/")) return local.startsWith("!") ? `\\${local}` : local;
  const folder = target.real === "." || isAbsolute ? "" : `/${escapeGlob(target.real)}`;
  return `${folder}/${local.startsWith("/") ? local.slice(1) : local}`;
}

/** `text` as a glob that matches only itself. */
export function escapeGlob(text: string): string {
  return text.replaceAll(/[\\*?[\]{}!]/gu, (character) => `\\${character}`);
}
