import { randomBytes } from "node:crypto";
import { lstat } from "node:fs/promises";
import { join } from "node:path";
import { AgentdError } from "../../core/errors.ts";
import { runCommand } from "../process/run-command.ts";
import type { Repository } from "./bare-repository.ts";
import type { Git, GitIdentity } from "./git.ts";
import { createGit } from "./git.ts";
import { decodePath, gitMessage, splitNul } from "./git-text.ts";
import type { Worktree } from "./worktree.ts";
import { copyIndex, worktreeGit, writeGitDirectory } from "./worktree.ts";

/** What the agent left in its tree. */
export interface Harvest {
  /** One commit on top of the base; undefined when the tree is unchanged. */
  readonly commit: string | undefined;
  readonly tree: string;
  /** Holds the new objects, with the cache as alternate: make the result's bundle from it. */
  readonly repository: Repository;
  /** Not taken: repositories inside the tree (`dir/`), changed submodules, names that git refuses. */
  readonly skipped: readonly string[];
}

/** What to write into the result's commit. */
export interface HarvestOptions {
  readonly message: string;
  readonly author: GitIdentity;
  /** Bounds on what was changed or added: files (default 50,000) and their bytes (default 512 MiB). */
  readonly maxFiles?: number;
  readonly maxBytes?: number;
}

const PATHS_BYTES_MAX = 256 * 1024 * 1024;
/** For each look at the whole tree. */
const LIST_TIMEOUT_MS = 2 * 60_000;
const CHMOD_TIMEOUT_MS = 5 * 60_000;

/**
 * Commits what the agent left in its tree, on top of the base. Nothing that the agent could write is trusted:
 * git dir, configuration and attributes are made anew, the index is the one of the checkout, and no command
 * looks into a repository inside the tree. Ignored files are left out; bytes, links and executable bits are
 * taken as they are. May be called again: each call starts from the base. The agent's processes must be gone.
 *
 * @throws AgentdError LIMIT_EXCEEDED when too much was changed, DISK_FULL, INTERNAL.
 */
export async function harvest(worktree: Worktree, options: HarvestOptions, signal: AbortSignal): Promise<Harvest> {
  const { cache, base, tree } = worktree;
  const gitDir = join(worktree.directory, `harvest-${randomBytes(6).toString("hex")}.git`);
  await writeGitDirectory(gitDir, { cache, head: base, isBare: true });
  const indexFile = join(gitDir, "index");
  await copyIndex(worktree.indexFile, indexFile);
  const git = worktreeGit(cache.git, { gitDir, tree, indexFile });
  // Without the tree, so that it can be used after the tree was removed.
  const { searchPath } = cache.git.settings;
  const plain = createGit({ gitDir, ...(searchPath === undefined ? {} : { searchPath }) });
  const repository: Repository = { gitDir, objectDirectory: join(gitDir, "objects"), git: plain };

  await removeBlockingFiles(tree, signal);
  const skipped = await stageChanges(git, tree, options, signal);
  const [written, wanted] = await Promise.all([
    git.run(["write-tree"], {}, signal),
    git.run(["rev-parse", "--verify", "--end-of-options", `${base}^{tree}`], {}, signal),
  ]);
  const treeName = written.stdout.toString("latin1").trim();
  const isUnchanged = treeName === wanted.stdout.toString("latin1").trim();
  const result = { tree: treeName, repository, skipped };
  if (isUnchanged) return { ...result, commit: undefined };
  const committed = await git.run(
    ["commit-tree", treeName, "-p", base, "-F", "-"],
    { stdin: options.message, author: options.author, committer: options.author },
    signal,
  );
  return { ...result, commit: committed.stdout.toString("latin1").trim() };
}

/** Brings the index up to date with the tree; returns what was skipped. */
async function stageChanges(git: Git, tree: string, options: HarvestOptions, signal: AbortSignal): Promise<string[]> {
  // `git add` would start git inside every repository it meets in the tree, and so run its configuration;
  // these two commands only look at files.
  const list = { stdoutBytesMax: PATHS_BYTES_MAX, timeoutMs: LIST_TIMEOUT_MS };
  const [raw, untracked] = await Promise.all([
    git.run(["diff-files", "--raw", "-z", "--no-renames", "--ignore-submodules=all"], list, signal),
    git.run(["ls-files", "-z", "--others", "--exclude-standard"], list, signal),
  ]);
  const skipped: string[] = [];
  const removed: Buffer[] = [];
  const changed: Buffer[] = [];
  for (const { path, status, oldMode } of rawRecords(raw.stdout)) {
    if (oldMode === "160000") skipped.push(decodePath(path));
    else if (status === "D") removed.push(path);
    else changed.push(path);
  }
  for (const path of splitNul(untracked.stdout)) {
    if (path.at(-1) === 0x2f || isRefusedName(path)) skipped.push(decodePath(path));
    else changed.push(path);
  }
  const files = await onlyFiles(tree, changed, options, { removed, skipped });
  // Removals first: a file may have become a directory, or a directory a link.
  if (removed.length > 0) {
    await git.run(["update-index", "-z", "--force-remove", "--stdin"], { stdin: joinNul(removed) }, signal);
  }
  if (files.length > 0) await addFiles(git, tree, joinNul(files), signal);
  return skipped;
}

/** Of the changed paths those that are files or links now; bounds their number and size. */
async function onlyFiles(
  tree: string,
  paths: readonly Buffer[],
  options: HarvestOptions,
  rest: { readonly removed: Buffer[]; readonly skipped: string[] },
): Promise<Buffer[]> {
  const maxFiles = options.maxFiles ?? 50_000;
  const maxBytes = options.maxBytes ?? 512 * 1024 ** 2;
  if (paths.length > maxFiles) {
    throw new AgentdError("LIMIT_EXCEEDED", `The agent changed ${paths.length} files; at most ${maxFiles} are taken.`);
  }
  const files: Buffer[] = [];
  let bytes = 0;
  for (const path of paths) {
    const info = await lstat(Buffer.concat([Buffer.from(`${tree}/`), path])).catch(() => undefined);
    // A file that became a repository (git would record a submodule), or a device: it is gone as a file.
    if (info === undefined || !(info.isFile() || info.isSymbolicLink())) {
      rest.removed.push(path);
      if (info !== undefined) rest.skipped.push(decodePath(path));
      continue;
    }
    files.push(path);
    bytes += info.size;
    if (bytes <= maxBytes) continue;
    const last = `${decodePath(path)} has ${info.size}`;
    throw new AgentdError(
      "LIMIT_EXCEEDED",
      `The agent changed files of more than ${maxBytes} bytes together (${last}); add build output to .gitignore.`,
    );
  }
  return files;
}

/** Git opens every .gitignore and .gitattributes: a named pipe in its place would hold it for ever. */
async function removeBlockingFiles(tree: string, signal: AbortSignal): Promise<void> {
  const isSpecial = ["!", "-type", "f", "!", "-type", "d", "!", "-type", "l"];
  const run = { argv: ["find", tree, "-name", ".git*", ...isSpecial, "-delete"] };
  const bounds = { timeoutMs: LIST_TIMEOUT_MS, outputBytesMax: 4_096 };
  await runCommand({ run, cwd: "/", env: { PATH: "/usr/bin:/bin" }, ...bounds }, signal);
}

async function addFiles(git: Git, tree: string, paths: Buffer, signal: AbortSignal): Promise<void> {
  const args = ["update-index", "-z", "--add", "--remove", "--replace", "--stdin"];
  const first = await git.run(args, { stdin: paths, okExitCodes: [0, 1, 128] }, signal);
  if (first.exitCode === 0) return;
  if (/Permission denied/.test(first.stderr)) {
    await makeReadable(tree, signal);
    await git.run(args, { stdin: paths }, signal);
    return;
  }
  const reason = /No space left on device/i.test(first.stderr) ? "DISK_FULL" : "INTERNAL";
  throw new AgentdError(reason, `The agent's changes could not be taken over: ${gitMessage(first.stderr)}`);
}

/** An agent may have taken away its own right to read. Links are not followed; executable bits stay. */
async function makeReadable(tree: string, signal: AbortSignal): Promise<void> {
  const run = { argv: ["chmod", "-R", "u+rwX", "--", tree] };
  const bounds = { timeoutMs: CHMOD_TIMEOUT_MS, outputBytesMax: 4_096 };
  await runCommand({ run, cwd: "/", env: { PATH: "/usr/bin:/bin" }, ...bounds }, signal);
}

function* rawRecords(bytes: Buffer): Generator<{ path: Buffer; status: string; oldMode: string }> {
  const records = splitNul(bytes);
  for (let at = 0; at + 1 < records.length; at += 2) {
    const [oldMode = "", , , , status = ""] = (records[at] ?? Buffer.alloc(0)).toString("latin1").slice(1).split(" ");
    yield { path: records[at + 1] ?? Buffer.alloc(0), status: status.charAt(0), oldMode };
  }
}

/** Names that some system reads as `.git`: git refuses them, and one such name would fail the whole list. */
function isRefusedName(path: Buffer): boolean {
  const parts = path.toString("utf8").split(/[/\\]/);
  return parts.some((part) => {
    // NTFS ignores blanks and dots at the end and what follows a colon; HFS+ ignores invisible characters.
    const name = part
      .replace(/[\u200c-\u200f\u202a-\u202e\u206a-\u206f\ufeff]/g, "")
      .replace(/:.*$/s, "")
      .replace(/[ .]+$/, "")
      .toLowerCase();
    return name === ".git" || name === "git~1";
  });
}

function joinNul(paths: readonly Buffer[]): Buffer {
  const separator = Buffer.of(0);
  return Buffer.concat(paths.flatMap((path) => [path, separator]));
}
