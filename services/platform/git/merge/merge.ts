import { AgentdError } from "../../../core/errors.ts";
import type { Repository } from "../bare-repository.ts";
import { objectNamePattern } from "../bare-repository.ts";
import { decodePath, gitMessage, splitNul, visibleText } from "../git-text.ts";
import type { GitIdentity } from "../hardened-git.ts";
import { writeLooseObject } from "../objects/loose-object.ts";
import { readObject } from "../objects/trees.ts";

/** A path that could not be merged. */
export interface MergeConflict {
  readonly path: string;
  /** The versions in conflict: 1 the common ancestor's, 2 ours, 3 theirs; a side that has no such file lacks. */
  readonly stages: Readonly<Partial<Record<1 | 2 | 3, { readonly mode: string; readonly object: string }>>>;
}

/** A merged tree, or why there is none. */
export type MergeResult =
  | { readonly kind: "clean"; readonly tree: string }
  | {
      readonly kind: "conflict";
      /** The tree with conflict markers in its files: for showing only. */
      readonly tree: string;
      readonly conflicts: readonly MergeConflict[];
      /** Git's own words, one for each conflict; never empty. */
      readonly messages: readonly string[];
    };

/** What a commit is made from. Equal input gives an equal commit. */
export interface CommitInput {
  readonly tree: string;
  readonly parents: readonly string[];
  readonly message: string;
  readonly author: GitIdentity;
  /** Default: the author. */
  readonly committer?: GitIdentity;
}

/**
 * Merges two commits in memory. Only exit code 1 of git is a conflict; no list of files is needed to tell.
 *
 * @throws AgentdError INTERNAL for any other failure (a missing object, unrelated histories): not a conflict.
 */
export async function mergeTrees(
  repository: Repository,
  ours: string,
  theirs: string,
  signal: AbortSignal,
): Promise<MergeResult> {
  const args = ["-c", "merge.conflictStyle=diff3", "merge-tree", "--write-tree", "-z", "--messages", ours, theirs];
  const { stdout, exitCode } = await repository.git.run(args, { okExitCodes: [0, 1] }, signal);
  const end = stdout.indexOf(0);
  const tree = stdout.subarray(0, end).toString("latin1");
  if (!/^[0-9a-f]{40}$/.test(tree)) throw new AgentdError("INTERNAL", "git merge-tree gave no tree.");
  if (exitCode === 0) return { kind: "clean", tree };
  return { kind: "conflict", tree, ...parseConflict(stdout.subarray(end + 1)) };
}

/** Reads what follows the tree: `mode object stage TAB path NUL`…, NUL, `n NUL path NUL… type NUL message NUL`…. */
function parseConflict(bytes: Buffer): { conflicts: MergeConflict[]; messages: string[] } {
  const records = splitNul(bytes);
  const byPath = new Map<
    string,
    { path: string; stages: Partial<Record<1 | 2 | 3, { mode: string; object: string }>> }
  >();
  let at = 0;
  for (; at < records.length; at += 1) {
    const record = records[at] ?? Buffer.alloc(0);
    if (record.length === 0) break;
    const tab = record.indexOf(9);
    const [mode = "", object = "", stage = ""] = record.subarray(0, tab).toString("latin1").split(" ");
    const path = decodePath(record.subarray(tab + 1));
    const conflict = byPath.get(path) ?? { path, stages: {} };
    conflict.stages[Number(stage) as 1 | 2 | 3] = { mode, object };
    byPath.set(path, conflict);
  }
  const messages: string[] = [];
  for (at += 1; at < records.length; ) {
    const count = Number(records[at]?.toString("latin1"));
    const type = records[at + 1 + count]?.toString("latin1") ?? "";
    const message = records[at + 2 + count]?.toString("utf8").trim() ?? "";
    // "Auto-merging x" is no conflict.
    if (type.startsWith("CONFLICT")) messages.push(visibleText(message));
    at += 3 + count;
  }
  if (messages.length === 0) messages.push("git could not merge the two commits");
  return { conflicts: [...byPath.values()], messages };
}

/**
 * Writes a commit object, byte for byte as `git commit-tree` does; the same input always gives the same commit. That
 * the tree and the parents are there is for the caller to know.
 *
 * @throws AgentdError INTERNAL for a name or a time that git would change or refuse.
 */
export async function commitTree(repository: Repository, input: CommitInput, signal: AbortSignal): Promise<string> {
  signal.throwIfAborted();
  return await writeLooseObject(repository.objectDirectory, "commit", commitContent(input));
}

/** The bytes of the commit that {@link commitTree} writes. */
export function commitContent(input: CommitInput): Buffer {
  const { tree, parents, message, author } = input;
  const isValid = [tree, ...parents].every((name) => objectNamePattern.test(name)) && !message.includes("\0");
  if (!isValid) throw new AgentdError("INTERNAL", `No commit can be made of ${gitMessage([tree, ...parents].join())}.`);
  const lines = [
    `tree ${tree}`,
    ...parents.map((parent) => `parent ${parent}`),
    `author ${identityLine(author)}`,
    `committer ${identityLine(input.committer ?? author)}`,
  ];
  return Buffer.from(`${lines.join("\n")}\n\n${message}`);
}

/** `name <email> seconds +0000`. Git would drop some characters of a name silently: they are refused here. */
function identityLine({ name, email, dateIso }: GitIdentity): string {
  const seconds = Math.floor(Date.parse(dateIso) / 1_000);
  const isPlain = [name, email].every((text) => /^[\p{L}\p{N}]([^<>\p{Cc}]*[\p{L}\p{N}])?$/u.test(text));
  if (isPlain && dateIso.endsWith("Z") && seconds >= 0) return `${name} <${email}> ${seconds} +0000`;
  throw new AgentdError("INTERNAL", `${gitMessage(`${name} <${email}> ${dateIso}`)} cannot stand in a commit.`);
}

/** The conflict arm of a {@link MergeResult}. */
export type Conflict = Extract<MergeResult, { kind: "conflict" }>;

/**
 * A conflict told for the agent that has to redo its work: git's words, then each file with its markers
 * ("ours" is what has landed, "theirs" the agent's own), at most `maxBytes` in all.
 */
export async function conflictText(
  repository: Repository,
  conflict: Conflict,
  options: { readonly maxBytes: number },
  signal: AbortSignal,
): Promise<string> {
  let text = `${conflict.messages.join("\n")}\n`;
  for (const { path } of conflict.conflicts) {
    const room = options.maxBytes - Buffer.byteLength(text);
    if (room < 200) {
      text += "(more files are in conflict; not shown)\n";
      break;
    }
    text += `\n--- ${visibleText(path)} ---\n${await fileText(repository, conflict.tree, path, room, signal)}\n`;
  }
  return cut(text, options.maxBytes);
}

async function fileText(
  repository: Repository,
  tree: string,
  path: string,
  maxBytes: number,
  signal: AbortSignal,
): Promise<string> {
  const listed = await repository.git.run(["ls-tree", "-z", "--full-tree", tree, "--", path], {}, signal);
  const [record] = splitNul(listed.stdout);
  const [mode = "", , object] = record?.subarray(0, record.indexOf(9)).toString("latin1").split(" ") ?? [];
  if (object === undefined || !mode.startsWith("100")) return "(no file stands there after the merge)";
  try {
    const bytes = await readObject(repository, object, { maxBytes: Math.max(maxBytes, 1024 * 1024) }, signal);
    return bytes.includes(0) ? "(binary)" : cut(bytes.toString("utf8"), maxBytes);
  } catch (error) {
    signal.throwIfAborted();
    return `(${gitMessage(error instanceof Error ? error.message : String(error), 200)})`;
  }
}

function cut(text: string, maxBytes: number): string {
  const bytes = Buffer.from(text);
  return bytes.length <= maxBytes
    ? text
    : `${bytes.subarray(0, Math.max(0, maxBytes - 20)).toString("utf8")}\n… (cut)\n`;
}
