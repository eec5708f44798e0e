import { isAgentdError } from "../../core/errors.ts";
import { type Worker, workerState } from "../../core/worker.ts";
import type { ResourceStore } from "../../platform/nats/store/store.ts";
import { keyPrefixes, keys } from "../../platform/nats/subjects.ts";
import type { Logger } from "../../platform/telemetry/log.ts";
import type { EventLog } from "../event-log.ts";
import { runPeriodically } from "../leader/periodic.ts";
import type { TaskIndex } from "../lease/task-index.ts";
import type { Fleet, FleetMember } from "./fleet.ts";

/** What {@link runWorkerResources} needs. */
export interface WorkerResourcesDeps {
  readonly store: ResourceStore;
  readonly fleet: Fleet;
  readonly index: TaskIndex;
  readonly events: Pick<EventLog, "workerEvent">;
  readonly log: Logger;
  readonly leaseMs: number;
  readonly isConnected: () => boolean;
  readonly monotonicMs: () => number;
  readonly newUid: () => string;
  readonly nowMs: () => number;
}

/** The busy count is written this often at most. */
const busyEveryMs = 1_000;
/** So is the time of the last heartbeat, where nothing else changes. */
const refreshMs = 10_000;
/** A lost worker stays listed for this long. */
const keepLostMs = 3_600_000;
/** So does a cordoned one, that a worker which comes back finds what was wanted of it. */
const keepCordonedMs = 7 * 24 * 3_600_000;
/** A loop that comes later than this was stopped, not just busy. */
const slackMs = 1_000;

/** Keeps the Worker resources as the heartbeats say, until the signal aborts; to be run by the leader only. */
export async function runWorkerResources(deps: WorkerResourcesDeps, signal: AbortSignal): Promise<void> {
  const everyMs = Math.max(100, Math.min(1_000, deps.leaseMs / 5));
  // A new leader has heard nobody yet: only after a whole lease does absence say something.
  let quietSinceMs = deps.monotonicMs();
  let lastMs = quietSinceMs;
  const work = async (workSignal: AbortSignal): Promise<void> => {
    const nowMs = deps.monotonicMs();
    // This process was stopped, or cannot hear: the silence is its own.
    if (nowMs - lastMs > 3 * everyMs + slackMs || !deps.isConnected()) {
      deps.fleet.restart();
      quietSinceMs = nowMs;
    }
    lastMs = nowMs;
    if (deps.isConnected()) await writeWorkers(deps, nowMs - quietSinceMs > deps.leaseMs, workSignal);
    lastMs = deps.monotonicMs();
  };
  await runPeriodically({ name: "workers", everyMs, log: deps.log, work }, signal);
}

async function writeWorkers(deps: WorkerResourcesDeps, mayCallLost: boolean, signal: AbortSignal): Promise<void> {
  const members = new Map(deps.fleet.members().map((member) => [member.heartbeat.worker, member]));
  const writes: { key: string; value: Worker | undefined; expected: number }[] = [];
  for (const [name, member] of members) {
    const key = keys.worker(name);
    const entry = deps.store.get<Worker>(key);
    if (!member.isReachable && entry === undefined) continue;
    const next = describe(deps, member, entry?.value);
    const ageMs = entry === undefined ? 0 : deps.nowMs() - entry.timeMs;
    const isBusyDue = entry?.value.status.busy !== next.status.busy && ageMs >= busyEveryMs;
    const isDue = entry === undefined || hasChanged(entry.value, next) || isBusyDue || ageMs > refreshMs;
    if (isDue && !isSame(entry?.value, next)) writes.push({ key, value: next, expected: entry?.revision ?? 0 });
  }
  for (const entry of deps.store.list<Worker>(keyPrefixes.workers)) {
    const { status, metadata } = entry.value;
    if (members.has(metadata.name)) continue;
    const keepMs = entry.value.spec.cordoned === true ? keepCordonedMs : keepLostMs;
    if (status.state === "Lost" && deps.nowMs() - entry.timeMs > keepMs) {
      writes.push({ key: entry.key, value: undefined, expected: entry.revision });
    } else if (status.state !== "Lost" && mayCallLost) {
      const lost: Worker = { ...entry.value, status: { ...status, state: "Lost", busy: 0 } };
      writes.push({ key: entry.key, value: lost, expected: entry.revision });
    }
  }
  for (const write of writes) {
    const before = deps.store.get<Worker>(write.key)?.value.status.state;
    try {
      await deps.store.commit([write], signal);
    } catch (error) {
      // A verb was faster; the next round sees what it wrote.
      if (isAgentdError(error, "CONFLICT")) continue;
      throw error;
    }
    if (write.value !== undefined) tellState(deps, write.value, before);
  }
}

/** An event for each change of a worker's state. */
function tellState(deps: WorkerResourcesDeps, worker: Worker, before: Worker["status"]["state"] | undefined): void {
  const { state, hostname, pid, version } = worker.status;
  if (state === before) return;
  const isNew = before === undefined || before === "Lost";
  const messages: Readonly<Record<typeof state, string>> = {
    Ready: isNew ? `process ${pid} on ${hostname}, version ${version}` : "takes new tasks",
    Cordoned: "takes no new tasks",
    Draining: "takes no new tasks; what it holds goes on",
    Drained: "holds nothing any more",
    Lost: "is silent",
  };
  deps.events.workerEvent(worker, state === "Lost" ? "Warning" : "Normal", state, messages[state]);
}

function describe(deps: WorkerResourcesDeps, member: FleetMember, before: Worker | undefined): Worker {
  const { heartbeat } = member;
  const { worker: name, hostname, pid, version, sandbox, startedAtMs, held, slots, isDraining } = heartbeat;
  const metadata = before?.metadata ?? {
    name,
    namespace: "",
    uid: deps.newUid(),
    labels: {},
    annotations: {},
    generation: 1,
    createdAtMs: deps.nowMs(),
  };
  const spec = { ...before?.spec, slots };
  // A claim that was granted a moment ago is in no heartbeat yet.
  const isIdle = held.length === 0 && ![...deps.index.running()].some(({ status }) => status.lease?.worker === name);
  const state = workerState({ spec, isReachable: member.isReachable, isStopping: isDraining, isIdle });
  const busy = state === "Lost" ? 0 : held.length;
  const lastHeartbeatAtMs = member.heardAtTimeMs;
  return {
    kind: "Worker",
    metadata,
    spec,
    status: { hostname, pid, version, sandbox, state, startedAtMs, busy, lastHeartbeatAtMs },
  };
}

/** What is worth a write at once: everything but the two fields that always change. */
function hasChanged(before: Worker, next: Worker): boolean {
  const steady = (worker: Worker) => ({ ...worker, status: { ...worker.status, busy: 0, lastHeartbeatAtMs: 0 } });
  return !isSame(steady(before), steady(next));
}

function isSame(a: unknown, b: unknown): boolean {
  return JSON.stringify(a) === JSON.stringify(b);
}
