import { createHash } from "node:crypto";

/** Whether the model knows the bytes that are in a file now. */
export type Acquaintance = "unread" | "changed" | "current";

/** Remembers which bytes of which file the model has seen: edit and write refuse to overwrite anything else. */
export interface ReadLedger {
  /** The model has seen, or has itself written, these bytes. */
  note(path: string, bytes: Uint8Array): void;
  compare(path: string, bytes: Uint8Array): Acquaintance;
  /** Counts an edit of the file that found no place. @returns how many in a row, this one included. */
  countMiss(path: string): number;
  /** What was noted since the last call: path and digest, for {@link restore}. */
  takeNews(): readonly (readonly [path: string, digest: string])[];
  /** Knows again what an earlier life of the attempt had noted. */
  restore(known: readonly (readonly [path: string, digest: string])[]): void;
}

/** Files remembered; the oldest is forgotten, and must then be read again. */
const filesMax = 10_000;

/** A ledger for one attempt; `path` is the file's real path relative to the worktree. */
export function createReadLedger(): ReadLedger {
  const digests = new Map<string, string>();
  const misses = new Map<string, number>();
  const news = new Map<string, string>();
  const know = (path: string, seen: string) => {
    misses.delete(path);
    digests.delete(path);
    digests.set(path, seen);
    const oldest = digests.keys().next();
    if (digests.size <= filesMax || oldest.done) return;
    digests.delete(oldest.value);
    misses.delete(oldest.value);
  };
  return {
    note(path, bytes) {
      const seen = fileDigest(bytes);
      know(path, seen);
      // A turn has at most 32 calls.
      if (news.size < filesMax) news.set(path, seen);
    },
    takeNews() {
      const taken = [...news];
      news.clear();
      return taken;
    },
    restore(known) {
      for (const [path, seen] of known) know(path, seen);
    },
    compare(path, bytes) {
      const known = digests.get(path);
      if (known === undefined) return "unread";
      return known === fileDigest(bytes) ? "current" : "changed";
    },
    countMiss(path) {
      // Only a file that was read can be missed, so this map is no larger than the other.
      const count = (misses.get(path) ?? 0) + 1;
      misses.set(path, count);
      return count;
    },
  };
}

/** sha256, hex. */
export function fileDigest(bytes: Uint8Array): string {
  return createHash("sha256").update(bytes).digest("hex");
}
