import { once } from "node:events";
import { createWriteStream } from "node:fs";
import { finished } from "node:stream/promises";
import type { Session } from "../session.ts";

/** A job's branch that was downloaded. */
export interface Download {
  readonly commit: string;
  readonly branch: string;
  readonly isFinal: boolean;
  readonly bytes: number;
}

/** Writes the bundle of a job's branch to `file`; no bytes when the branch has not moved from the base. */
export async function downloadBranch(session: Session, job: string, file: string): Promise<Download> {
  const target = createWriteStream(file);
  let head = { commit: "", branch: "", isFinal: false };
  let bytes = 0;
  try {
    for await (const part of session.repositories.downloadBundle({ job }, { signal: session.signal })) {
      if (part.commit !== "") head = { commit: part.commit, branch: part.branch, isFinal: part.isFinal };
      bytes += part.chunk.length;
      if (!target.write(part.chunk)) await once(target, "drain");
    }
  } finally {
    target.end();
    await finished(target);
  }
  return { ...head, bytes };
}
