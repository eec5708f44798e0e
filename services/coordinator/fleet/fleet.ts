import type { WaitingWorker } from "../../core/task/dispatch/waiting-reason.ts";
import type { AttemptRef, Heartbeat, HeldAttempt, PoolReport } from "../../core/worker-protocol.ts";

/** A worker as last heard by this replica. */
export interface FleetMember {
  readonly heartbeat: Heartbeat;
  /** Of this process' monotonic clock. */
  readonly heardAtMs: number;
  /** Of the wall clock, for people. */
  readonly heardAtTimeMs: number;
  /** Heard within the lease time. */
  readonly isReachable: boolean;
}

/** The workers as their heartbeats describe them. In memory only: every replica hears all of them. */
export interface Fleet {
  heard(heartbeat: Heartbeat): void;
  /** Silence counts from now: this replica itself could not hear. */
  restart(): void;
  get(worker: string): FleetMember | undefined;
  members(): readonly FleetMember[];
  /** For `why`: workers that take new tasks are ready. */
  waitingWorkers(): readonly WaitingWorker[];
  /** What the worker's last heartbeat says of an attempt that it holds. */
  heldAttempt(worker: string, attempt: AttemptRef): HeldAttempt | undefined;
  /** Model pools as the workers that are heard report them. */
  poolReports(): readonly PoolReport[];
  /** Whether the worker is heard, does not drain and is not cordoned. */
  takesTasks(worker: string): boolean;
  /** Slots of all workers that take new tasks. */
  readonly slots: number;
  /** Told when a worker came, began to drain, was (un)cordoned or has another number of slots. Returns the way to stop. */
  onSlots(listener: () => void): () => void;
}

/** Workers that are remembered; more than any installation has, so that forged names cannot fill the memory. */
const membersMax = 10_000;
/** A silent worker is forgotten after this many lease times. */
const forgetLeases = 20;

/** An empty fleet. @param deps.leaseMs silence after which a worker is not reachable */
export function createFleet(deps: {
  readonly leaseMs: number;
  readonly monotonicMs: () => number;
  readonly nowMs: () => number;
}): Fleet {
  const heardOf = new Map<
    string,
    { readonly heartbeat: Heartbeat; readonly heardAtMs: number; readonly heardAtTimeMs: number }
  >();
  const listeners = new Set<() => void>();
  const members = (): readonly FleetMember[] => {
    const now = deps.monotonicMs();
    return [...heardOf.values()].map((one) => ({ ...one, isReachable: now - one.heardAtMs <= deps.leaseMs }));
  };
  const takesTasks = ({ isReachable, heartbeat }: FleetMember): boolean =>
    isReachable && !heartbeat.isDraining && heartbeat.isCordoned !== true;
  const get = (worker: string): FleetMember | undefined => {
    const one = heardOf.get(worker);
    return one === undefined ? undefined : { ...one, isReachable: deps.monotonicMs() - one.heardAtMs <= deps.leaseMs };
  };
  return {
    heard(heartbeat) {
      const heardAtMs = deps.monotonicMs();
      if (!heardOf.has(heartbeat.worker) && heardOf.size >= membersMax) return;
      const before = heardOf.get(heartbeat.worker)?.heartbeat;
      heardOf.set(heartbeat.worker, { heartbeat, heardAtMs, heardAtTimeMs: deps.nowMs() });
      if (before === undefined || slotsOf(before) !== slotsOf(heartbeat)) {
        for (const listener of [...listeners]) listener();
      }
      for (const [worker, one] of heardOf) {
        if (heardAtMs - one.heardAtMs > forgetLeases * deps.leaseMs) heardOf.delete(worker);
      }
    },
    restart() {
      const heardAtMs = deps.monotonicMs();
      for (const [worker, one] of heardOf) heardOf.set(worker, { ...one, heardAtMs });
    },
    get,
    members,
    waitingWorkers: () => members().map((member) => toWaitingWorker(member.heartbeat, takesTasks(member))),
    heldAttempt: (worker, { uid, task, attempt }) =>
      heardOf
        .get(worker)
        ?.heartbeat.held.find((held) => held.task === task && held.uid === uid && held.attempt === attempt),
    poolReports: () =>
      members()
        .filter(({ isReachable }) => isReachable)
        .flatMap(({ heartbeat }) => heartbeat.pools ?? []),
    takesTasks(worker) {
      const member = get(worker);
      return member !== undefined && takesTasks(member);
    },
    onSlots(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    get slots() {
      return members()
        .filter(takesTasks)
        .reduce((sum, member) => sum + member.heartbeat.slots, 0);
    },
  };
}

function toWaitingWorker(heartbeat: Heartbeat, isReady: boolean): WaitingWorker {
  const { worker: name, slots, held, waitingForEngine, engineMessage, pools = [] } = heartbeat;
  const engineRefusal = pools.flatMap(({ endpoints }) => endpoints).find(({ message }) => message)?.message;
  return {
    ...{ name, isReady, slots, busy: held.length, waitingForEngine },
    ...(engineMessage === undefined ? {} : { engineMessage }),
    ...(engineRefusal === undefined ? {} : { engineRefusal }),
  };
}

/** Slots that it offers for new tasks. */
function slotsOf({ slots, isDraining, isCordoned }: Heartbeat): number {
  return isDraining || isCordoned === true ? 0 : slots;
}
