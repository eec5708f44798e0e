import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { git, gitOrNone, RepositoryError } from "./local-repository.ts";

/** What a job's branch changes. */
export interface BranchChanges {
  readonly base: string;
  readonly commit: string;
  /** Brings the commits; absent when there is nothing to bring. */
  readonly bundleFile?: string;
  /** Folder for the patch. */
  readonly folder: string;
  /** What else the user can do, for refusals. */
  readonly otherwise: string;
}

/** Top folder of the repository that `directory` is in. @throws RepositoryError when it is in none */
export async function topFolder(directory: string, signal: AbortSignal): Promise<string> {
  const top = await gitOrNone(directory, ["rev-parse", "--show-toplevel"], signal);
  if (top === undefined || top === "")
    throw new RepositoryError(`${directory} is not a git repository with a work tree`);
  return top;
}

/**
 * Brings what changed between base and commit into the work tree: all of it or nothing; the index and the branches stay
 * as they are. Gives the changed paths.
 * @throws RepositoryError when a changed path has uncommitted changes here, or the changes do not fit.
 */
export async function applyChanges(
  directory: string,
  changes: BranchChanges,
  signal: AbortSignal,
): Promise<readonly string[]> {
  const { base, commit, otherwise } = changes;
  const top = await topFolder(directory, signal);
  if (changes.bundleFile !== undefined) await git(top, ["bundle", "unbundle", changes.bundleFile], signal);
  const range = [base, commit];
  const paths = split(await git(top, ["diff", "--no-ext-diff", "--no-renames", "--name-only", "-z", ...range], signal));
  if (paths.length === 0) return [];
  const dirty = await dirtyPaths(top, new Set(paths), signal);
  if (dirty.length > 0) {
    const more = dirty.length > 1 ? ` and ${dirty.length - 1} more` : "";
    throw new RepositoryError(
      `nothing was applied: ${dirty[0]}${more} would be changed and ${dirty.length > 1 ? "have" : "has"} uncommitted changes here; commit or stash them, then: ${otherwise}`,
    );
  }
  const patch = join(changes.folder, "changes.patch");
  const diff = [
    "diff",
    "--no-ext-diff",
    "--no-textconv",
    "--no-color",
    "--binary",
    "--full-index",
    `--output=${patch}`,
  ];
  await writeFile(patch, "");
  await git(top, [...diff, ...range], signal);
  try {
    await git(top, ["apply", "--whitespace=nowarn", patch], signal);
  } catch (error) {
    if (!(error instanceof RepositoryError)) throw error;
    throw new RepositoryError(`nothing was applied: ${error.message}; instead: ${otherwise}`);
  }
  return paths;
}

function split(output: string): readonly string[] {
  return output.split("\0").filter((path) => path !== "");
}

/** Of `paths`, those that differ from HEAD or are not tracked. */
async function dirtyPaths(top: string, paths: ReadonlySet<string>, signal: AbortSignal): Promise<readonly string[]> {
  const args = ["status", "--porcelain", "-z", "--untracked-files=all", "--no-renames"];
  // Not trimmed by `git`: the first entry begins with a blank where only the work tree differs.
  const entries = split(await git(top, args, signal, { isExact: true }));
  return entries.map((entry) => entry.slice(3)).filter((path) => paths.has(path));
}
