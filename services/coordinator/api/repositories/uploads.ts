import { createHash } from "node:crypto";
import { open, rm } from "node:fs/promises";
import { AgentdError, isAgentdError } from "../../../core/errors.ts";
import type { UploadBundleRequest } from "../../../gen/agentd/v1/repository_service_pb.ts";
import { putObject } from "../../../platform/nats/objects/objects.ts";
import type { ResourceStore } from "../../../platform/nats/store/store.ts";
import { requireStorage } from "../../storage-check.ts";
import type { ApiDeps } from "../api-deps.ts";
import type { GitWork } from "./git-work.ts";
import type { SourceRepositories } from "./source-repositories.ts";

/** Names the object of an uploaded bundle; one a digest. */
export interface UploadRecord {
  readonly kind: "Upload";
  /** `sha256:` and 64 hex digits. */
  readonly digest: string;
  readonly object: string;
  readonly size: number;
  readonly createdAtMs: number;
}

const uploadBytesMaxDefault = 2 * 1_024 ** 3;
const chunkBytesMax = 1_024 * 1_024;
/** Objects are swept 24 h after they were put: a job started from an older one could lose it. */
const uploadFreshMs = 12 * 3_600_000;
const uploadForgottenMs = 24 * 3_600_000;
const uploadPrefix = "upload.";

/** Key of an upload's record. @throws AgentdError INVALID_SPEC when `digest` is none */
function uploadKey(digest: string): string {
  const hex = /^sha256:([0-9a-f]{64})$/.exec(digest)?.[1];
  if (hex !== undefined) return `${uploadPrefix}${hex}`;
  const message = 'must be "sha256:" and 64 hex digits';
  throw new AgentdError("INVALID_SPEC", `the digest ${message}`, { problems: [{ field: "digest", message }] });
}

/** The upload of that digest, if it is there and young enough to start a job from. */
export function findUpload(store: ResourceStore, digest: string, nowMs: number): UploadRecord | undefined {
  const record = store.get<UploadRecord>(uploadKey(digest))?.value;
  return record !== undefined && nowMs - record.createdAtMs < uploadFreshMs ? record : undefined;
}

/** Forgets uploads that no job can start from any more; to be called by the leader now and then. */
export async function sweepUploads(store: ResourceStore, nowMs: number, signal: AbortSignal): Promise<number> {
  let swept = 0;
  for (const entry of store.list<UploadRecord>(uploadPrefix)) {
    if (nowMs - entry.value.createdAtMs < uploadForgottenMs) continue;
    try {
      await store.commit([{ key: entry.key, value: undefined, expected: entry.revision }], signal);
      swept += 1;
    } catch (error) {
      // Sent again in this moment: it is young now.
      if (!isAgentdError(error, "CONFLICT")) throw error;
    }
  }
  return swept;
}

/**
 * Receives a bundle: size bounded while it comes, digest checked, then `git index-pack --strict` in a repository of
 * its own, then stored. Nothing is left behind when any of it fails.
 * @throws AgentdError UPLOAD_TOO_LARGE, BUNDLE_INVALID, INVALID_SPEC
 */
export async function receiveUpload(
  deps: ApiDeps & { readonly sources: SourceRepositories; readonly gitWork: GitWork },
  requests: AsyncIterable<UploadBundleRequest>,
  signal: AbortSignal,
): Promise<string> {
  const bytesMax = deps.uploadBytesMax ?? uploadBytesMaxDefault;
  return await deps.repositories.withFile(async (file) => {
    const { digest, size } = await writeChunks(requests, file, bytesMax);
    await deps.gitWork.run(() => deps.sources.addUpload(digest, file, bytesMax, signal), signal);
    // Before it is stored: an upload may not take the room that accepted tasks need for their results.
    await requireStorage(deps, { tasks: 0, objectBytes: size }, signal);
    const { name: object } = await putObject(deps.link, "agentd", { file }, signal);
    const value: UploadRecord = { kind: "Upload", digest, object, size, createdAtMs: deps.nowMs() };
    const key = uploadKey(digest);
    for (let race = 1; ; race += 1) {
      try {
        await deps.store.commit([{ key, value, expected: deps.store.get(key)?.revision ?? 0 }], signal);
        return digest;
      } catch (error) {
        // Somebody sent the same bundle at the same time: either record will do, the younger one stays longer.
        if (!isAgentdError(error, "CONFLICT") || race >= 5) throw error;
      }
    }
  });
}

async function writeChunks(
  requests: AsyncIterable<UploadBundleRequest>,
  file: string,
  bytesMax: number,
): Promise<{ readonly digest: string; readonly size: number }> {
  const handle = await open(file, "wx", 0o600);
  const hash = createHash("sha256");
  let digest: string | undefined;
  let size = 0;
  try {
    for await (const { digest: said, chunk } of requests) {
      if (digest === undefined) {
        uploadKey(said);
        digest = said;
      }
      if (chunk.byteLength > chunkBytesMax) throw new AgentdError("INVALID_SPEC", "a chunk has more than 1 MiB");
      size += chunk.byteLength;
      if (size > bytesMax) {
        throw new AgentdError("UPLOAD_TOO_LARGE", `the bundle has more than ${bytesMax} bytes`, {
          metadata: { bytesMax: String(bytesMax) },
        });
      }
      hash.update(chunk);
      await handle.writeFile(chunk);
    }
  } catch (error) {
    await rm(file, { force: true });
    throw error;
  } finally {
    await handle.close();
  }
  const found = `sha256:${hash.digest("hex")}`;
  if (digest === undefined) throw new AgentdError("BUNDLE_INVALID", "the upload is empty");
  if (found !== digest) throw new AgentdError("BUNDLE_INVALID", `the bundle's digest is ${found}, not ${digest}`);
  return { digest, size };
}
