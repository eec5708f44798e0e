import { isAbsolute, join, normalize, relative, sep } from "node:path";
import { ToolError } from "../tool-error.ts";

/** Linux PATH_MAX (include/uapi/linux/limits.h), with the final NUL. */
const pathCharsMax = 4_095;

/**
 * The components of a path that the model wrote, relative to the worktree's root; empty for the root itself.
 *
 * Purely lexical: symbolic links are resolved by the caller. `roots` are the spellings under which the root is known.
 * @throws ToolError when the path is empty, malformed, outside the roots or inside a `.git`.
 */
export function worktreePathParts(path: string, roots: readonly string[]): string[] {
  if (path.length === 0) throw new ToolError("The path is empty. Give a path relative to the worktree's root.");
  if (path.includes("\0")) throw new ToolError("The path contains a NUL character, which no file name can have.");
  if (!path.isWellFormed()) throw new ToolError("The path is not valid Unicode (a lone surrogate).");
  if (path.length > pathCharsMax) throw new ToolError(`The path is longer than ${pathCharsMax} characters.`);
  const local = isAbsolute(path) ? relativeToRoot(path, roots) : normalize(path);
  const parts = local.split(sep).filter((part) => part !== "" && part !== ".");
  if (parts.includes("..")) throw outside(path);
  refuseGit(parts, path);
  return parts;
}

/** @throws ToolError when one of the components is `.git` in a spelling that some file system takes for it. */
export function refuseGit(parts: readonly string[], shown: string): void {
  if (!parts.some(isGitName)) return;
  throw new ToolError(
    `${quotePath(shown)} is inside git's own folder, which the file tools do not touch. Use bash for git commands.`,
  );
}

/** What the model is told when a path leads out of the worktree. */
export function outside(path: string): ToolError {
  return new ToolError(
    `${quotePath(path)} is outside the worktree. Only files of the repository can be used: give a path relative to its root.`,
  );
}

/** A path as it is shown to the model: as it is, or as a JSON string when it holds quotes, control or invisible characters. */
export function quotePath(path: string): string {
  return /[\p{C}\p{Zl}\p{Zp}"\\]|^\s|\s$/u.test(path) ? JSON.stringify(path) : path;
}

function relativeToRoot(path: string, roots: readonly string[]): string {
  for (const root of roots) {
    const local = relative(root, normalize(path));
    if (local === "" || (local !== ".." && !local.startsWith(`..${sep}`) && !isAbsolute(local))) return local;
  }
  throw outside(join(path));
}

/**
 * `.git` and its aliases: any case, trailing dots and spaces, the 8.3 name, invisible characters.
 * The list is that of git's own `verify_path` with core.protectNTFS and core.protectHFS (git: read-cache.c, utf8.c).
 */
function isGitName(part: string): boolean {
  const plain = part
    .normalize("NFKC")
    .replaceAll(/\p{Cf}/gu, "")
    .replace(/[. ]{1,4096}$/u, "")
    .toLowerCase();
  return plain === ".git" || plain === "git~1" || plain.startsWith(".git:");
}
