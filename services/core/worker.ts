import type { Metadata } from "./resource.ts";

/** Drained: cordoned by a drain, and holds nothing any more. */
export type WorkerState = "Ready" | "Cordoned" | "Draining" | "Drained" | "Lost";

/** What a worker offers, and what is wanted of it: that lasts over its restarts. */
export interface WorkerSpec {
  readonly slots: number;
  /** True: it gets no new attempts. */
  readonly cordoned?: boolean;
  /** Set while it is being drained: what it holds then is given back. Milliseconds since the epoch. */
  readonly drainDeadlineAtMs?: number;
}

/** A process that runs sub-agents; written from its heartbeats. */
export interface Worker {
  readonly kind: "Worker";
  readonly metadata: Metadata;
  readonly spec: WorkerSpec;
  readonly status: {
    readonly hostname: string;
    readonly pid: number;
    readonly version: string;
    /** `bubblewrap 0.8.0` or `none`. */
    readonly sandbox: string;
    readonly state: WorkerState;
    readonly startedAtMs: number;
    readonly busy: number;
    readonly lastHeartbeatAtMs: number;
  };
}

/** The state that is shown of a worker. Pure. */
export function workerState(seen: {
  readonly spec: WorkerSpec;
  readonly isReachable: boolean;
  /** The process itself drains: it was told to stop. */
  readonly isStopping: boolean;
  readonly isIdle: boolean;
}): WorkerState {
  if (!seen.isReachable) return "Lost";
  if (seen.isStopping) return "Draining";
  if (seen.spec.drainDeadlineAtMs !== undefined) return seen.isIdle ? "Drained" : "Draining";
  return seen.spec.cordoned === true ? "Cordoned" : "Ready";
}
