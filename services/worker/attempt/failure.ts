import { isAgentdError } from "../../core/errors.ts";
import type { Logger } from "../../platform/telemetry/log.ts";
import { type AttemptResult, attemptResult, StopReason } from "./attempt-result.ts";

/** Codes of the system that say the disk is full. */
const fullCodes = new Set(["ENOSPC", "EDQUOT"]);

/** What an exception means: a decision to stop, a full disk, or trouble of this machine. Never the task's fault. */
export function failureResult(error: unknown, signal: AbortSignal, logger: Logger): AttemptResult {
  if (signal.aborted && signal.reason instanceof StopReason) {
    return attemptResult(signal.reason.outcome, signal.reason.message);
  }
  if (isDiskFull(error)) return attemptResult("Infra", "the worker's disk is full");
  const message = error instanceof Error ? error.message : String(error);
  logger.warn({ err: error }, "attempt ended by trouble of this machine");
  return attemptResult("Infra", message);
}

function isDiskFull(error: unknown): boolean {
  if (isAgentdError(error, "DISK_FULL")) return true;
  if (!(error instanceof Error)) return false;
  if ("code" in error && typeof error.code === "string" && fullCodes.has(error.code)) return true;
  // `cp` says it on standard error, which is part of the message.
  return /No space left on device|Disk quota exceeded/i.test(error.message) || isDiskFull(error.cause);
}
