import type { Worker } from "../../core/worker.ts";
import type { Heartbeat, StopSignal } from "../../core/worker-protocol.ts";
import type { ResourceStore } from "../../platform/nats/store/store.ts";
import { keyPrefixes, keys } from "../../platform/nats/subjects.ts";

/** What {@link createWorkerOrders} needs. */
export interface WorkerOrderDeps {
  readonly store: ResourceStore;
  readonly isLeader: () => boolean;
  readonly nowMs: () => number;
  /** Publishes; a lost signal is repeated with the next heartbeat. */
  readonly stopAttempts: (worker: string, signal: StopSignal) => void;
}

/** Tells workers what their resource's spec wants of them. */
export interface WorkerOrders extends Disposable {
  /** Repeats what the heartbeat shows not to be so. */
  heard(heartbeat: Heartbeat): void;
}

/**
 * Cordons and drains: at once when the spec changes, and again with each heartbeat until the worker does it. The claim
 * path refuses a cordoned worker in any case.
 */
export function createWorkerOrders(deps: WorkerOrderDeps): WorkerOrders {
  const stop = deps.store.onChange(({ key, value }) => {
    if (!key.startsWith(keyPrefixes.workers) || value === undefined || !deps.isLeader()) return;
    const { metadata, spec } = value as Worker;
    if (spec.cordoned !== undefined) deps.stopAttempts(metadata.name, { stop: [], isCordoned: spec.cordoned });
  });
  return {
    heard(heartbeat) {
      if (!deps.isLeader()) return;
      const spec = deps.store.get<Worker>(keys.worker(heartbeat.worker))?.value.spec;
      const isCordoned = spec?.cordoned ?? false;
      const stopped = overdue(heartbeat, spec?.drainDeadlineAtMs, deps.nowMs());
      if (stopped.length === 0 && isCordoned === (heartbeat.isCordoned ?? false)) return;
      deps.stopAttempts(heartbeat.worker, { stop: stopped, isCordoned });
    },
    [Symbol.dispose]: stop,
  };
}

/** What a worker holds behind the end of its drain: to be given back. */
function overdue(heartbeat: Heartbeat, deadlineAtMs: number | undefined, nowMs: number): StopSignal["stop"] {
  if (deadlineAtMs === undefined || nowMs < deadlineAtMs) return [];
  return heartbeat.held
    .filter(({ phase }) => phase !== "Completing")
    .map(({ uid, task, attempt }) => ({ uid, task, attempt, reason: "the worker is drained", giveBack: true }));
}
