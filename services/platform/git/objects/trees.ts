import { isUtf8 } from "node:buffer";
import { AgentdError, isAgentdError } from "../../../core/errors.ts";
import type { Repository } from "../bare-repository.ts";
import { decodePath, splitNul } from "../git-text.ts";
import { readLooseObject } from "./loose-object.ts";

/** Git's modes: 100644 file, 100755 executable, 120000 symbolic link, 160000 submodule. */
export type FileMode = "100644" | "100755" | "120000" | "160000";

/** One file of a commit. */
export interface TreeFile {
  readonly path: string;
  /** The name is UTF-8; else `path` only shows it and cannot be used to open the file. */
  readonly isText: boolean;
  readonly mode: FileMode;
  readonly object: string;
  /** Bytes; 0 for a submodule. */
  readonly sizeBytes: number;
}

/** A added, M modified, D deleted, T another kind of file. A rename is a D and an A. */
export interface ChangedFile {
  readonly status: "A" | "M" | "D" | "T";
  readonly path: string;
  /** Undefined where the file is absent. */
  readonly oldMode: FileMode | undefined;
  readonly newMode: FileMode | undefined;
  readonly newObject: string;
}

const LIST_BYTES_MAX = 256 * 1024 * 1024;

/** All files of a commit or tree, in git's order. */
export async function listFiles(repository: Repository, commit: string, signal: AbortSignal): Promise<TreeFile[]> {
  const args = ["ls-tree", "-r", "-z", "-l", "--full-tree", "--end-of-options", commit];
  const { stdout } = await repository.git.run(args, { stdoutBytesMax: LIST_BYTES_MAX }, signal);
  return splitNul(stdout).map((record) => {
    const tab = record.indexOf(9);
    const [mode = "", , object = "", size = "0"] = record.subarray(0, tab).toString("latin1").split(/ +/);
    const sizeBytes = size === "-" ? 0 : Number(size);
    const name = record.subarray(tab + 1);
    return { path: decodePath(name), isText: isUtf8(name), mode: mode as FileMode, object, sizeBytes };
  });
}

/** What differs between two commits, without rename detection: both sides of a rename are listed. */
export async function changedFiles(
  repository: Repository,
  base: string,
  commit: string,
  signal: AbortSignal,
): Promise<ChangedFile[]> {
  const args = ["diff-tree", "-r", "-z", "--raw", "--no-renames", "--full-index", "--end-of-options", base, commit];
  const { stdout } = await repository.git.run(args, { stdoutBytesMax: LIST_BYTES_MAX }, signal);
  return parseRawDiff(stdout);
}

/** Reads `--raw -z` output: pairs of `:oldmode newmode oldobject newobject status` and path. */
function parseRawDiff(bytes: Buffer): ChangedFile[] {
  const records = splitNul(bytes);
  const changes: ChangedFile[] = [];
  for (let at = 0; at + 1 < records.length; at += 2) {
    const fields = (records[at] ?? Buffer.alloc(0)).toString("latin1").slice(1).split(" ");
    const [oldMode = "", newMode = "", , newObject = "", status = ""] = fields;
    changes.push({
      status: status.charAt(0) as ChangedFile["status"],
      path: decodePath(records[at + 1] ?? Buffer.alloc(0)),
      oldMode: oldMode === "000000" ? undefined : (oldMode as FileMode),
      newMode: newMode === "000000" ? undefined : (newMode as FileMode),
      newObject,
    });
  }
  return changes;
}

/** A diff for people. */
export interface DiffText {
  readonly text: string;
  readonly isTruncated: boolean;
}

/** The unified diff between two commits, at most `maxBytes`; renames are shown as such. */
export async function diff(
  repository: Repository,
  base: string,
  commit: string,
  options: { readonly maxBytes: number; readonly paths?: readonly string[] },
  signal: AbortSignal,
): Promise<DiffText> {
  const flags = [
    "-r",
    "-p",
    "-M",
    "--no-ext-diff",
    "--no-textconv",
    "--no-color",
    "--src-prefix=a/",
    "--dst-prefix=b/",
  ];
  const args = ["diff-tree", ...flags, "--end-of-options", base, commit, "--", ...(options.paths ?? [])];
  const answer = await repository.git.run(args, { stdoutBytesMax: options.maxBytes, truncate: true }, signal);
  return { text: answer.stdout.toString("utf8"), isTruncated: answer.isTruncated };
}

/**
 * The bytes of a file in a commit or tree; undefined when there is no such file.
 *
 * @throws AgentdError LIMIT_EXCEEDED when it is larger than `maxBytes`.
 */
export async function readBlob(
  repository: Repository,
  commit: string,
  path: string,
  options: { readonly maxBytes: number },
  signal: AbortSignal,
): Promise<Buffer | undefined> {
  const file = await findFile(repository, commit, path, signal);
  return file === undefined ? undefined : readObject(repository, file.object, options, signal);
}

async function findFile(
  repository: Repository,
  commit: string,
  path: string,
  signal: AbortSignal,
): Promise<{ object: string } | undefined> {
  const args = ["ls-tree", "-z", "--full-tree", "--end-of-options", commit, path];
  const { stdout } = await repository.git.run(args, {}, signal);
  const [record] = splitNul(stdout);
  if (record === undefined) return undefined;
  const [, type = "", object = ""] = record.subarray(0, record.indexOf(9)).toString("latin1").split(" ");
  return type === "blob" ? { object } : undefined;
}

/**
 * The bytes of a blob by its object name.
 *
 * @throws AgentdError LIMIT_EXCEEDED when it is larger than `maxBytes`.
 */
export async function readObject(
  repository: Repository,
  object: string,
  options: { readonly maxBytes: number },
  signal: AbortSignal,
): Promise<Buffer> {
  const sizeBytes = await objectSize(repository, object, signal);
  if (sizeBytes > options.maxBytes) {
    const limit = `Object ${object} has ${sizeBytes} bytes; at most ${options.maxBytes} are read.`;
    throw new AgentdError("LIMIT_EXCEEDED", limit);
  }
  const run = { stdoutBytesMax: Math.max(1, sizeBytes) };
  return (await repository.git.run(["cat-file", "blob", object], run, signal)).stdout;
}

/**
 * The bytes of a blob; undefined when it is larger than `bytesMax`. Starts no git for one that was just written, as a harvest does.
 */
export async function readNewBlob(
  repository: Repository,
  object: string,
  options: { readonly bytesMax: number },
  signal: AbortSignal,
): Promise<Buffer | undefined> {
  const { bytesMax } = options;
  try {
    const loose = await readLooseObject(repository.objectDirectory, object, bytesMax);
    return loose === undefined ? await readObject(repository, object, { maxBytes: bytesMax }, signal) : loose.content;
  } catch (error) {
    const isLarge =
      isAgentdError(error, "LIMIT_EXCEEDED") || (error as { code?: unknown }).code === "ERR_BUFFER_TOO_LARGE";
    if (isLarge) return undefined;
    throw error;
  }
}

/** Bytes of an object. */
export async function objectSize(repository: Repository, object: string, signal: AbortSignal): Promise<number> {
  const { stdout } = await repository.git.run(["cat-file", "-s", object], {}, signal);
  return Number(stdout.toString("latin1").trim());
}
