import { open, stat, statfs } from "node:fs/promises";

/** Says when a nats-server has to be started again because its disk was full. */
export interface FullDiskWatch {
  /**
   * - `Full`: a write found no space, and there is still none.
   * - `Stuck`: a write found no space, but there is some now. nats-server 2.15 goes on refusing every write to that stream
   *   until it is started again (measured: `Filestore … Critical write error`, and nothing else for as long as it runs).
   */
  look(): Promise<"Fine" | "Full" | "Stuck">;
  /** Forgets what was said so far: the server was started again. */
  reset(): Promise<void>;
}

interface FullDiskWatchOptions {
  /** The server's log, which is the only place where it says so. */
  readonly logPath: string;
  /** Free bytes of the store's disk. Default: as the file system of the log says. */
  readonly freeBytes?: () => Promise<number>;
}

/** With less than this a restart would only find the disk full again. */
const freeBytesMin = 16 * 1_048_576;
/** Of a log that grew by more, only the end is read. */
const readBytesMax = 256 * 1_024;
const noSpace = /no space left on device|disk quota exceeded/i;

/** A watch over what the server logs from now on. */
export async function createFullDiskWatch(options: FullDiskWatchOptions): Promise<FullDiskWatch> {
  const { logPath } = options;
  const freeBytes = options.freeBytes ?? (() => freeBytesOf(logPath));
  const sizeNow = async () => (await stat(logPath).catch(() => undefined))?.size ?? 0;
  let seenBytes = await sizeNow();
  let hasComplained = false;
  return {
    async look() {
      const size = await sizeNow();
      // A log that shrank was begun anew.
      const from = Math.max(size < seenBytes ? 0 : seenBytes, size - readBytesMax);
      if (!hasComplained && size > from) hasComplained = noSpace.test(await readRange(logPath, from, size));
      seenBytes = size;
      if (!hasComplained) return "Fine";
      return (await freeBytes()) < freeBytesMin ? "Full" : "Stuck";
    },
    async reset() {
      hasComplained = false;
      seenBytes = await sizeNow();
    },
  };
}

/** Bytes that may still be written to the file system of `path`. */
export async function freeBytesOf(path: string): Promise<number> {
  const { bavail, bsize } = await statfs(path);
  return bavail * bsize;
}

async function readRange(path: string, from: number, to: number): Promise<string> {
  await using file = await open(path, "r");
  const { buffer, bytesRead } = await file.read(Buffer.alloc(to - from), 0, to - from, from);
  return buffer.toString("utf8", 0, bytesRead);
}
