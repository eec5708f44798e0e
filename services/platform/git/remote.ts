import { randomBytes } from "node:crypto";
import { AgentdError } from "../../core/errors.ts";
import type { Repository } from "./bare-repository.ts";
import { deleteRef, objectNamePattern, resolveRef } from "./bare-repository.ts";
import type { Git, GitResult } from "./git.ts";
import { withGitSettings } from "./git.ts";
import { gitMessage } from "./git-text.ts";

/** How a remote is spoken to. */
export interface RemoteOptions {
  /**
   * The coordinator's own variables that git may use: HOME, PATH, SSH_AUTH_SOCK, GIT_ASKPASS, proxies. Empty
   * for no credentials. Never hand it to a worker.
   */
  readonly environment: Readonly<Record<string, string>>;
  /** Default 10 minutes. */
  readonly timeoutMs?: number;
}

/**
 * Fetches what `ref` (branch, tag, full ref, commit or `HEAD`) stands for at `url` into the cache.
 *
 * @returns the commit.
 * @throws AgentdError REF_NOT_FOUND, also for an empty repository; REPOSITORY_UNREACHABLE.
 */
export async function fetchFromUrl(
  repository: Repository,
  source: { readonly url: string; readonly ref: string },
  options: RemoteOptions,
  signal: AbortSignal,
): Promise<string> {
  const { url, ref } = source;
  const git = remoteGit(repository, url, options);
  const found = await findRemoteRef(git, url, ref, options, signal);
  const local = `refs/agentd/fetched/${randomBytes(8).toString("hex")}`;
  const flags = ["--quiet", "--no-tags", "--no-write-fetch-head", "--no-auto-maintenance", "--force"];
  try {
    const args = ["fetch", ...flags, "--end-of-options", url, `${found}:${local}`];
    const answer = await git.run(args, remoteRun(options), signal);
    if (answer.exitCode !== 0) throw unreachable(url, answer);
    return await resolveRef(repository, local, signal);
  } finally {
    // The objects stay: nothing in a cache is ever pruned while it is in use.
    await deleteRef(repository, local, AbortSignal.timeout(10_000)).catch(() => {});
  }
}

/**
 * The commit at which a branch of a remote stands; undefined when there is no such branch.
 *
 * @throws AgentdError REPOSITORY_UNREACHABLE.
 */
export async function remoteBranch(
  repository: Repository,
  target: { readonly url: string; readonly branch: string },
  options: RemoteOptions,
  signal: AbortSignal,
): Promise<string | undefined> {
  const git = remoteGit(repository, target.url, options);
  const name = `refs/heads/${target.branch}`;
  return (await listRemote(git, target.url, [name], options, signal)).get(name);
}

/** What came of a push. */
export type PushResult = { readonly kind: "pushed" } | { readonly kind: "rejected"; readonly message: string };

/**
 * Sets a branch of a remote to a commit, but only while it stands at `expected` (null: while it is absent).
 * That is a compare-and-swap on the remote's side; whether the move is a fast-forward is for the caller to see.
 *
 * @throws AgentdError REPOSITORY_UNREACHABLE.
 */
export async function pushCommit(
  repository: Repository,
  target: { readonly url: string; readonly branch: string; readonly commit: string; readonly expected: string | null },
  options: RemoteOptions,
  signal: AbortSignal,
): Promise<PushResult> {
  const { url, branch, commit, expected } = target;
  const name = `refs/heads/${branch}`;
  const git = remoteGit(repository, url, options);
  const lease = `--force-with-lease=${name}:${expected ?? ""}`;
  const args = ["push", "--porcelain", "--no-verify", lease, "--end-of-options", url, `${commit}:${name}`];
  const answer = await git.run(args, remoteRun(options), signal);
  if (answer.exitCode === 0) return { kind: "pushed" };
  const rejection = answer.stdout
    .toString("utf8")
    .split("\n")
    .find((line) => line.startsWith("!"));
  if (rejection === undefined) throw unreachable(url, answer);
  const said = remoteWords(answer.stderr);
  const how = gitMessage(rejection.split("\t").slice(2).join(" "));
  return { kind: "rejected", message: said === "" ? how : `${how}: ${said}` };
}

/** What the other side itself said, such as the words of a hook that refused: at most 300 characters. */
function remoteWords(stderr: string): string {
  const lines = stderr.split(/[\r\n]+/).flatMap((line) => /^remote: ?(.*)$/.exec(line)?.[1]?.trim() ?? []);
  return gitMessage(lines.filter((line) => line !== "").join("\n"), 300);
}

function remoteGit(repository: Repository, url: string, options: RemoteOptions): Git {
  if (url === "" || url.startsWith("-") || /[\p{Cc}]/u.test(url)) {
    throw new AgentdError("REPOSITORY_UNREACHABLE", `${gitMessage(url, 200) || "An empty text"} is no git URL.`);
  }
  return withGitSettings(repository.git, { remoteEnvironment: options.environment });
}

/** The remote's full name for a ref, by git's own order: full name, tag, branch. */
async function findRemoteRef(
  git: Git,
  url: string,
  ref: string,
  options: RemoteOptions,
  signal: AbortSignal,
): Promise<string> {
  if (objectNamePattern.test(ref)) return ref;
  const refs = await listRemote(git, url, [], options, signal);
  const names = [ref, `refs/${ref}`, `refs/tags/${ref}`, `refs/heads/${ref}`];
  const name = names.find((candidate) => refs.has(candidate));
  if (name !== undefined && !ref.startsWith("-")) return name;
  const why = refs.size === 0 ? "the repository is empty" : `the repository has no such branch or tag${hashHint(ref)}`;
  throw new AgentdError("REF_NOT_FOUND", `${gitMessage(ref, 200)} was not found at ${gitMessage(url, 300)}: ${why}.`, {
    metadata: { ref: gitMessage(ref, 200) },
  });
}

/** A server tells its refs only: what part of a hash means, nobody but the owner of the objects knows. */
function hashHint(ref: string): string {
  return /^[0-9a-f]{4,39}$/i.test(ref) ? "; to name a commit at a URL, give its full hash of 40 digits" : "";
}

async function listRemote(
  git: Git,
  url: string,
  names: readonly string[],
  options: RemoteOptions,
  signal: AbortSignal,
): Promise<Map<string, string>> {
  const answer = await git.run(["ls-remote", "--quiet", "--end-of-options", url, ...names], remoteRun(options), signal);
  if (answer.exitCode !== 0) throw unreachable(url, answer);
  const refs = new Map<string, string>();
  for (const line of answer.stdout.toString("utf8").split("\n")) {
    const [object, name] = line.split("\t");
    if (object && name) refs.set(name, object);
  }
  return refs;
}

function remoteRun(options: RemoteOptions): { okExitCodes: number[]; timeoutMs: number } {
  return { okExitCodes: [0, 1, 128], timeoutMs: options.timeoutMs ?? 600_000 };
}

function unreachable(url: string, answer: GitResult): AgentdError {
  const where = gitMessage(url, 300);
  return new AgentdError("REPOSITORY_UNREACHABLE", `Could not reach ${where}: ${gitMessage(answer.stderr)}`, {
    metadata: { url: where },
  });
}
