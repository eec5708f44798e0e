import type { Metadata } from "./resource.ts";

/** A process that runs sub-agents; written from its heartbeats. */
export interface Worker {
  readonly kind: "Worker";
  readonly metadata: Metadata;
  readonly spec: { readonly slots: number };
  readonly status: {
    readonly hostname: string;
    readonly pid: number;
    readonly version: string;
    /** `bubblewrap 0.8.0` or `none`. */
    readonly sandbox: string;
    readonly state: "Ready" | "Draining" | "Lost";
    readonly startedAtMs: number;
    readonly busy: number;
    readonly lastHeartbeatAtMs: number;
  };
}
