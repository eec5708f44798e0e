import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { anyPack, anyUnpack, durationFromMs, durationMs } from "@bufbuild/protobuf/wkt";
import type { ServiceError, StatusObject } from "@grpc/grpc-js";
import { status as codes, Metadata } from "@grpc/grpc-js";
import type { Reason } from "../../core/errors.ts";
import { AgentdError, type FieldProblem, isAgentdError, reasons } from "../../core/errors.ts";
import { BadRequestSchema, ErrorInfoSchema, RetryInfoSchema } from "../../gen/google/rpc/error_details_pb.ts";
import { type Status, StatusSchema } from "../../gen/google/rpc/status_pb.ts";
import type { Logger } from "../telemetry/log.ts";

/** `ErrorInfo.domain` of every error that agentd gives. */
export const errorDomain = "agentd.dev";

/** Trailer with the google.rpc.Status: https://grpc.io/docs/guides/error/#richer-error-model */
const detailsKey = "grpc-status-details-bin";
/** Clients bound their headers (C-core at 8 KiB), and the trailer is base64 there. */
const detailsBytesMax = 4_096;
const textCharactersMax = 1_000;
const retryAfterMsDefault = 1_000;

/** A call that failed without agentd's own reason: no server, a proxy's answer, a deadline, a cancel. */
export class CallError extends Error {
  override readonly name = "CallError";
  /** Canonical name of the status: `UNAVAILABLE`. */
  readonly status: string;

  constructor(status: string, message: string, cause: unknown) {
    super(message, { cause });
    this.status = status;
  }
}

/**
 * What a caller is told about `error`: an AgentdError with its reason, problems and retry hint; anything else as
 * INTERNAL without its text, logged here once.
 */
export function toStatusObject(error: unknown, method: string, log: Logger): StatusObject {
  const known = isAgentdError(error) ? error : internalError(error, method, log);
  const code = codes[reasons[known.reason].status];
  const message = cut(known.message);
  const metadata = new Metadata();
  metadata.set(detailsKey, Buffer.from(toBinary(StatusSchema, toStatus(known, code, message))));
  return { code, details: message, metadata };
}

/** The error behind a failed call: AgentdError where the server said why, else {@link CallError}. */
export function fromServiceError(error: unknown): unknown {
  if (!isServiceError(error)) return error;
  const [bytes] = error.metadata.get(detailsKey);
  const status = bytes instanceof Uint8Array ? readStatus(bytes) : undefined;
  const info = status?.details.map((any) => anyUnpack(any, ErrorInfoSchema)).find((each) => each !== undefined);
  if (
    status === undefined ||
    info === undefined ||
    info.domain !== errorDomain ||
    !Object.hasOwn(reasons, info.reason)
  ) {
    return new CallError(codes[error.code] ?? "UNKNOWN", error.details, error);
  }
  const problems = status.details.flatMap((any) => anyUnpack(any, BadRequestSchema)?.fieldViolations ?? []);
  const retry = status.details
    .map((any) => anyUnpack(any, RetryInfoSchema)?.retryDelay)
    .find((each) => each !== undefined);
  return new AgentdError(info.reason as Reason, status.message, {
    metadata: info.metadata,
    problems: problems.map(({ field, description }) => ({ field, message: description })),
    ...(retry === undefined ? {} : { retryAfterMs: durationMs(retry) }),
    cause: error,
  });
}

function toStatus(error: AgentdError, code: number, message: string): Status {
  const metadata = Object.entries(error.metadata).slice(0, 16);
  const info = create(ErrorInfoSchema, {
    reason: error.reason,
    domain: errorDomain,
    metadata: Object.fromEntries(metadata.map(([key, value]) => [key, value.slice(0, 128)])),
  });
  const status = create(StatusSchema, { code, message, details: [anyPack(ErrorInfoSchema, info)] });
  if (reasons[error.reason].isRetryable) {
    const retryDelay = durationFromMs(error.retryAfterMs ?? retryAfterMsDefault);
    status.details.push(anyPack(RetryInfoSchema, create(RetryInfoSchema, { retryDelay })));
  }
  const used = toBinary(StatusSchema, status).byteLength;
  const fieldViolations = boundedViolations(error.problems, detailsBytesMax - used);
  if (fieldViolations.length > 0) {
    status.details.push(anyPack(BadRequestSchema, create(BadRequestSchema, { fieldViolations })));
  }
  return status;
}

interface Violation {
  readonly field: string;
  readonly description: string;
}

function boundedViolations(problems: readonly FieldProblem[], bytesMax: number): Violation[] {
  const kept: Violation[] = [];
  let bytes = 0;
  for (const [at, problem] of problems.entries()) {
    const violation = { field: problem.field.slice(0, 200), description: problem.message.slice(0, 300) };
    bytes += Buffer.byteLength(violation.field) + Buffer.byteLength(violation.description) + 16;
    // 64 bytes are left for the line that says how many are not shown.
    if (bytes > bytesMax - 64)
      return [...kept, { field: "", description: `and ${problems.length - at} more problems` }];
    kept.push(violation);
  }
  return kept;
}

/** Codes of the system that say the disk is full. */
const fullCodes = new Set(["ENOSPC", "EDQUOT"]);

function internalError(error: unknown, method: string, log: Logger): AgentdError {
  if (error instanceof Error && "code" in error && fullCodes.has(String(error.code))) {
    return new AgentdError("DISK_FULL", "the disk of the coordinator's data folder is full; free some space there", {
      cause: error,
    });
  }
  log.error({ err: error, method }, "call failed unexpectedly");
  return new AgentdError("INTERNAL", "the server failed unexpectedly; its log says why", { cause: error });
}

function isServiceError(error: unknown): error is ServiceError {
  return error instanceof Error && "code" in error && "metadata" in error && error.metadata instanceof Metadata;
}

function readStatus(bytes: Uint8Array): Status | undefined {
  try {
    return fromBinary(StatusSchema, bytes);
  } catch {
    // Somebody else's trailer under this name: the plain status is all there is.
    return undefined;
  }
}

function cut(text: string): string {
  return text.length > textCharactersMax ? `${text.slice(0, textCharactersMax - 1)}…` : text;
}
