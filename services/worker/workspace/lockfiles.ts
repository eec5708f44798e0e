import { createHash } from "node:crypto";
import { basename } from "node:path";
import type { Git } from "../../platform/git/git.ts";
import { splitNul } from "../../platform/git/git-text.ts";

/** Files that fix what a setup installs, in any directory of the tree. */
const exactNames = new Set([
  "package-lock.json",
  "npm-shrinkwrap.json",
  "yarn.lock",
  "pnpm-lock.yaml",
  "bun.lock",
  "bun.lockb",
  "poetry.lock",
  "uv.lock",
  "Pipfile.lock",
  "Cargo.lock",
  "go.sum",
  "Gemfile.lock",
  "composer.lock",
]);
const requirements = /^requirements[\w.-]*\.txt$/;

/** Whether a path of the tree is a lockfile. */
export function isLockfile(path: string): boolean {
  const name = basename(path);
  return exactNames.has(name) || requirements.test(name);
}

/**
 * Names what a setup gives: the same commands over the same lockfiles give the same key, whatever the commit.
 *
 * Without any lockfile nothing but the repository says what is installed: then `scope` (the job's uid) is part of the key.
 * @throws AgentdError when the commit cannot be read, or the signal's reason.
 */
export async function setupKey(
  git: Git,
  commit: string,
  commands: readonly string[],
  scope: string,
  signal: AbortSignal,
): Promise<string> {
  const { stdout } = await git.run(["ls-tree", "-r", "-z", commit], {}, signal);
  const lockfiles: string[] = [];
  for (const record of splitNul(stdout)) {
    // <mode> SP <type> SP <object> TAB <file>
    const text = record.toString("latin1");
    if (isLockfile(text.slice(text.indexOf("\t") + 1))) lockfiles.push(text);
  }
  const platform = [process.platform, process.arch];
  const content = [commands, lockfiles, platform, lockfiles.length === 0 ? scope : ""];
  return createHash("sha256").update(JSON.stringify(content)).digest("hex").slice(0, 40);
}
