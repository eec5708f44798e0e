import { execFile } from "node:child_process";
import { lstat, mkdir, readFile, readlink, rm, symlink, writeFile } from "node:fs/promises";
import { dirname, join, relative, sep } from "node:path";
import { promisify } from "node:util";

const run = promisify(execFile);
/** Paths in one `cp` call: far below the kernel's argument limit even with long names. */
const pathsPerCall = 200;
/** Clones where the file system can, copies where not; never hard links, or one attempt would change the files of another. */
const copyFlags = process.platform === "darwin" ? ["-RPpc"] : ["-a", "--reflink=auto"];

/**
 * Copies `paths` (relative, files or directories) from one tree into another, modes, times and symbolic links kept.
 *
 * Nothing is written through a symbolic link of the target tree: such a path is left out and returned.
 * @throws Error when the disk is full or a source cannot be read, or the signal's reason.
 */
export async function copyPaths(
  from: string,
  to: string,
  paths: readonly string[],
  signal: AbortSignal,
): Promise<readonly string[]> {
  const refused: string[] = [];
  const byParent = Map.groupBy(paths, (path) => dirname(path));
  for (const [parent, members] of byParent) {
    if (!(await makeRealDirectory(to, parent))) {
      refused.push(...members);
      continue;
    }
    for (let start = 0; start < members.length; start += pathsPerCall) {
      const sources = members.slice(start, start + pathsPerCall).map((path) => join(from, path));
      await run("cp", [...copyFlags, "--", ...sources, join(to, parent)], { signal, env: { PATH: "/usr/bin:/bin" } });
    }
  }
  return refused;
}

/** Makes `path` below `root`, and says whether every part of it is a real directory. */
export async function makeRealDirectory(root: string, path: string): Promise<boolean> {
  let current = root;
  for (const part of path.split(sep).filter((each) => each !== "" && each !== ".")) {
    current = join(current, part);
    await mkdir(current).catch((error: NodeJS.ErrnoException) => {
      if (error.code !== "EEXIST") throw error;
    });
    if (!(await lstat(current)).isDirectory()) return false;
  }
  return true;
}

/** What in a tree names the tree's own absolute path. Both lists hold relative paths. */
export interface Relocations {
  readonly files: readonly string[];
  readonly links: readonly string[];
}

/** Larger files are data, not scripts or path lists. */
const relocatableBytesMax = 1_048_576;

/**
 * Finds text files and symbolic links below `root` that hold `oldRoot`: scripts of a virtual environment, `.pth` files,
 * links of a workspace. A copy elsewhere must not lead back to the original.
 */
export async function findRelocations(root: string, oldRoot: string, signal: AbortSignal): Promise<Relocations> {
  const options = { signal, env: { PATH: "/usr/bin:/bin", LC_ALL: "C" }, maxBuffer: 16 * 1_024 * 1_024 };
  // grep exits 1 when nothing matches.
  const grep = await run("grep", ["-rlIF", "--null", "-e", oldRoot, "."], { ...options, cwd: root }).catch(emptyOutput);
  const find = await run("find", [".", "-type", "l", "-lname", `${escapeGlob(oldRoot)}/*`, "-print0"], {
    ...options,
    cwd: root,
  }).catch(emptyOutput);
  signal.throwIfAborted();
  return { files: splitNul(grep.stdout), links: splitNul(find.stdout) };
}

/** Makes a copy at `root` name itself instead of `oldRoot`, where {@link findRelocations} found something. */
export async function relocate(root: string, oldRoot: string, found: Relocations): Promise<void> {
  for (const file of found.files) {
    const path = join(root, file);
    const stats = await lstat(path).catch(() => undefined);
    if (stats === undefined || !stats.isFile() || stats.size > relocatableBytesMax) continue;
    const text = await readFile(path, "latin1");
    // Bytes stay bytes through latin1: the rest of the file is not touched whatever its encoding is.
    const moved = text.replaceAll(latin1(oldRoot), latin1(root));
    if (moved !== text) await writeFile(path, moved, "latin1");
  }
  for (const link of found.links) {
    const path = join(root, link);
    const target = await readlink(path).catch(() => undefined);
    if (target === undefined || !target.startsWith(oldRoot + sep)) continue;
    await rm(path);
    await symlink(join(root, relative(oldRoot, target)), path);
  }
}

function latin1(text: string): string {
  return Buffer.from(text, "utf8").toString("latin1");
}

function escapeGlob(text: string): string {
  return text.replaceAll(/[[\]*?\\]/g, "\\$&");
}

function splitNul(text: string): readonly string[] {
  return text.split("\0").filter((path) => path !== "");
}

function emptyOutput(): { stdout: string } {
  return { stdout: "" };
}
