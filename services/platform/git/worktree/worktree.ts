import { randomBytes } from "node:crypto";
import { copyFile, lstat, mkdir, readdir, readFile, rename, rm, stat, utimes, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { AgentdError } from "../../../core/errors.ts";
import { abortable } from "../../lifecycle/abortable.ts";
import { inBatches } from "../../process/in-batches.ts";
import { runCommand } from "../../process/run-command.ts";
import type { Repository } from "../bare-repository.ts";
import { objectNamePattern, resolveRef } from "../bare-repository.ts";
import type { Git } from "../git.ts";
import { withGitSettings } from "../git.ts";
import { mountsBelow } from "./overlay-mount.ts";

/** A working tree of one attempt. The agent sees `tree` only; all that git trusts lies beside it. */
export interface Worktree {
  /** Holds everything of the attempt's tree. */
  readonly directory: string;
  /** What the agent sees and may change at will, its own `.git` included. */
  readonly tree: string;
  readonly base: string;
  /** The index as it was when the tree was checked out. */
  readonly indexFile: string;
  readonly cache: Repository;
  /** Must stay readable inside a sandbox, so that the agent's own git finds its history. */
  readonly readable: readonly string[];
}

/**
 * Attributes that make git store and check out exact bytes, and show differences of all that is text, whatever the tree's own
 * .gitattributes say: with `* -diff` an agent could hide its lines from the gate.
 */
const exactBytesAttributes = "* -text -eol -crlf -ident -filter !working-tree-encoding !diff\n";

const TRASH_PREFIX = ".removing-";
const REMOVE_TIMEOUT_MS = 10 * 60_000;

/**
 * Checks a commit out into `directory/tree`. Trees share nothing that git writes, so any number may be made
 * at once. Files have exactly the bytes of their blobs; symbolic links are links; submodules are empty
 * directories; no filter, hook or configuration of the repository is run or read.
 *
 * Inside the tree stands a throw-away `.git` for the agent's own status, diff, log, add and commit: agentd
 * never reads it.
 *
 * @throws AgentdError REF_NOT_FOUND when the commit is not in the cache; STATE_CONFLICT when the directory exists.
 */
export async function createWorktree(
  options: { readonly cache: Repository; readonly commit: string; readonly directory: string },
  signal: AbortSignal,
): Promise<Worktree> {
  const { cache, directory } = options;
  // An object name needs no look-up: the checkout itself finds out whether it is there.
  const isObjectName = objectNamePattern.test(options.commit);
  const commit = isObjectName ? options.commit : await resolveRef(cache, options.commit, signal);
  const tree = join(directory, "tree");
  await mkdir(dirname(directory), { recursive: true });
  await mkdir(directory, { mode: 0o700 }).catch((cause: NodeJS.ErrnoException) => {
    if (cause.code !== "EEXIST") throw cause;
    throw new AgentdError("STATE_CONFLICT", `The worktree ${directory} exists already.`, { cause });
  });
  try {
    await mkdir(tree);
    const indexFile = join(directory, "index");
    const place = { gitDir: await checkoutDirectory(cache), tree, indexFile };
    const git = withGitSettings(worktreeGit(cache.git, place), { objectDirectory: cache.objectDirectory });
    const checkout = ["read-tree", "--reset", "-u", "--end-of-options", `${commit}^{commit}`];
    const { exitCode } = await git.run(checkout, { okExitCodes: isObjectName ? [0, 128] : [0] }, signal);
    if (exitCode !== 0) {
      await resolveRef(cache, commit, signal);
      // It is there: whatever the trouble was, once more, for git's own words.
      await git.run(checkout, {}, signal);
    }
    await writeAgentGit(tree, { cache, commit, indexFile });
    return { directory, tree, base: commit, indexFile, cache, readable: [cache.objectDirectory] };
  } catch (error) {
    await rm(directory, { recursive: true, force: true });
    throw error;
  }
}

/**
 * Changes the tree from its base to another commit of the cache. The base stays what it is: a harvest takes the difference.
 * @throws AgentdError INTERNAL with git's words; the tree is then half changed.
 */
export async function moveTree(worktree: Worktree, commit: string, signal: AbortSignal): Promise<void> {
  const { cache, directory, tree } = worktree;
  const indexFile = join(directory, `index-${randomBytes(6).toString("hex")}`);
  await copyIndex(worktree.indexFile, indexFile);
  try {
    const place = { gitDir: await checkoutDirectory(cache), tree, indexFile };
    const git = withGitSettings(worktreeGit(cache.git, place), { objectDirectory: cache.objectDirectory });
    await git.run(["read-tree", "--reset", "-u", "--end-of-options", `${commit}^{commit}`], {}, signal);
  } finally {
    await rm(indexFile, { force: true });
  }
}

/**
 * A git dir for checking out of `cache` with exact bytes, which is only read: the cache itself if it is one of ours (a harvest),
 * else one inside it, made once. A git dir for each tree took a tenth of the time of an attempt.
 */
async function checkoutDirectory(cache: Repository): Promise<string> {
  if (await givesExactBytes(cache.gitDir)) return cache.gitDir;
  // Another name whenever the attributes change: caches outlive a version.
  const directory = join(cache.gitDir, "agentd-checkout-2.git");
  if (await givesExactBytes(directory)) return directory;
  const draft = `${directory}.new-${randomBytes(6).toString("hex")}`;
  try {
    await writeGitDirectory(draft, { cache, head: "ref: refs/heads/main", isBare: true });
    await rename(draft, directory);
  } catch (error) {
    await rm(draft, { recursive: true, force: true });
    // Somebody else made it meanwhile.
    if (!(await givesExactBytes(directory))) throw error;
  }
  return directory;
}

async function givesExactBytes(gitDir: string): Promise<boolean> {
  return (await readFile(join(gitDir, "info", "attributes"), "utf8").catch(() => "")) === exactBytesAttributes;
}

/** A git that works on an agent's tree with nothing from it: explicit git dir, index and object store. */
export function worktreeGit(
  git: Git,
  place: { readonly gitDir: string; readonly tree: string; readonly indexFile: string },
): Git {
  const { gitDir, tree, indexFile } = place;
  return withGitSettings(git, { gitDir, commonDir: gitDir, workTree: tree, indexFile });
}

/**
 * Writes a git dir by hand, in half a millisecond: `git init` would copy templates and read configuration. Git makes the folders
 * that are missing when it needs them.
 */
export async function writeGitDirectory(
  gitDir: string,
  contents: { readonly cache: Repository; readonly head: string; readonly isBare: boolean; readonly config?: string },
): Promise<void> {
  await mkdir(join(gitDir, "objects", "info"), { recursive: true });
  await mkdir(join(gitDir, "refs"));
  await mkdir(join(gitDir, "info"));
  const isMac = process.platform === "darwin";
  // File systems of macOS ignore case and change the form of accents; git init finds that out by trying.
  const fileSystem = isMac ? "\tignoreCase = true\n\tprecomposeUnicode = true\n" : "";
  const core = `[core]\n\trepositoryFormatVersion = 0\n\tbare = ${contents.isBare}\n\tfileMode = true\n${fileSystem}`;
  await Promise.all([
    writeFile(join(gitDir, "HEAD"), `${contents.head}\n`),
    writeFile(join(gitDir, "config"), core + (contents.config ?? "")),
    writeFile(join(gitDir, "objects", "info", "alternates"), `${contents.cache.objectDirectory}\n`),
    writeFile(join(gitDir, "info", "attributes"), exactBytesAttributes),
  ]);
}

async function writeAgentGit(
  tree: string,
  contents: { readonly cache: Repository; readonly commit: string; readonly indexFile: string },
): Promise<void> {
  const gitDir = join(tree, ".git");
  const identity = "[user]\n\tname = agentd agent\n\temail = agent@agentd.invalid\n";
  const config = `${identity}[gc]\n\tauto = 0\n[advice]\n\tdetachedHead = false\n`;
  const { cache, commit: head } = contents;
  await writeGitDirectory(gitDir, { cache, head, isBare: false, config });
  // A full index with its cached stat data: the agent's first `git status` need not read every file.
  await copyIndex(contents.indexFile, join(gitDir, "index"));
}

/**
 * Copies an index together with its time stamp. Git compares times by the second and reads again the contents
 * of files that are not older than the index: a copy with a later time would hide a change of equal size that
 * was made within the second of the checkout.
 */
export async function copyIndex(from: string, to: string): Promise<void> {
  const { mtimeMs } = await stat(from);
  await copyFile(from, to);
  const seconds = Math.floor(mtimeMs) / 1_000;
  await utimes(to, seconds, seconds);
}

/** How many files a commit has; counting ends soon after `enough`. */
export async function countFiles(
  repository: Repository,
  commit: string,
  enough: number,
  signal: AbortSignal,
): Promise<number> {
  const args = ["ls-tree", "-r", "--format=%(objecttype)", "--full-tree", "--end-of-options", commit];
  // "commit" and a line's end, the longest there is.
  const { stdout } = await repository.git.run(args, { stdoutBytesMax: 7 * enough, truncate: true }, signal);
  return stdout.toString("latin1").split("\n").length;
}

/** Looks at every file of a fresh tree, so that the next who does finds all of it in memory. */
export async function lookThrough(worktree: Worktree, signal: AbortSignal): Promise<void> {
  const { cache, tree, indexFile } = worktree;
  const git = worktreeGit(cache.git, { gitDir: await checkoutDirectory(cache), tree, indexFile });
  await git.run(["--no-optional-locks", "status", "--porcelain", "--ignore-submodules=all"], {}, signal);
}

/**
 * Moves a fresh tree, in which nobody has worked, from its base to a commit of `repository`: only what differs is written.
 * @throws AgentdError INTERNAL with git's own words
 */
export async function moveToCommit(
  worktree: Worktree,
  repository: Repository,
  commit: string,
  signal: AbortSignal,
): Promise<Worktree> {
  const { directory, tree, indexFile, base } = worktree;
  const place = { gitDir: await checkoutDirectory(repository), tree, indexFile };
  const git = withGitSettings(worktreeGit(repository.git, place), { objectDirectory: repository.objectDirectory });
  await rm(join(tree, ".git"), { recursive: true, force: true });
  await git.run(["read-tree", "-m", "-u", "--end-of-options", `${base}^{commit}`, `${commit}^{commit}`], {}, signal);
  await writeAgentGit(tree, { cache: repository, commit, indexFile });
  const readable = [...new Set([...worktree.readable, repository.objectDirectory])];
  return { directory, tree, base: commit, indexFile, cache: repository, readable };
}

/**
 * Removes a worktree, whatever the agent did to the rights of its folders. A second call does nothing. An abort only ends the waiting.
 * @throws AgentdError INTERNAL when something of it is left
 */
export async function removeWorktree(worktree: { readonly directory: string }, signal: AbortSignal): Promise<void> {
  const { directory } = worktree;
  const trash = join(dirname(directory), `${TRASH_PREFIX}${randomBytes(6).toString("hex")}`);
  try {
    // With what is mounted in it.
    await rename(directory, trash);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return;
    throw error;
  }
  await abortable(removeTree(trash), signal);
}

/**
 * Removes every entry of a folder of worktrees but those whose names are in `keep`: what a killed worker left
 * behind, half removed or not. For a worker that starts.
 *
 * @returns how many were removed.
 */
export async function sweepWorktrees(parent: string, keep: ReadonlySet<string>, signal: AbortSignal): Promise<number> {
  const names = (await readdir(parent).catch(() => [] as string[])).filter((name) => !keep.has(name));
  await abortable(Promise.all(names.map((name) => removeTree(join(parent, name)))), signal);
  return names.length;
}

// Lazily only where somebody still looks at a tree: that reads the table of mounts once more for each.
const unmountScript = `xargs -0 sh -c 'umount -- "$@" 2>/dev/null ||
for at do if mountpoint -q -- "$at"; then umount -l -- "$at" || exit; fi; done' sh || exit; `;
// rm(1) is several times faster than Node's own on a tree with a node_modules in it.
const removeScript = 'rm -rf -- "$@" 2>/dev/null || { chmod -R u+rwX -- "$@" 2>/dev/null; rm -rf -- "$@"; }';

/** Unmounts what is mounted below the path and removes it; one program for all that wait at a time. */
const removeTree = inBatches<string>(async (paths) => {
  const mounts = await mountsBelow(paths);
  const unmount = mounts.length === 0 ? "" : unmountScript;
  const result = await runCommand(
    {
      run: { argv: ["/bin/sh", "-c", unmount + removeScript, "sh", ...paths] },
      ...(mounts.length === 0 ? {} : { stdin: mounts.join("\0") }),
      cwd: "/",
      env: { PATH: "/usr/sbin:/usr/bin:/sbin:/bin", LC_ALL: "C" },
      timeoutMs: REMOVE_TIMEOUT_MS,
      outputBytesMax: 4_096,
    },
    AbortSignal.timeout(REMOVE_TIMEOUT_MS),
  );
  for (const path of paths) {
    const isLeft = await lstat(path).then(
      () => true,
      () => false,
    );
    if (isLeft) throw new AgentdError("INTERNAL", `Could not remove ${path}: ${result.output.trim()}`);
  }
});
