import { randomBytes } from "node:crypto";
import { mkdir, readdir, rename, rm, stat } from "node:fs/promises";
import { dirname, join } from "node:path";
import { AgentdError } from "../../core/errors.ts";
import type { Git } from "./git.ts";
import { createGit } from "./git.ts";
import { gitMessage } from "./git-text.ts";

/** A git repository without a working tree: a cache that can be deleted at any time. */
export interface Repository {
  readonly gitDir: string;
  readonly objectDirectory: string;
  readonly git: Git;
}

/** Where a cache lies and how git is found. */
export interface BareRepositoryOptions {
  readonly directory: string;
  /** PATH in which git is found; default the usual places. */
  readonly searchPath?: string;
}

/** An object name of a SHA-1 repository: 40 lower-case hex digits. */
export const objectNamePattern = /^[0-9a-f]{40}$/;

/** Whether git refuses a ref name in too many words to ask it: control characters, blanks, globs, `..`, `@{`. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: these are what is refused
const badRefPattern = /[\x00-\x20\x7f~^:?*[\\]|\.\.|@\{|\/\/|\.lock(\/|$)|^[-/.]|\/\.|[/.]$/;

/**
 * Opens the bare repository at `directory`, making it when absent. Safe when several processes do it at once:
 * a new repository appears by one rename.
 */
export async function openBareRepository(options: BareRepositoryOptions, signal: AbortSignal): Promise<Repository> {
  const { directory, searchPath } = options;
  const git = createGit({ gitDir: directory, ...(searchPath === undefined ? {} : { searchPath }) });
  const repository = { gitDir: directory, objectDirectory: join(directory, "objects"), git };
  if (await isComplete(directory)) return repository;
  await mkdir(dirname(directory), { recursive: true });
  const draft = `${directory}.new-${randomBytes(6).toString("hex")}`;
  try {
    await mkdir(draft);
    const init = createGit({ ...git.settings, gitDir: draft });
    await init.run(["init", "--quiet", "--bare", "--template=", "--object-format=sha1", "--", draft], {}, signal);
    await rename(draft, directory);
  } catch (error) {
    await rm(draft, { recursive: true, force: true });
    // Somebody else made it meanwhile.
    if (!(await isComplete(directory))) throw error;
  }
  return repository;
}

/**
 * Opens a repository of the user for reading, from any folder inside it. The user's own configuration is not
 * used; hooks never run.
 *
 * @throws AgentdError REPOSITORY_UNREACHABLE when there is none, or it is shallow or a partial clone.
 */
export async function openUserRepository(
  path: string,
  options: { readonly searchPath?: string },
  signal: AbortSignal,
): Promise<Repository> {
  const found = await discover(path, options.searchPath, signal);
  const git = createGit({
    gitDir: found.gitDir,
    commonDir: found.commonDir,
    ...(options.searchPath === undefined ? {} : { searchPath: options.searchPath }),
  });
  if (found.isShallow) {
    const advice = "Run `git fetch --unshallow` in it first.";
    throw new AgentdError(
      "REPOSITORY_UNREACHABLE",
      `The repository at ${path} is shallow: history is missing. ${advice}`,
    );
  }
  return { gitDir: found.gitDir, objectDirectory: join(found.commonDir, "objects"), git };
}

async function discover(
  path: string,
  searchPath: string | undefined,
  signal: AbortSignal,
): Promise<{ gitDir: string; commonDir: string; isShallow: boolean }> {
  const info = await stat(path).catch(() => undefined);
  if (!info?.isDirectory()) {
    throw new AgentdError("REPOSITORY_UNREACHABLE", `There is no folder ${path}.`, { metadata: { path } });
  }
  const git = createGit({
    gitDir: "",
    workTree: path,
    isDiscovered: true,
    ...(searchPath === undefined ? {} : { searchPath }),
  });
  const questions = ["--path-format=absolute", "--git-dir", "--git-common-dir", "--is-shallow-repository"];
  const answer = await git.run(
    ["-c", "safe.directory=*", "rev-parse", ...questions],
    { okExitCodes: [0, 128] },
    signal,
  );
  const [gitDir, commonDir, isShallow] = answer.stdout.toString("utf8").split("\n");
  if (answer.exitCode !== 0 || !gitDir || !commonDir) {
    const words = gitMessage(answer.stderr);
    throw new AgentdError("REPOSITORY_UNREACHABLE", `${path} is no git repository: ${words}`, { metadata: { path } });
  }
  return { gitDir, commonDir, isShallow: isShallow === "true" };
}

/**
 * The commit that a branch, tag, full ref, object name or `HEAD` stands for.
 *
 * @throws AgentdError REF_NOT_FOUND, also for an empty repository.
 */
export async function resolveRef(repository: Repository, ref: string, signal: AbortSignal): Promise<string> {
  const commit = badRefPattern.test(ref) || ref === "" ? undefined : await findCommit(repository, ref, signal);
  if (commit !== undefined) return commit;
  const refs = await repository.git.run(["for-each-ref", "--count=1"], {}, signal);
  const isEmpty = refs.stdout.length === 0 && (await findCommit(repository, "HEAD", signal)) === undefined;
  const why = isEmpty ? "the repository has no commit yet" : "the repository has no such branch, tag or commit";
  throw new AgentdError("REF_NOT_FOUND", `${gitMessage(ref, 200) || "An empty ref"} was not found: ${why}.`, {
    metadata: { ref: gitMessage(ref, 200) },
  });
}

async function findCommit(repository: Repository, name: string, signal: AbortSignal): Promise<string | undefined> {
  const args = ["rev-parse", "--quiet", "--verify", "--end-of-options", `${name}^{commit}`];
  const answer = await repository.git.run(args, { okExitCodes: [0, 1, 128] }, signal);
  const commit = answer.stdout.toString("latin1").trim();
  return answer.exitCode === 0 && objectNamePattern.test(commit) ? commit : undefined;
}

/** Whether a commit is here. Imports write children before parents' users see them, so its files are here too. */
export async function hasCommit(repository: Repository, commit: string, signal: AbortSignal): Promise<boolean> {
  return objectNamePattern.test(commit) && (await findCommit(repository, commit, signal)) !== undefined;
}

/** Whether `ancestor` is reachable from `descendant` (a commit is its own ancestor). Both must be here. */
export async function isAncestor(
  repository: Repository,
  ancestor: string,
  descendant: string,
  signal: AbortSignal,
): Promise<boolean> {
  const args = ["merge-base", "--is-ancestor", ancestor, descendant];
  return (await repository.git.run(args, { okExitCodes: [0, 1] }, signal)).exitCode === 0;
}

/**
 * Points a ref at a commit; with `expected` only when it stands there now (`null`: only when it is absent).
 *
 * @throws AgentdError CONFLICT when it stands elsewhere.
 */
export async function updateRef(
  repository: Repository,
  change: { readonly ref: string; readonly commit: string; readonly expected?: string | null },
  signal: AbortSignal,
): Promise<void> {
  const { ref, commit, expected } = change;
  const old = expected === undefined ? [] : [expected ?? "0".repeat(40)];
  const args = ["update-ref", "--no-deref", "--end-of-options", ref, commit, ...old];
  const answer = await repository.git.run(args, { okExitCodes: [0, 128] }, signal);
  if (answer.exitCode === 0) return;
  const reason = expected !== undefined && /but expected|already exists|unable to resolve/.test(answer.stderr);
  throw new AgentdError(reason ? "CONFLICT" : "INTERNAL", `Could not move ${ref}: ${gitMessage(answer.stderr)}`);
}

/** Removes a ref, if it is there. */
export async function deleteRef(repository: Repository, ref: string, signal: AbortSignal): Promise<void> {
  await repository.git.run(
    ["update-ref", "--no-deref", "-d", "--end-of-options", ref],
    { okExitCodes: [0, 1] },
    signal,
  );
}

async function isComplete(directory: string): Promise<boolean> {
  const entries = await readdir(directory).catch(() => [] as string[]);
  return entries.includes("HEAD") && entries.includes("objects") && entries.includes("refs");
}
