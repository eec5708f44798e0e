import { execFile } from "node:child_process";
import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { mkdtemp, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { promisify } from "node:util";

const run = promisify(execFile);

/** What keeps a local repository from being uploaded or updated, in words for its owner. */
export class RepositoryError extends Error {
  override readonly name = "RepositoryError";
}

/** A bundle on disk that holds one ref of a local repository. */
export interface LocalBundle {
  readonly file: string;
  /** `sha256:` and 64 hex digits. */
  readonly digest: string;
  readonly bytes: number;
  /** The ref to ask for: the one given, or the commit where a bundle cannot carry its name. */
  readonly ref: string;
  /** Files with changes that are not committed, and so not in the bundle. */
  readonly uncommitted: number;
  /** Removes the file. */
  remove(): Promise<void>;
}

/**
 * Runs the user's own git on the user's own repository, as the user would; gives its output, trimmed unless `isExact`.
 * @throws RepositoryError with git's last line.
 */
export async function git(
  directory: string,
  args: readonly string[],
  signal: AbortSignal,
  { isExact = false }: { readonly isExact?: boolean } = {},
): Promise<string> {
  try {
    const { stdout } = await run("git", ["-C", directory, ...args], { signal, maxBuffer: 64 * 1024 * 1024 });
    return isExact ? stdout : stdout.trim();
  } catch (error) {
    if (signal.aborted) throw signal.reason;
    const failure = error as { code?: unknown; stderr?: string };
    if (failure.code === "ENOENT") throw new RepositoryError("git is not installed, or not on PATH");
    throw new RepositoryError((failure.stderr ?? String(error)).trim().split("\n").at(-1) ?? "git failed");
  }
}

/** Like {@link git}; undefined where git says no. */
export async function gitOrNone(
  directory: string,
  args: readonly string[],
  signal: AbortSignal,
): Promise<string | undefined> {
  try {
    return await git(directory, args, signal);
  } catch (error) {
    if (error instanceof RepositoryError && !error.message.startsWith("git is not")) return undefined;
    throw error;
  }
}

/** Whether `url` names a folder of this machine, as opposed to a URL that the coordinator fetches. */
export function isLocalPath(url: string): boolean {
  return !/^[a-z][a-z0-9+.-]*:\/\//i.test(url) && !/^[^/\\]+@[^/\\]+:/.test(url);
}

async function requireRepository(directory: string, signal: AbortSignal): Promise<void> {
  if ((await gitOrNone(directory, ["rev-parse", "--git-dir"], signal)) === undefined) {
    throw new RepositoryError(`${directory} is not a git repository`);
  }
}

/** Commits that a bundle builds upon: the lines `-ID comment` of its header, which an empty line ends. */
async function prerequisites(bundleFile: string): Promise<string[]> {
  const found: string[] = [];
  const input = createReadStream(bundleFile);
  for await (const line of createInterface({ input })) {
    if (line === "") break;
    const match = /^-([0-9a-f]{40,64})\b/.exec(line);
    if (match?.[1] !== undefined) found.push(match[1]);
  }
  input.destroy();
  return found;
}

async function resolveCommit(directory: string, ref: string, signal: AbortSignal): Promise<string> {
  await requireRepository(directory, signal);
  const facts = await git(directory, ["rev-parse", "--is-shallow-repository", "--show-object-format"], signal);
  const [isShallow, objectFormat] = facts.split("\n");
  if (objectFormat !== "sha1") {
    throw new RepositoryError(
      `${directory} has object names of ${objectFormat}; agentd takes repositories with SHA-1 names only`,
    );
  }
  if (isShallow === "true") {
    throw new RepositoryError(`${directory} is a shallow clone; run \`git fetch --unshallow\` first`);
  }
  const commit = await gitOrNone(
    directory,
    ["rev-parse", "--verify", "--quiet", "--end-of-options", `${ref}^{commit}`],
    signal,
  );
  if (commit !== undefined) return commit;
  const hasCommits = (await gitOrNone(directory, ["rev-list", "-n", "1", "--all"], signal)) ?? "";
  if (hasCommits === "") throw new RepositoryError(`${directory} is empty: commit something first`);
  if (ref === "HEAD") {
    throw new RepositoryError(
      `${directory} has its HEAD on a branch without commits; name another in spec.repository.ref`,
    );
  }
  throw new RepositoryError(`${directory} has no ref "${ref}"`);
}

/** The refs that carry `ref` and, where it exists, the target branch, so that the server sees both. */
async function refsToSend(directory: string, ref: string, branch: string, signal: AbortSignal): Promise<string[]> {
  const full = await gitOrNone(directory, ["rev-parse", "--symbolic-full-name", "--verify", ref], signal);
  const refs = ref === "HEAD" ? ["HEAD"] : full?.startsWith("refs/") ? [full] : [];
  const target = `refs/heads/${branch}`;
  const targetExists = await gitOrNone(directory, ["rev-parse", "--verify", "--quiet", target], signal);
  return targetExists === undefined ? refs : [...refs, target];
}

async function digestOf(file: string): Promise<string> {
  const hash = createHash("sha256");
  for await (const chunk of createReadStream(file)) hash.update(chunk as Buffer);
  return `sha256:${hash.digest("hex")}`;
}

/**
 * Packs one ref of the repository at `directory`. The same commits give the same bytes as a rule
 * (one pack thread), so that an upload is sent once.
 * @throws RepositoryError when there is no repository, no such ref, no commit, or only a shallow history.
 */
export async function bundleRepository(
  directory: string,
  ref: string,
  branch: string,
  signal: AbortSignal,
): Promise<LocalBundle> {
  const commit = await resolveCommit(directory, ref, signal);
  const refs = await refsToSend(directory, ref, branch, signal);
  const isNamed = refs.some((name) => name === "HEAD" || !name.endsWith(`/${branch}`)) || ref === branch;
  const temporaryRef = `refs/agentd/upload/${commit}`;
  const folder = await mkdtemp(join(tmpdir(), "agentctl-"));
  const file = join(folder, "repository.bundle");
  const remove = () => rm(folder, { recursive: true, force: true });
  try {
    // A bundle carries refs, not bare commits: a commit or an expression like HEAD~1 gets a ref for the moment.
    if (!isNamed) await git(directory, ["update-ref", temporaryRef, commit], signal);
    const sent = isNamed ? refs : [...refs, temporaryRef];
    await git(directory, ["-c", "pack.threads=1", "bundle", "create", "--quiet", file, ...sent], signal);
    const status = await git(directory, ["status", "--porcelain", "--untracked-files=no"], signal).catch(() => "");
    const { size } = await stat(file);
    return {
      file,
      digest: await digestOf(file),
      bytes: size,
      ref: isNamed ? ref : commit,
      uncommitted: status === "" ? 0 : status.split("\n").length,
      remove,
    };
  } catch (error) {
    await remove();
    throw error;
  } finally {
    if (!isNamed) await gitOrNone(directory, ["update-ref", "-d", temporaryRef], AbortSignal.timeout(5_000));
  }
}

/** What taking a job's branch into the local repository did. */
export type TakeResult = "created" | "updated" | "unchanged";

/**
 * Sets the local `branch` to `commit`, unpacking `bundleFile` (absent when the branch did not move from the base).
 * @throws RepositoryError when the branch is checked out, holds commits that `commit` lacks, or the base is not here.
 */
export async function takeBranch(
  directory: string,
  branch: string,
  commit: string,
  bundleFile: string | undefined,
  signal: AbortSignal,
): Promise<TakeResult> {
  const target = `refs/heads/${branch}`;
  await requireRepository(directory, signal);
  const needed = bundleFile === undefined ? [commit] : await prerequisites(bundleFile);
  for (const id of needed) {
    if ((await gitOrNone(directory, ["cat-file", "-e", `${id}^{commit}`], signal)) !== undefined) continue;
    throw new RepositoryError(
      `${directory} does not hold ${id.slice(0, 7)}, the base of this job: is it another repository?`,
    );
  }
  if (bundleFile !== undefined) await git(directory, ["bundle", "unbundle", bundleFile], signal);
  const before = await gitOrNone(directory, ["rev-parse", "--verify", "--quiet", target], signal);
  if (before === commit) return "unchanged";
  if (before !== undefined) {
    const isAncestor = await gitOrNone(directory, ["merge-base", "--is-ancestor", before, commit], signal);
    if (isAncestor === undefined) {
      throw new RepositoryError(`branch ${branch} has commits of its own; rename it, then fetch again`);
    }
    const worktrees = await git(directory, ["worktree", "list", "--porcelain"], signal);
    if (worktrees.split("\n").includes(`branch ${target}`)) {
      throw new RepositoryError(`branch ${branch} is checked out; switch to another one, then fetch again`);
    }
  }
  await git(
    directory,
    ["update-ref", "-m", "agentctl fetch", target, commit, before ?? "0".repeat(commit.length)],
    signal,
  );
  return before === undefined ? "created" : "updated";
}
