import { hostname } from "node:os";
import { setInterval as every } from "node:timers/promises";
import type { Heartbeat } from "../../core/worker-protocol.ts";
import type { CoordinatorClient } from "./coordinator-client.ts";
import type { Runner } from "./runner.ts";

export interface HeartbeatDeps {
  readonly worker: string;
  readonly version: string;
  /** `bubblewrap 0.8.0` or `none`. */
  readonly sandbox: string;
  readonly slots: number;
  readonly startedAtMs: number;
  readonly intervalMs: number;
  readonly runner: Pick<Runner, "held" | "isDraining">;
  readonly coordinator: Pick<CoordinatorClient, "heartbeat">;
  /** Requests that wait for the engine now, and what is wrong with it, if anything. */
  engine(): { readonly waiting: number; readonly engineMessage?: string };
}

/** Says what this worker holds, at once and then every interval, until the signal aborts. Never throws. */
export async function sendHeartbeats(deps: HeartbeatDeps, signal: AbortSignal): Promise<void> {
  const beat = (): void => deps.coordinator.heartbeat(heartbeatOf(deps));
  beat();
  try {
    for await (const _ of every(deps.intervalMs, undefined, { signal })) beat();
  } catch {
    // Aborted: a last word, so that the coordinator need not wait for silence.
    beat();
  }
}

function heartbeatOf(deps: HeartbeatDeps): Heartbeat {
  const engine = deps.engine();
  return {
    worker: deps.worker,
    hostname: hostname(),
    pid: process.pid,
    version: deps.version,
    sandbox: deps.sandbox,
    slots: deps.slots,
    isDraining: deps.runner.isDraining,
    startedAtMs: deps.startedAtMs,
    held: deps.runner.held(),
    waitingForEngine: engine.waiting,
    ...(engine.engineMessage === undefined ? {} : { engineMessage: engine.engineMessage }),
  };
}
