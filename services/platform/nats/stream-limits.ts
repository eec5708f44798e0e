/** Sizes of everything that is stored. All in bytes, messages or milliseconds; each has a default below. */
export interface StoreLimits {
  /** Resource stream. Default 8 GiB. */
  readonly resourceBytes: number;
  /** Object bucket `agentd`: uploads, results, roll-ups. Default 64 GiB. */
  readonly objectBytes: number;
  /** Object bucket `inbox`. Default 16 GiB. */
  readonly inboxBytes: number;
  /** Objects left in `inbox` are dropped after this. Default 24 h. */
  readonly inboxAgeMs: number;
  /** Transcripts. Default 16 GiB and 14 days. */
  readonly transcriptBytes: number;
  readonly transcriptAgeMs: number;
  /** Events. Default 1 GiB and 7 days. */
  readonly eventBytes: number;
  readonly eventAgeMs: number;
  /** Hints. Default 100,000 messages. */
  readonly hints: number;
  /** A pulled hint that was not acknowledged is handed out again after this. Default 30 s. */
  readonly hintAckWaitMs: number;
  /** Servers that hold a copy of each stream. Default 1. */
  readonly replicas: number;
}

const gib = 1024 ** 3;
const hourMs = 3_600_000;

/** See {@link StoreLimits}. */
export const defaultLimits: StoreLimits = {
  resourceBytes: 8 * gib,
  objectBytes: 64 * gib,
  inboxBytes: 16 * gib,
  inboxAgeMs: 24 * hourMs,
  transcriptBytes: 16 * gib,
  transcriptAgeMs: 14 * 24 * hourMs,
  eventBytes: gib,
  eventAgeMs: 7 * 24 * hourMs,
  hints: 100_000,
  hintAckWaitMs: 30_000,
  replicas: 1,
};

/** Revisions of one key that the resource stream keeps. */
export const revisionsPerKey = 1_024;
/** Largest resource, as JSON in UTF-8. */
export const resourceBytesMax = 32 * 1_024;
/** Most messages in one atomic batch (nats-server's own limit, ADR-50). */
export const batchMessagesMax = 1_000;
/** Largest message that the server takes; transcripts' turns are the largest that agentd writes. */
export const payloadBytesMax = 1_024 * 1_024;
/** Tombstones are purged after this. */
export const tombstoneAgeMs = hourMs;
