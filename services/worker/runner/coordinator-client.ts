import type {
  ClaimReply,
  ClaimRequest,
  CompleteReply,
  CompleteRequest,
  Heartbeat,
  StopSignal,
} from "../../core/worker-protocol.ts";

/** The coordinator as a worker sees it. Every call may fail at any time and be repeated. */
export interface CoordinatorClient {
  /** @throws AgentdError STORE_UNAVAILABLE or NOT_LEADER when nobody answered. */
  claim(request: ClaimRequest, signal: AbortSignal): Promise<ClaimReply>;
  /** @throws AgentdError ATTEMPT_STALE when a newer attempt owns the task; retryable reasons when nobody answered. */
  complete(request: CompleteRequest, signal: AbortSignal): Promise<CompleteReply>;
  /** Fire and forget: a lost heartbeat is made good by the next. */
  heartbeat(heartbeat: Heartbeat): void;
  /** Stop signals for this worker, until the signal aborts. Those sent while NATS was away are lost; the coordinator repeats them. */
  stopSignals(signal: AbortSignal): AsyncIterable<StopSignal>;
}

/** A message that a task may be runnable. */
export interface Hint {
  readonly uid: string;
  readonly task: string;
  /** The span that it was published in. */
  readonly traceparent?: string;
  /** Removes the hint from the queue. A failure is harmless: a hint is never a claim. */
  ack(): void;
  /** Puts it back, for another worker. */
  release(): void;
}

/** The queue. */
export interface HintSource {
  /** Waits for the next hint; hints of verify tasks go first. @throws when NATS is away, or the signal's reason. */
  next(signal: AbortSignal): Promise<Hint>;
}
