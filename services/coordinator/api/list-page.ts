import { AgentdError } from "../../core/errors.ts";
import type { Entry } from "../../platform/nats/store.ts";

/** Where a list goes on. */
export interface PageToken {
  /** What is listed: a token of another list is refused. */
  readonly of: string;
  /** Revision that the first page was read at: the watch starts there. */
  readonly revision: number;
  /** Entries before this place were given. */
  readonly offset: number;
}

/** One page of a list. */
export interface Page<T> {
  readonly entries: readonly Entry<T>[];
  /** Empty on the last page. */
  readonly nextPageToken: string;
}

const pageSizeMax = 1_000;
/** Other clients take messages of 4 MB at most, grpc's default; a protobuf is smaller than its JSON. */
const pageBytesMax = 3 * 1_024 * 1_024;

/** The token that a client sent, or the start of the list `of`. @throws AgentdError INVALID_SPEC */
export function readPageToken(text: string, of: string): PageToken {
  if (text === "") return { of, revision: 0, offset: 0 };
  try {
    const value: unknown = JSON.parse(Buffer.from(text, "base64url").toString("utf8"));
    if (isPageToken(value) && value.of === of) return value;
  } catch {
    // Not one of ours: refused below.
  }
  const problems = [{ field: "page_token", message: "is not from the answer before, or from another list" }];
  throw new AgentdError("INVALID_SPEC", "the page token is not from the answer before", { problems });
}

/**
 * The page of `entries` that the token names: at most `size` entries (0 is the maximum of 1,000) and about 3 MiB.
 * @throws AgentdError INVALID_SPEC for a negative size
 */
export function pageOf<T>(entries: readonly Entry<T>[], size: number, token: PageToken): Page<T> {
  if (size < 0) {
    const problems = [{ field: "page_size", message: `must not be negative, got ${size}` }];
    throw new AgentdError("INVALID_SPEC", "the page size is negative", { problems });
  }
  const count = size === 0 ? pageSizeMax : Math.min(size, pageSizeMax);
  const page: Entry<T>[] = [];
  let bytes = 0;
  for (const entry of entries.slice(token.offset, token.offset + count)) {
    bytes += JSON.stringify(entry.value).length;
    if (page.length > 0 && bytes > pageBytesMax) break;
    page.push(entry);
  }
  const offset = token.offset + page.length;
  if (offset >= entries.length) return { entries: page, nextPageToken: "" };
  const next: PageToken = { ...token, offset };
  return { entries: page, nextPageToken: Buffer.from(JSON.stringify(next)).toString("base64url") };
}

function isPageToken(value: unknown): value is PageToken {
  if (typeof value !== "object" || value === null) return false;
  const token: Partial<Record<keyof PageToken, unknown>> = value;
  return typeof token.of === "string" && isPlace(token.revision) && isPlace(token.offset);
}

function isPlace(value: unknown): boolean {
  return typeof value === "number" && Number.isSafeInteger(value) && value >= 0;
}
