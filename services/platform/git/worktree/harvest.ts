import { randomBytes } from "node:crypto";
import { join } from "node:path";
import type { Repository } from "../bare-repository.ts";
import { createGit } from "../git.ts";
import { decodePath } from "../git-text.ts";
import type { FewFiles } from "../in-process/apply-few.ts";
import { commitFew } from "../in-process/commit-few.ts";
import { findTreeChanges } from "../in-process/find-tree-changes.ts";
import { type IndexFile, readIndex } from "../in-process/index-file.ts";
import { type ChangedLines, type CommitOptions, commitByGit, findByGit } from "./harvest-by-git.ts";
import { type HarvestBounds, isRefusedName, onlyFiles, type Staged } from "./staged-files.ts";
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

/** What to write into the result's commit. */
export interface HarvestOptions extends CommitOptions, HarvestBounds {
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
  const staged = found ?? (await findByGit(git, worktree, options, signal));
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
  const { commit, changes } = await commitByGit(git, staged, options, signal);
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
