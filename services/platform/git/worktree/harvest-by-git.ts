import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { AgentdError } from "../../../core/errors.ts";
import { runCommand } from "../../process/run-command.ts";
import type { Git, GitScript } from "../git.ts";
import { decodePath, gitMessage, splitNul } from "../git-text.ts";
import type { GitIdentity } from "../hardened-git.ts";
import { type HarvestBounds, isRefusedName, onlyFiles, type Staged } from "./staged-files.ts";
import type { Worktree } from "./worktree.ts";
import { copyIndex } from "./worktree.ts";

/** A changed path and its lines; none for a binary file. */
export interface ChangedLines {
  readonly path: string;
  readonly insertions: number;
  readonly deletions: number;
}

/** What the commit says. */
export interface CommitOptions {
  readonly message: string;
  readonly author: GitIdentity;
  /** Only the commit: no list of what it changes, no diff. */
  readonly isBrief?: boolean;
}

const PATHS_BYTES_MAX = 256 * 1024 * 1024;
/** For each look at the whole tree. */
const LIST_TIMEOUT_MS = 2 * 60_000;
const CHMOD_TIMEOUT_MS = 5 * 60_000;
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

/** Has git find what differs from the base. @throws AgentdError LIMIT_EXCEEDED */
export async function findByGit(
  git: Git,
  worktree: Worktree,
  bounds: HarvestBounds,
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
  const files = await onlyFiles(tree, changed, bounds, { removed, skipped });
  return { skipped, removed, files, isIndexCopied: true };
}

/** Has git commit it on the base. @throws AgentdError DISK_FULL, INTERNAL */
export async function commitByGit(
  git: Git,
  staged: Staged,
  options: CommitOptions,
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

function joinNul(paths: readonly Buffer[]): Buffer {
  const separator = Buffer.of(0);
  return Buffer.concat(paths.flatMap((path) => [path, separator]));
}
