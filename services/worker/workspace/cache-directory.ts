import { execFile } from "node:child_process";
import { mkdir, readdir, rm, stat, utimes } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import type { Logger } from "../../platform/telemetry/log.ts";

const run = promisify(execFile);
/** Sweeps are at least this far apart: measuring a large cache costs a walk over it. */
const sweepIntervalMs = 60_000;

/** Where a cache lies, and how large it may be. */
export interface CacheDirectoryOptions {
  readonly directory: string;
  /** Entries that nothing uses are removed, oldest use first, until the rest is below this. */
  readonly bytesMax: number;
  readonly logger: Logger;
}

/** A folder of entries, one directory each, that may be deleted whenever nothing uses them. */
export interface CacheDirectory {
  /** Path of the entry's own directory, which need not exist. */
  path(name: string): string;
  /** Keeps the entry from being swept until the returned function is called; calling it twice is harmless. */
  use(name: string): () => void;
  /** Removes drafts of an earlier life and what is too much. Never throws. */
  sweep(): Promise<void>;
}

/** Prefix of entries that are being made: swept at start, never while this process lives. */
export const draftPrefix = "draft-";

/**
 * Opens the folder and sweeps it.
 * @throws Error when it cannot be made.
 */
export async function openCacheDirectory(options: CacheDirectoryOptions): Promise<CacheDirectory> {
  await mkdir(options.directory, { recursive: true });
  const users = new Map<string, number>();
  let lastSweepMs = 0;
  let sweeping: Promise<void> | undefined;
  for (const name of await readdir(options.directory)) {
    if (name.startsWith(draftPrefix)) await rm(join(options.directory, name), { recursive: true, force: true });
  }

  const sweep = (): Promise<void> => {
    sweeping ??= sweepDirectory(options, (name) => users.has(name) || name.startsWith(draftPrefix))
      .catch((error: unknown) =>
        options.logger.warn({ err: error, directory: options.directory }, "cache sweep failed"),
      )
      .finally(() => {
        lastSweepMs = performance.now();
        sweeping = undefined;
      });
    return sweeping;
  };
  await sweep();

  return {
    path: (name) => join(options.directory, name),
    use(name) {
      users.set(name, (users.get(name) ?? 0) + 1);
      let isUsed = true;
      return () => {
        if (!isUsed) return;
        isUsed = false;
        const left = (users.get(name) ?? 1) - 1;
        if (left > 0) {
          users.set(name, left);
          return;
        }
        users.delete(name);
        const now = new Date();
        utimes(join(options.directory, name), now, now).catch(() => undefined);
        if (performance.now() - lastSweepMs > sweepIntervalMs) sweep().catch(() => undefined);
      };
    },
    sweep,
  };
}

async function sweepDirectory(options: CacheDirectoryOptions, isKept: (name: string) => boolean): Promise<void> {
  const names = await readdir(options.directory);
  const entries: { name: string; usedAtMs: number; bytes: number }[] = [];
  for (const name of names) {
    const path = join(options.directory, name);
    const stats = await stat(path).catch(() => undefined);
    if (stats !== undefined) entries.push({ name, usedAtMs: stats.mtimeMs, bytes: await diskBytes(path) });
  }
  let total = entries.reduce((sum, entry) => sum + entry.bytes, 0);
  for (const entry of entries.sort((a, b) => a.usedAtMs - b.usedAtMs)) {
    if (total <= options.bytesMax) return;
    if (isKept(entry.name)) continue;
    await rm(join(options.directory, entry.name), { recursive: true, force: true });
    total -= entry.bytes;
    options.logger.info({ entry: entry.name, bytes: entry.bytes }, "cache entry swept");
  }
}

async function diskBytes(path: string): Promise<number> {
  // du exits 1 when a file vanished under it; what it counted is on standard output all the same.
  const { stdout } = await run("du", ["-sk", path], { env: { PATH: "/usr/bin:/bin" } }).catch((error: unknown) =>
    error instanceof Error && "stdout" in error ? { stdout: String(error.stdout) } : { stdout: "0" },
  );
  return Number.parseInt(stdout, 10) * 1_024 || 0;
}
