import type { BucketName } from "../subjects.ts";

/** An object's description, as the NATS object store keeps it (ADR-20); only what agentd needs. */
export interface ObjectMeta {
  readonly name: string;
  /** Token of the subject that holds the chunks. */
  readonly nuid: string;
  readonly size: number;
  readonly chunks: number;
  readonly digest: string;
}

const namePattern = /^([0-9a-f]{64})\/[0-9a-f]{16,64}$/;
const nuidPattern = /^[A-Za-z0-9]{8,64}$/;

/** Subject of an object's chunks. */
export const chunkSubject = (bucket: BucketName, nuid: string): string => `$O.${bucket}.C.${nuid}`;
/** Subject of an object's description. */
export const metaSubject = (bucket: BucketName, name: string): string =>
  `$O.${bucket}.M.${padded(Buffer.from(name).toString("base64url"))}`;

/** The sha256 of the content, in hex, that an object's name begins with; undefined if it is no object name of ours. */
export function digestOfName(name: string): string | undefined {
  return namePattern.exec(name)?.[1];
}

/** The description as JSON, readable by any client of the object store. */
export function formatMeta(bucket: BucketName, meta: Omit<ObjectMeta, "digest">, sha256: Buffer, time: Date): string {
  return JSON.stringify({
    name: meta.name,
    bucket,
    nuid: meta.nuid,
    size: meta.size,
    chunks: meta.chunks,
    digest: `SHA-256=${padded(sha256.toString("base64url"))}`,
    deleted: false,
    mtime: time.toISOString(),
    options: { max_chunk_size: chunkBytes },
  });
}

/** Reads a description that another process wrote: hostile until checked. Undefined when it is none, or deleted. */
export function parseMeta(text: string, name: string): ObjectMeta | undefined {
  let raw: unknown;
  try {
    raw = JSON.parse(text);
  } catch {
    return undefined;
  }
  if (typeof raw !== "object" || raw === null) return undefined;
  const { nuid, size, chunks, digest, deleted } = raw as Record<string, unknown>;
  if (deleted === true || typeof nuid !== "string" || !nuidPattern.test(nuid) || typeof digest !== "string") {
    return undefined;
  }
  if (!isCount(size) || !isCount(chunks)) return undefined;
  return { name, nuid, size, chunks, digest };
}

/** Size of a chunk: the object store's own default. */
export const chunkBytes = 128 * 1_024;

function isCount(value: unknown): value is number {
  return typeof value === "number" && Number.isSafeInteger(value) && value >= 0;
}

/** The object store pads its base64url. */
function padded(text: string): string {
  return text.padEnd(Math.ceil(text.length / 4) * 4, "=");
}
