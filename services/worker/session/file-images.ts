import { gunzipSync, gzipSync } from "node:zlib";
import { imagesOf } from "../../agent/session/files-before.ts";
import type { FileBefore } from "../../agent/tools/tool.ts";
import type { TurnRecord } from "../../agent/transcript.ts";
import { fileDigest } from "../../agent/worktree/read-ledger.ts";

/** Files as they were before the changes of the present turn. */
export interface FileImages {
  note(before: FileBefore): void;
  /**
   * At the end of a turn: what its record's `images` is to hold; forgets all.
   * @returns undefined where the turn before has all of it, or there is too much
   */
  take(turn: Pick<TurnRecord, "calls">): Buffer | undefined;
}

/** Kept of one turn. */
const bytesMax = 16 * 1_024 ** 2;

/** Nothing is noted yet. */
export function createFileImages(): FileImages {
  const images = new Map<string, Buffer>();
  let left = bytesMax;
  return {
    note({ bytes }) {
      if (bytes === undefined || bytes.length > left) return;
      const digest = fileDigest(bytes);
      if (images.has(digest)) return;
      images.set(digest, bytes);
      left -= bytes.length;
    },
    take(turn) {
      const needed = [...new Set(imagesOf(turn))];
      const found = needed.flatMap((digest) => {
        const bytes = images.get(digest);
        return bytes === undefined ? [] : [[digest, bytes.toString("base64")] as const];
      });
      images.clear();
      left = bytesMax;
      if (needed.length === 0 || found.length < needed.length) return undefined;
      return gzipSync(JSON.stringify(Object.fromEntries(found)));
    },
  };
}

/** Reads what {@link FileImages.take} gave. @throws Error when it is something else */
export function readFileImages(object: Buffer): ReadonlyMap<string, Buffer> {
  const text = gunzipSync(object, { maxOutputLength: 2 * bytesMax }).toString("utf8");
  const images = new Map<string, Buffer>();
  for (const [digest, encoded] of Object.entries(JSON.parse(text) as Readonly<Record<string, unknown>>)) {
    const bytes = Buffer.from(String(encoded), "base64");
    if (fileDigest(bytes) !== digest) throw new Error("a kept file is not what it is said to be");
    images.set(digest, bytes);
  }
  return images;
}
