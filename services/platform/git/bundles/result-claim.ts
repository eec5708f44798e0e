import type { ObjectReader } from "../objects/object-reader.ts";

/** What a worker claims about its result, and how large it may be. */
export interface ResultClaim {
  readonly base: string;
  readonly commit: string;
  /** Bytes of the file; default 64 MiB. */
  readonly maxBytes?: number;
  /** Bytes of all its objects together, unpacked; default 512 MiB. */
  readonly maxExpandedBytes?: number;
  /** Default 100,000. */
  readonly maxObjects?: number;
  /** For each git command; default 2 minutes. */
  readonly timeoutMs?: number;
  /** Refuse more than one commit on the base. Default false: it may be some generations away. */
  readonly isOneCommit?: boolean;
  /** Reads the cache; default one that is started for this result. */
  readonly reader?: ObjectReader;
}
