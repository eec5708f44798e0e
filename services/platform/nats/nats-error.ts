import { JetStreamApiError } from "@nats-io/jetstream";
import { errors } from "@nats-io/nats-core";
import { AgentdError } from "../../core/errors.ts";

/**
 * What is known about a write that failed: `none` = certainly not written; `unknown` = the answer was lost, so the
 * caller must read again; `written` = stored, but not seen in the mirror in time.
 */
export type WriteOutcome = "none" | "unknown" | "written";

/** Suggested pause before a call that found the store unavailable is repeated. */
export const storeRetryAfterMs = 1_000;
/** The same for a full one: room is made twice a minute. */
const fullRetryAfterMs = 30_000;

/** A STORE_UNAVAILABLE error that says what is known about the write. */
export function storeUnavailable(message: string, outcome: WriteOutcome, cause?: unknown): AgentdError {
  return new AgentdError("STORE_UNAVAILABLE", message, {
    metadata: { outcome },
    retryAfterMs: storeRetryAfterMs,
    ...(cause === undefined ? {} : { cause }),
  });
}

/** A STORE_FULL error: nothing was written. */
export function storeFull(message: string, cause?: unknown): AgentdError {
  return new AgentdError("STORE_FULL", message, {
    metadata: { outcome: "none" },
    retryAfterMs: fullRetryAfterMs,
    ...(cause === undefined ? {} : { cause }),
  });
}

/** JetStream error codes that agentd tells apart (nats-server `server/errors.json`). */
export const apiCodes = {
  noMessageFound: 10037,
  streamNotFound: 10059,
  consumerNotFound: 10014,
  wrongLastSequence: 10071,
  wrongLastSequenceUnknown: 10164,
  /** discard=new refused the message: the stream or its subject is full. */
  storeFailed: 10077,
  maxPayload: 10054,
  batchIncomplete: 10176,
  batchTooLarge: 10199,
} as const;

/** The `err_code` of a JetStream API error, or undefined. */
export function apiCode(error: unknown): number | undefined {
  return error instanceof JetStreamApiError ? error.code : undefined;
}

/** Whether the request certainly reached nobody: no responder, or the client refused before sending. */
export function isUndelivered(error: unknown): boolean {
  return (
    (error instanceof errors.RequestError && error.isNoResponders()) ||
    error instanceof errors.NoRespondersError ||
    error instanceof errors.DrainingConnectionError ||
    error instanceof errors.PermissionViolationError ||
    (error instanceof Error && error.cause instanceof errors.PermissionViolationError)
  );
}

/** The permission violation inside `error`, or undefined. */
export function permissionViolation(error: unknown): InstanceType<typeof errors.PermissionViolationError> | undefined {
  if (error instanceof errors.PermissionViolationError) return error;
  return error instanceof Error && error.cause !== undefined ? permissionViolation(error.cause) : undefined;
}

/**
 * Turns whatever a NATS call threw into an AgentdError: transport trouble becomes STORE_UNAVAILABLE with a
 * `retryAfterMs` and the outcome, a full stream STORE_FULL, a refusal for lack of permission INTERNAL with the subject, and
 * another refusal of JetStream keeps its code. An AgentdError and an abort reason pass through.
 */
export function toAgentdError(error: unknown, doing: string, signal?: AbortSignal): unknown {
  if (error instanceof AgentdError) return error;
  if (signal?.aborted === true && error === signal.reason) return error;
  const violation = permissionViolation(error);
  if (violation !== undefined) {
    return new AgentdError("INTERNAL", `${doing}: these NATS credentials may not use ${violation.subject}`, {
      metadata: { subject: violation.subject },
      cause: error,
    });
  }
  if (error instanceof JetStreamApiError) {
    const message = `${doing}: ${error.message} (JetStream ${error.code})`;
    const metadata = { jetstreamCode: String(error.code) };
    if (error.code === apiCodes.storeFailed) return storeFull(message, error);
    // 503 "JetStream system temporarily unavailable", a leader election: passes by itself.
    if (error.status === 503) return storeUnavailable(message, "unknown", error);
    return new AgentdError("INTERNAL", message, { metadata, cause: error });
  }
  const text = error instanceof Error ? error.message : String(error);
  return storeUnavailable(`${doing}: NATS gave no answer (${text})`, isUndelivered(error) ? "none" : "unknown", error);
}
