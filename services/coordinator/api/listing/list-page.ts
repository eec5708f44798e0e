import { AgentdError } from "../../../core/errors.ts";
import type { Entry } from "../../../platform/nats/store/store.ts";

/** Where a list goes on. */
export interface PageToken {
  /** What is listed: a token of another list is refused. */
  readonly of: string;
  /** Revision that the first page was read at: the watch starts there. */
  readonly revision: number;
  /** Place of the last entry that was given; empty at the start. */
  readonly after: string;
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
  if (text === "") return { of, revision: 0, after: "" };
  try {
    const value: unknown = JSON.parse(Buffer.from(text, "base64url").toString("utf8"));
    if (isPageToken(value) && value.of === of) return value;
  } catch {
    // Not one of ours: refused below.
  }
  const problems = [{ field: "page_token", message: "is not from the answer before, or from another list" }];
  throw new AgentdError("INVALID_SPEC", "the page token is not from the answer before", { problems });
}

/** Where an entry stands in its list: lists are sorted by it, and it is never empty. */
export type PlaceOf<T> = (entry: Entry<T>) => string;

/**
 * The page of `entries` that the token names: at most `size` entries (0 is the maximum of 1,000) and about 3 MiB. It goes
 * on behind a place, not behind a number of entries: what is deleted between two pages hides nothing of the rest.
 * @throws AgentdError INVALID_SPEC for a negative size
 */
export function pageOf<T>(entries: readonly Entry<T>[], placeOf: PlaceOf<T>, size: number, token: PageToken): Page<T> {
  const count = pageSizeOf("page_size", size);
  const page: Entry<T>[] = [];
  let bytes = 0;
  const from = token.after === "" ? 0 : entries.findIndex((entry) => placeOf(entry) > token.after);
  const start = from < 0 ? entries.length : from;
  for (const entry of entries.slice(start, start + count)) {
    bytes += JSON.stringify(entry.value).length;
    if (page.length > 0 && bytes > pageBytesMax) break;
    page.push(entry);
  }
  const last = page.at(-1);
  if (last === undefined || start + page.length >= entries.length) return { entries: page, nextPageToken: "" };
  return { entries: page, nextPageToken: writePageToken({ ...token, after: placeOf(last) }) };
}

/** Entries of a page; 0 is the maximum of 1,000, and so is more. @throws AgentdError INVALID_SPEC for a negative size */
export function pageSizeOf(field: string, size: number): number {
  if (size >= 0) return size === 0 ? pageSizeMax : Math.min(size, pageSizeMax);
  const problems = [{ field, message: `must not be negative, got ${size}` }];
  throw new AgentdError("INVALID_SPEC", `${field} is negative`, { problems });
}

/** The token as a client gets it. */
export function writePageToken(token: PageToken): string {
  return Buffer.from(JSON.stringify(token)).toString("base64url");
}

function isPageToken(value: unknown): value is PageToken {
  if (typeof value !== "object" || value === null) return false;
  const token: Partial<Record<keyof PageToken, unknown>> = value;
  return typeof token.of === "string" && typeof token.after === "string" && isRevision(token.revision);
}

function isRevision(value: unknown): boolean {
  return typeof value === "number" && Number.isSafeInteger(value) && value >= 0;
}
