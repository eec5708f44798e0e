import { randomUUID } from "node:crypto";
import type { Stats } from "node:fs";
import { constants } from "node:fs";
import type { FileHandle } from "node:fs/promises";
import { lstat, mkdir, open, realpath, rename, unlink } from "node:fs/promises";
import { join, sep } from "node:path";
import { ToolError } from "../tool-error.ts";
import { outside, quotePath, refuseGit, worktreePathParts } from "./worktree-path.ts";

/** A path after containment: nothing of it leads out of the worktree at the time of the look-up. */
export interface LocatedPath {
  /** As the model is shown it: relative to the root, `/`-separated; `.` for the root. */
  readonly shown: string;
  /** With all symbolic links resolved, relative to the root: the identity of the file. `.` for the root. */
  readonly real: string;
  readonly exists: boolean;
}

/** A whole file. */
export interface WorktreeFile extends LocatedPath {
  readonly bytes: Buffer;
}

/** The only way in which the file tools touch the disk: nothing outside `root` and nothing in a `.git` is read or written. */
export interface WorktreeFiles {
  /** Real path of the worktree. */
  readonly root: string;
  /** Whether the root itself is no longer there: an agent's command may have removed it. */
  isGone(): Promise<boolean>;
  /** @throws ToolError when the path leads out of the worktree or into a `.git`. */
  locate(path: string): Promise<LocatedPath>;
  /** Reads a regular file of at most `bytesMax` bytes. @throws ToolError with the reason otherwise. */
  read(path: string, bytesMax: number): Promise<WorktreeFile>;
  /**
   * Replaces or creates a file at once (a reader sees the old or the new bytes), with its parent folders.
   * Permission bits of an existing file are kept; hard links to it elsewhere keep the old bytes.
   * @throws ToolError when the path is refused or is no regular file.
   */
  write(path: string, bytes: Uint8Array): Promise<void>;
  /** Removes a regular file; its folder stays. @throws ToolError when the path is refused, absent or no regular file. */
  remove(path: string): Promise<void>;
}

/**
 * File access that stays inside `root`.
 *
 * Links inside the tree are followed; then each component of the resolved path is opened in turn below the descriptor of its
 * parent without following links. A link that was swapped in after the check is therefore refused, not followed (Linux; on
 * other systems the opened path is compared again, which leaves a window: the worker's sandbox is the second wall).
 */
export async function createWorktreeFiles(root: string): Promise<WorktreeFiles> {
  const realRoot = await realpath(root);
  const locateIn = (path: string) => locate(realRoot, [realRoot, root], path);
  return {
    root: realRoot,
    isGone: async () => (await lstat(realRoot).catch(ignoreMissing)) === undefined,
    locate: locateIn,
    read: async (path, bytesMax) => {
      const located = await locateIn(path);
      if (!located.exists) throw new ToolError(`There is no file ${quotePath(located.shown)}.`);
      return { ...located, bytes: await explain(located, () => readFileAt(realRoot, located, bytesMax)) };
    },
    write: async (path, bytes) => {
      const located = await locateIn(path);
      if (located.real === ".") throw new ToolError("The path is the worktree's root, a directory.");
      await explain(located, () => writeFileAt(realRoot, located, bytes));
    },
    remove: async (path) => {
      const located = await locateIn(path);
      if (!located.exists) throw new ToolError(`There is no file ${quotePath(located.shown)}.`);
      if (located.real === ".") throw directory(located);
      await explain(located, () => removeFileAt(realRoot, located));
    },
  };
}

async function locate(root: string, roots: readonly string[], path: string): Promise<LocatedPath> {
  const parts = worktreePathParts(path, roots);
  const shown = parts.join("/") || ".";
  let missing: string[] = [];
  for (let known = parts.length; known >= 0; known -= 1) {
    const candidate = join(root, ...parts.slice(0, known));
    const resolved = await realpathIfPresent(candidate, shown);
    if (resolved === undefined) {
      missing = parts.slice(known - 1);
      continue;
    }
    if (resolved !== root && !resolved.startsWith(root + sep)) throw outside(shown);
    const realParts = resolved.slice(root.length).split(sep).filter(Boolean);
    refuseGit(realParts, shown);
    return { shown, real: [...realParts, ...missing].join("/") || ".", exists: missing.length === 0 };
  }
  throw new Error(`the worktree ${root} is gone`);
}

async function realpathIfPresent(path: string, shown: string): Promise<string | undefined> {
  try {
    return await realpath(path);
  } catch (error) {
    const code = errorCode(error);
    if (code === "ENOTDIR") throw new ToolError(`A parent of ${quotePath(shown)} is a file, not a directory.`);
    if (code !== "ENOENT") throw toToolError(error, shown);
  }
  // A link whose target is missing: creating "the file" would create its target, wherever that is.
  const link = await lstat(path).catch(() => undefined);
  if (link?.isSymbolicLink()) throw new ToolError(`${quotePath(shown)} is or goes through a broken symbolic link.`);
  return undefined;
}

async function readFileAt(root: string, located: LocatedPath, bytesMax: number): Promise<Buffer> {
  if (located.real === ".") throw directory(located);
  const parts = located.real.split("/");
  const name = parts.pop() ?? "";
  return withDirectory(root, parts, false, async (at) => {
    // O_NONBLOCK: opening a FIFO must not wait for a writer.
    const file = await open(at(name), constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
    try {
      const stats = await file.stat();
      if (stats.isDirectory()) throw directory(located);
      if (!stats.isFile()) throw new ToolError(`${quotePath(located.shown)} is not a regular file.`);
      if (stats.size > bytesMax) throw tooLarge(located, stats.size, bytesMax);
      const bytes = Buffer.alloc(bytesMax + 1 < stats.size + 65_536 ? bytesMax + 1 : stats.size + 65_536);
      let length = 0;
      while (length < bytes.length) {
        const { bytesRead } = await file.read(bytes, length, bytes.length - length, length);
        if (bytesRead === 0) return bytes.subarray(0, length);
        length += bytesRead;
      }
      throw tooLarge(located, length, bytesMax);
    } finally {
      await file.close();
    }
  });
}

async function writeFileAt(root: string, located: LocatedPath, bytes: Uint8Array): Promise<void> {
  const parts = located.real.split("/");
  const name = parts.pop() ?? "";
  await withDirectory(root, parts, true, async (at) => {
    const old = await lstat(at(name)).catch(ignoreMissing);
    if (old?.isDirectory()) throw directory(located);
    if (old !== undefined && !old.isFile()) {
      throw new ToolError(`${quotePath(located.shown)} is not a regular file.`);
    }
    const temporary = at(`.agentd-${randomUUID()}.tmp`);
    try {
      await writeNew(temporary, bytes, old);
      await rename(temporary, at(name));
    } catch (error) {
      await unlink(temporary).catch(ignoreMissing);
      throw error;
    }
  });
}

async function removeFileAt(root: string, located: LocatedPath): Promise<void> {
  const parts = located.real.split("/");
  const name = parts.pop() ?? "";
  await withDirectory(root, parts, false, async (at) => {
    const old = await lstat(at(name));
    if (old.isDirectory()) throw directory(located);
    if (!old.isFile()) throw new ToolError(`${quotePath(located.shown)} is not a regular file.`);
    await unlink(at(name));
  });
}

async function writeNew(path: string, bytes: Uint8Array, old: Stats | undefined): Promise<void> {
  const flags = constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW;
  const file = await open(path, flags, 0o666);
  try {
    await file.writeFile(bytes);
    if (old !== undefined) await file.chmod(old.mode & 0o777);
  } finally {
    await file.close();
  }
}

/** Calls `use` with a function that names an entry of the directory `parts` below `root`, immune to swapped links. */
async function withDirectory<Result>(
  root: string,
  parts: readonly string[],
  create: boolean,
  use: (at: (name: string) => string) => Promise<Result>,
): Promise<Result> {
  const flags = constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW;
  let path = root;
  let handle = await open(root, flags);
  try {
    for (const part of parts) {
      const child = entry(handle, path, part);
      if (create) await mkdir(child).catch(ignoreExisting);
      const next = await open(child, flags);
      await handle.close();
      handle = next;
      path = join(path, part);
    }
    if (process.platform !== "linux" && (await realpath(path)) !== path) throw outside(path.slice(root.length + 1));
    const opened = handle;
    const openedPath = path;
    return await use((name) => entry(opened, openedPath, name));
  } finally {
    await handle.close();
  }
}

/** On Linux the entry is looked up below the open descriptor, which is what openat(2) does; Node has no openat. */
function entry(directoryHandle: FileHandle, path: string, name: string): string {
  return process.platform === "linux" ? `/proc/self/fd/${directoryHandle.fd}/${name}` : join(path, name);
}

async function explain<Result>(located: LocatedPath, action: () => Promise<Result>): Promise<Result> {
  try {
    return await action();
  } catch (error) {
    throw toToolError(error, located.shown);
  }
}

/** Errors of the machine (disk, descriptors) stay what they are: they are no news for the model. */
function toToolError(error: unknown, shown: string): unknown {
  const code = errorCode(error);
  const name = quotePath(shown);
  if (code === "ENOENT") return new ToolError(`${name} vanished while it was used. Look again.`);
  if (code === "ELOOP" || code === "ENOTDIR") {
    return new ToolError(`${name} goes through a symbolic link or file that is not a directory; it was not touched.`);
  }
  if (code === "EACCES" || code === "EPERM") return new ToolError(`No permission for ${name} (${code}).`);
  if (code === "ENAMETOOLONG") return new ToolError(`A part of the path ${name.slice(0, 200)} is too long.`);
  if (code === "ENXIO" || code === "EISDIR") return new ToolError(`${name} is not a regular file.`);
  return error;
}

function directory(located: LocatedPath): ToolError {
  return new ToolError(`${quotePath(located.shown)} is a directory, not a file. Use glob or bash to list it.`);
}

function tooLarge(located: LocatedPath, bytes: number, bytesMax: number): ToolError {
  return new ToolError(
    `${quotePath(located.shown)} is too large: ${bytes} bytes, the limit is ${bytesMax}. Use grep or bash on it.`,
  );
}

function ignoreMissing(error: unknown): undefined {
  if (errorCode(error) !== "ENOENT") throw error;
}

function ignoreExisting(error: unknown): undefined {
  if (errorCode(error) !== "EEXIST") throw error;
}

function errorCode(error: unknown): string | undefined {
  return error instanceof Error && "code" in error && typeof error.code === "string" ? error.code : undefined;
}
