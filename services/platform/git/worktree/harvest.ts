import { randomBytes } from "node:crypto";
import { lstat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { AgentdError } from "../../../core/errors.ts";
import { runCommand } from "../../process/run-command.ts";
import type { Repository } from "../bare-repository.ts";
import type { Git, GitIdentity, GitScript } from "../git.ts";
import { createGit } from "../git.ts";
import { decodePath, gitMessage, splitNul } from "../git-text.ts";
import type { FewFiles } from "../in-process/apply-few.ts";
import { commitFew } from "../in-process/commit-few.ts";
import { findTreeChanges } from "../in-process/find-tree-changes.ts";
import { type IndexFile, readIndex } from "../in-process/index-file.ts";
import type { Worktree } from "./worktree.ts";
import { copyIndex, worktreeGit, writeGitDirectory } from "./worktree.ts";

/** What the agent left in its tree. */
export interface Harvest {
  /** One commit on top of the base; undefined when the tree is unchanged. */
  readonly commit: string | undefined;
  /** What the commit changes, both sides of a rename. */
  readonly changes: readonly ChangedLines[];
  /** Holds the new objects, with the cache as alternate: make the result's bundle from it. */
  readonly repository: Repository;
  /** The first 4 MiB of the unified diff, with full object names, without context and renames; to be read while the worktree stands. */
  readonly diffFile: string;
  /** The names of the objects that the base has not, where they are few and known. */
  readonly objects?: readonly string[];
  /** What was found to differ from the base, removed paths too; bytes as characters. */
  readonly touched: readonly string[];
  /** The changed files, where they are few and known. */
  readonly few?: FewFiles;
  /** Not taken: repositories inside the tree (`dir/`), changed submodules, names that git refuses. */
  readonly skipped: readonly string[];
}

/** A changed path and its lines; none for a binary file. */
export interface ChangedLines {
  readonly path: string;
  readonly insertions: number;
  readonly deletions: number;
}

/** What to write into the result's commit. */
export interface HarvestOptions {
  readonly message: string;
  readonly author: GitIdentity;
  /** Bounds on what was changed or added: files (default 50,000) and their bytes (default 512 MiB). */
  readonly maxFiles?: number;
  readonly maxBytes?: number;
  /** Only the commit, for half the price: `changes` stays empty and `diffFile` is not written. Default false. */
  readonly isBrief?: boolean;
  /** From an earlier harvest of the same tree: spares looking. */
  readonly known?: KnownChanges;
}

/** What is known to differ from the base already. */
export interface KnownChanges {
  /** As {@link Harvest.touched}. */
  readonly paths: ReadonlySet<string>;
  /** Nothing else can have changed: the tree is not looked at. */
  readonly isAll: boolean;
  /** Of that harvest, as far as it gave a commit that is kept elsewhere: used again, and empty where nothing has changed since. */
  readonly last?: { readonly commit: string; readonly repository: Repository };
}

const PATHS_BYTES_MAX = 256 * 1024 * 1024;
/** For each look at the whole tree. */
const LIST_TIMEOUT_MS = 2 * 60_000;
const CHMOD_TIMEOUT_MS = 5 * 60_000;
/** A tree of more files is looked at by git: it is faster then, although it has to be started. */
const IN_PROCESS_FILES_MAX = 2_000;

/**
 * Commits what the agent left in its tree, on top of the base. Nothing that the agent could write is trusted:
 * git dir, configuration and attributes are made anew, the index is the one of the checkout, and no command
 * looks into a repository inside the tree. Ignored files are left out; bytes, links and executable bits are
 * taken as they are. May be called again: each call starts from the base. The agent's processes must be gone.
 *
 * @throws AgentdError LIMIT_EXCEEDED when too much was changed, DISK_FULL, INTERNAL.
 */
export async function harvest(worktree: Worktree, options: HarvestOptions, signal: AbortSignal): Promise<Harvest> {
  const { cache, tree } = worktree;
  const repository = options.known?.last?.repository ?? (await newRepository(worktree));
  const { gitDir } = repository;
  const indexFile = join(gitDir, "index");
  const git = worktreeGit(cache.git, { gitDir, tree, indexFile });

  // Other systems fold case, or write accents in another way: there git knows how.
  const index = process.platform === "linux" ? await readIndex(worktree.indexFile, IN_PROCESS_FILES_MAX) : undefined;
  const known = options.known?.isAll === true ? await sortKnown(tree, options.known, options) : undefined;
  const found = known ?? (index === undefined ? undefined : await findFewChanges(tree, index, options, signal));
  const staged = found ?? (await findChanges(git, worktree, options, signal));
  const touched = [...staged.removed, ...staged.files].map(toPath);
  const diffFile = join(gitDir, "agentd-diff");
  const unchanged = { commit: undefined, changes: [], repository, diffFile, touched, skipped: staged.skipped };
  if (staged.removed.length + staged.files.length === 0) return unchanged;
  if (index !== undefined) {
    const text = options.isBrief === true ? {} : { diffFile };
    const few = await commitFewChanges(worktree, repository, { ...options, index, staged, ...text }, signal);
    if (few !== undefined) return few.commit === undefined ? unchanged : { ...unchanged, ...few };
  }
  if (staged.isIndexCopied !== true) await copyIndex(worktree.indexFile, indexFile);
  const { commit, changes } = await commitChanges(git, staged, options, signal);
  if (options.isBrief === true) return { ...unchanged, commit };
  return changes.length === 0 ? unchanged : { ...unchanged, commit, changes };
}

async function newRepository({ cache, base, directory }: Worktree): Promise<Repository> {
  const gitDir = join(directory, `harvest-${randomBytes(6).toString("hex")}.git`);
  await writeGitDirectory(gitDir, { cache, head: base, isBare: true });
  // Without the tree, so that it can be used after the tree was removed.
  const { searchPath } = cache.git.settings;
  const git = createGit({ gitDir, ...(searchPath === undefined ? {} : { searchPath }) });
  return { gitDir, objectDirectory: join(gitDir, "objects"), git };
}

/** Looks for changes without starting git, which costs more than all else of a small tree; undefined where that must be. */
async function findFewChanges(
  tree: string,
  index: IndexFile,
  options: HarvestOptions,
  signal: AbortSignal,
): Promise<Staged | undefined> {
  const found = await findTreeChanges(tree, index, options.known?.paths ?? new Set(), signal);
  if (found === undefined) return undefined;
  const paths = found.files.map(toBytes);
  if (paths.some(isRefusedName)) return undefined;
  const staged = { skipped: [], removed: found.removed.map(toBytes) };
  return { ...staged, files: await onlyFiles(tree, paths, options, staged) };
}

function toBytes(path: string): Buffer {
  return Buffer.from(path, "latin1");
}

function toPath(bytes: Buffer): string {
  return bytes.toString("latin1");
}

/** The known paths as they are now. */
async function sortKnown(tree: string, known: KnownChanges, options: HarvestOptions): Promise<Staged> {
  const paths = [...known.paths].sort().map(toBytes);
  const staged = { removed: [], skipped: paths.filter(isRefusedName).map(decodePath) };
  const files = await onlyFiles(
    tree,
    paths.filter((path) => !isRefusedName(path)),
    options,
    staged,
  );
  return { ...staged, files };
}

async function commitFewChanges(
  { cache, base, tree }: Worktree,
  { objectDirectory }: Repository,
  options: HarvestOptions & { readonly index: IndexFile; readonly staged: Staged; readonly diffFile?: string },
  signal: AbortSignal,
) {
  const { staged, message, author } = options;
  const diffFile = options.diffFile === undefined ? {} : { diffFile: options.diffFile };
  const changes = { removed: staged.removed.map(toPath), files: staged.files.map(toPath) };
  const { entries } = options.index;
  const known = options.known?.last === undefined ? {} : { known: options.known.last.commit };
  return await commitFew(
    { cache, base, entries, tree, changes, message, author, objectDirectory, ...diffFile, ...known },
    signal,
  );
}

/** Paths of the tree, sorted by what is to be done with them. */
interface Staged {
  /** The harvest's own index is there. */
  readonly isIndexCopied?: true;
  readonly skipped: string[];
  readonly removed: Buffer[];
  readonly files: Buffer[];
}

/**
 * Looks at the whole tree. Git opens every .gitignore and .gitattributes, and a named pipe in its place would hold it for ever:
 * these go first. `git add` would start git inside every repository that it meets in the tree, and so run its configuration;
 * `status` that leaves submodules alone only looks at files.
 */
const lookScript: GitScript = {
  name: "status",
  text: `find "$GIT_WORK_TREE" -name ".git*" ! -type f ! -type d ! -type l -delete 2>/dev/null || :
exec "$@" status --porcelain=v2 -z --untracked-files=all --ignored=no --ignore-submodules=all --no-renames`,
};

/**
 * Takes the listed paths into the index and commits it. Removals first: a file may have become a directory, or a directory a
 * link. The differences are listed without the tree, whose attributes must not decide what is text.
 */
const briefScript: GitScript = {
  name: "commit",
  text: `"$@" update-index -z --force-remove --stdin <"$GIT_DIR/agentd-removed"
"$@" update-index -z --add --remove --replace --stdin
tree=$("$@" write-tree)
"$@" commit-tree "$tree" -p HEAD -F "$GIT_DIR/agentd-message"`,
};
const commitScript: GitScript = {
  name: "commit",
  text: `${briefScript.text}
unset GIT_WORK_TREE
"$@" diff-index --cached -p -U0 --full-index --no-color --no-renames --no-ext-diff --no-textconv --src-prefix=a/ --dst-prefix=b/ HEAD |
  head -c 4194304 >"$GIT_DIR/agentd-diff"
exec "$@" diff-index --cached --numstat -z --no-renames --no-ext-diff --no-textconv HEAD`,
};

async function findChanges(
  git: Git,
  worktree: Worktree,
  options: HarvestOptions,
  signal: AbortSignal,
): Promise<Staged> {
  const { tree } = worktree;
  await copyIndex(worktree.indexFile, join(git.settings.gitDir, "index"));
  const list = { stdoutBytesMax: PATHS_BYTES_MAX, timeoutMs: LIST_TIMEOUT_MS };
  const { stdout } = await git.runScript(lookScript, list, signal);
  const skipped: string[] = [];
  const removed: Buffer[] = [];
  const changed: Buffer[] = [];
  for (const { path, isTracked, isDeleted, isSubmodule } of statusRecords(stdout)) {
    const isRefused = !isTracked && (path.at(-1) === 0x2f || isRefusedName(path));
    if (isSubmodule || isRefused) skipped.push(decodePath(path));
    else if (isDeleted) removed.push(path);
    else changed.push(path);
  }
  const files = await onlyFiles(tree, changed, options, { removed, skipped });
  return { skipped, removed, files, isIndexCopied: true };
}

async function commitChanges(
  git: Git,
  staged: Staged,
  options: HarvestOptions,
  signal: AbortSignal,
): Promise<{ commit: string; changes: readonly ChangedLines[] }> {
  const { gitDir, workTree = "" } = git.settings;
  await Promise.all([
    writeFile(join(gitDir, "agentd-removed"), joinNul(staged.removed)),
    writeFile(join(gitDir, "agentd-message"), options.message),
  ]);
  const who = { author: options.author, committer: options.author };
  const run = { stdin: joinNul(staged.files), stdoutBytesMax: PATHS_BYTES_MAX, ...who };
  const script = options.isBrief === true ? briefScript : commitScript;
  let done = await git.runScript(script, { ...run, okExitCodes: [0, 1, 128] }, signal);
  if (done.exitCode !== 0 && /Permission denied/.test(done.stderr)) {
    await makeReadable(workTree, signal);
    done = await git.runScript(script, run, signal);
  }
  if (done.exitCode !== 0) {
    const reason = /No space left on device/i.test(done.stderr) ? "DISK_FULL" : "INTERNAL";
    throw new AgentdError(reason, `The agent's changes could not be taken over: ${gitMessage(done.stderr)}`);
  }
  const end = done.stdout.indexOf(0x0a);
  const commit = done.stdout.toString("latin1", 0, end);
  return { commit, changes: [...numstatRecords(done.stdout.subarray(end + 1))] };
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

/** An agent may have taken away its own right to read. Links are not followed; executable bits stay. */
async function makeReadable(tree: string, signal: AbortSignal): Promise<void> {
  const run = { argv: ["chmod", "-R", "u+rwX", "--", tree] };
  const bounds = { timeoutMs: CHMOD_TIMEOUT_MS, outputBytesMax: 4_096 };
  await runCommand({ run, cwd: "/", env: { PATH: "/usr/bin:/bin" }, ...bounds }, signal);
}

interface StatusRecord {
  readonly path: Buffer;
  readonly isTracked: boolean;
  readonly isDeleted: boolean;
  readonly isSubmodule: boolean;
}

/** Reads `1 <XY> <sub> <mode in HEAD, index, tree> <object in HEAD, index> <path>` and `? <path>`. */
function* statusRecords(bytes: Buffer): Generator<StatusRecord> {
  for (const record of splitNul(bytes)) {
    if (record[0] === 0x3f) {
      yield { path: record.subarray(2), isTracked: false, isDeleted: false, isSubmodule: false };
      continue;
    }
    let start = 0;
    for (let field = 0; field < 8; field += 1) start = record.indexOf(0x20, start) + 1;
    const [kind, states = "", , , mode] = record.toString("latin1", 0, start).split(" ");
    if (kind !== "1") throw new AgentdError("INTERNAL", "git status answered in an unknown form.");
    const path = record.subarray(start);
    yield { path, isTracked: true, isDeleted: states[1] === "D", isSubmodule: mode === "160000" };
  }
}

/** Reads `<added> TAB <deleted> TAB <path>`; a binary file has `-` for both. */
function* numstatRecords(bytes: Buffer): Generator<ChangedLines> {
  for (const record of splitNul(bytes)) {
    const first = record.indexOf(0x09);
    const second = record.indexOf(0x09, first + 1);
    const insertions = Number.parseInt(record.toString("latin1", 0, first), 10) || 0;
    const deletions = Number.parseInt(record.toString("latin1", first + 1, second), 10) || 0;
    yield { path: decodePath(record.subarray(second + 1)), insertions, deletions };
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
