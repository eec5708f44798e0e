import { noUsage, type Usage } from "../../core/resource.ts";
import type { Outcome } from "../../core/task/task.ts";
import type { Assignment, AttemptRef, CompleteRequest, HeldAttempt } from "../../core/worker-protocol.ts";

/** What an attempt came to: a `complete` without the fence. */
export type AttemptResult = Omit<CompleteRequest, keyof AttemptRef | "token">;

/** Where an attempt stands, for heartbeats. */
export type Phase = HeldAttempt["phase"];

/** What an attempt tells while it runs; both may be called any number of times. */
export interface AttemptProgress {
  onPhase(phase: Phase): void;
  onUsage(usage: Usage): void;
}

/**
 * Runs one attempt to its end and leaves no process and no worktree behind.
 *
 * Never throws: whatever goes wrong is an outcome. An abort of `signal` ends it within seconds, with the outcome that the
 * signal's {@link StopReason} names.
 */
export type RunAttempt = (
  assignment: Assignment,
  progress: AttemptProgress,
  signal: AbortSignal,
) => Promise<AttemptResult>;

/** Reason of an abort that is somebody's decision, not a failure. */
export class StopReason extends Error {
  override readonly name = "StopReason";
  readonly outcome: "Cancelled" | "Infra";

  /** @param outcome `Cancelled` for a stop signal, `Infra` when the worker gives its leases back. */
  constructor(outcome: "Cancelled" | "Infra", message: string) {
    super(message);
    this.outcome = outcome;
  }
}

/** Longest `message` and `claimed` of a result, in characters; bound of `Attempt.message`. */
const messageCharactersMax = 1_024;
/** Longest notice, in characters; bound of `Notice.text`. */
const noticeCharactersMax = 6_000;

/** A result with nothing but an outcome, a message and what is given; texts are cut to the protocol's bounds. */
export function attemptResult(outcome: Outcome, message: string, rest: Partial<AttemptResult> = {}): AttemptResult {
  const { notice, claimed, ...others } = rest;
  return {
    checks: [],
    usage: noUsage,
    ...others,
    outcome,
    message: message.slice(0, messageCharactersMax),
    claimed: (claimed ?? "").slice(0, messageCharactersMax),
    ...(notice === undefined ? {} : { notice: notice.slice(0, noticeCharactersMax) }),
  };
}

/** `uid/task/attempt`: the key of an attempt in maps and in the marker of its processes. */
export function attemptKey(ref: AttemptRef): string {
  return `${ref.uid}/${ref.task}/${ref.attempt}`;
}
