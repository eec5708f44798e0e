import { createReadStream } from "node:fs";
import { countText } from "../../core/text/count-text.ts";
import type { Session } from "../session.ts";
import { bundleRepository } from "./local-repository.ts";

const chunkBytes = 256 * 1024;

/** What of a repository is sent. */
export interface UploadRequest {
  readonly directory: string;
  readonly ref: string;
  /** The job's branch: where it exists here, the server has to see it. */
  readonly branch: string;
  /** Folders whose uncommitted changes were told already. */
  readonly noted: Set<string>;
}

/** What a job's spec says of an uploaded repository. */
export interface Uploaded {
  readonly digest: string;
  readonly ref: string;
}

/**
 * Sends a local repository once: a bundle that the server already has is not sent again.
 * @throws RepositoryError where there is nothing to send.
 */
export async function uploadRepository(session: Session, request: UploadRequest): Promise<Uploaded> {
  const { directory, noted } = request;
  const bundle = await bundleRepository(directory, request.ref, request.branch, session.signal);
  try {
    if (bundle.uncommitted > 0 && !noted.has(directory)) {
      const files = countText(bundle.uncommitted, "file");
      session.terminal.err(`note: ${files} with uncommitted changes: agents get what was committed last\n`);
      noted.add(directory);
    }
    const call = { signal: session.signal };
    const { exists } = await session.repositories.hasUpload({ digest: bundle.digest }, call);
    if (!exists) await session.repositories.uploadBundle(chunksOf(bundle.file, bundle.digest), call);
    return { digest: bundle.digest, ref: bundle.ref };
  } finally {
    await bundle.remove();
  }
}

async function* chunksOf(file: string, digest: string): AsyncGenerator<{ digest?: string; chunk: Uint8Array }> {
  let isFirst = true;
  for await (const chunk of createReadStream(file, { highWaterMark: chunkBytes })) {
    yield { ...(isFirst ? { digest } : {}), chunk: chunk as Buffer };
    isFirst = false;
  }
}
