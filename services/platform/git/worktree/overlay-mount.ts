import { randomBytes } from "node:crypto";
import { mkdir, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { inBatches } from "../../process/in-batches.ts";
import { runCommand } from "../../process/run-command.ts";

/** What one overlay is made of: reads come from `lower`, writes go to `upper`; `lower` never changes. */
export interface OverlayParts {
  readonly lower: string;
  readonly upper: string;
  /** An empty folder on the file system of `upper`, for the kernel. */
  readonly work: string;
  /** Where the whole is seen. */
  readonly target: string;
}

const timeoutMs = 60_000;
/** Mount options have no way to quote these. */
const plainPath = /^[\w./@+-]+$/;
const programs = { env: { PATH: "/usr/sbin:/usr/bin:/sbin:/bin", LC_ALL: "C" }, cwd: "/" };

/**
 * Mounts an overlay; the folders exist. One program mounts all that are wanted at a time: starting it costs more than a mount.
 * @throws Error with mount's words, or the signal's reason
 */
export async function mountOverlay(parts: OverlayParts, signal: AbortSignal): Promise<void> {
  for (const path of Object.values(parts)) {
    if (!plainPath.test(path)) throw new Error(`an overlay cannot have the path ${JSON.stringify(path)}`);
  }
  signal.throwIfAborted();
  await mountInBatch(parts);
}

const mountInBatch = inBatches<OverlayParts>(async (batch) => {
  const signal = AbortSignal.timeout(timeoutMs);
  const table = `${batch[0]?.work ?? ""}-mounts`;
  // As fstab(5). What is changed is copied up whole, contents included: nothing of the upper folder points back into the lower one.
  // Volatile (Linux 5.10): a tree need not outlive a power cut, and unmounting it must not flush the file system that it lies on.
  const lines = batch.map(({ lower, upper, work, target }) => {
    const options = `lowerdir=${lower},upperdir=${upper},workdir=${work},volatile,metacopy=off,redirect_dir=off,index=off`;
    return `agentd ${target} overlay ${options} 0 0\n`;
  });
  await writeFile(table, lines.join(""), { flag: "wx", mode: 0o600 });
  try {
    await runProgram(["mount", "-a", "-T", table], signal);
  } catch (error) {
    for (const { target } of batch) await unmountBelow(target, signal);
    throw error;
  } finally {
    await rm(table, { force: true });
  }
});

/** Unmounts whatever is mounted at or below the folder, also where a process still looks at it. Nothing mounted: does nothing. */
export async function unmountBelow(directory: string, signal: AbortSignal): Promise<void> {
  const targets = await mountsBelow([directory]);
  if (targets.length > 0) await runProgram(["umount", "-l", "--", ...targets], signal);
}

/** What is mounted at or below the folders, the deepest first. */
export async function mountsBelow(directories: readonly string[]): Promise<readonly string[]> {
  if (process.platform !== "linux") return [];
  const table = await readFile("/proc/self/mountinfo", "utf8").catch(() => "");
  const tops = directories.map(escaped);
  return table
    .split("\n")
    .map((line) => line.split(" ", 5)[4] ?? "")
    .filter((target) => tops.some((top) => target === top || target.startsWith(`${top}/`)))
    .map(unescaped)
    .reverse();
}

/** Whether this process may mount overlays below the folder, by doing it once. */
export async function canMountOverlay(directory: string, signal: AbortSignal): Promise<boolean> {
  if (process.platform !== "linux" || process.getuid?.() !== 0) return false;
  const probe = join(directory, `overlay-probe-${randomBytes(4).toString("hex")}`);
  const parts = {
    lower: join(probe, "lower"),
    upper: join(probe, "upper"),
    work: join(probe, "work"),
    target: join(probe, "target"),
  };
  try {
    for (const folder of Object.values(parts)) await mkdir(folder, { recursive: true });
    await writeFile(join(parts.lower, "file"), "lower");
    await mountOverlay(parts, signal);
    await writeFile(join(parts.target, "file"), "upper");
    return (await readFile(join(parts.lower, "file"), "utf8")) === "lower";
  } catch {
    signal.throwIfAborted();
    return false;
  } finally {
    const cleaning = AbortSignal.timeout(timeoutMs);
    await unmountBelow(probe, cleaning).catch(() => undefined);
    await rm(probe, { recursive: true, force: true }).catch(() => undefined);
  }
}

async function runProgram(argv: readonly string[], signal: AbortSignal): Promise<void> {
  const result = await runCommand({ run: { argv }, ...programs, timeoutMs, outputBytesMax: 4_096 }, signal);
  if (result.exitCode !== 0) throw new Error(`${argv[0]} failed: ${result.output.trim()}`);
}

/** The kernel writes blank, tab, newline and backslash of a path as octal. */
function escaped(path: string): string {
  return path.replace(/[ \t\n\\]/g, (character) => `\\${character.charCodeAt(0).toString(8).padStart(3, "0")}`);
}

function unescaped(path: string): string {
  return path.replace(/\\([0-7]{3})/g, (_, digits: string) => String.fromCharCode(Number.parseInt(digits, 8)));
}
