import { isAgentdError } from "../../core/errors.ts";
import { transition } from "../../core/task/machine/task-machine.ts";
import { taskRules } from "../../core/task/machine/task-rules.ts";
import type { Task } from "../../core/task/task.ts";
import type { AttemptRef, Heartbeat, StopSignal } from "../../core/worker-protocol.ts";
import type { ResourceStore } from "../../platform/nats/store/store.ts";
import { keyPrefixes, keys } from "../../platform/nats/subjects.ts";
import type { Logger } from "../../platform/telemetry/log.ts";
import type { EventLog } from "../event-log.ts";
import type { Fleet } from "../fleet/fleet.ts";
import { findJobOf } from "../job-entries.ts";
import { runPeriodically } from "../leader/periodic.ts";
import { createSilenceClock } from "./silence-clock.ts";
import type { TaskIndex } from "./task-index.ts";

/** What {@link createLeases} needs. */
export interface LeaseDeps {
  readonly store: ResourceStore;
  readonly index: TaskIndex;
  readonly fleet: Fleet;
  readonly events: EventLog;
  readonly log: Logger;
  /** Silence after which a task's attempt is over. */
  readonly leaseMs: number;
  readonly isLeader: () => boolean;
  readonly isConnected: () => boolean;
  /** Resolves once NATS has answered: every heartbeat that reached it before was heard. */
  readonly confirmConnection: (signal: AbortSignal) => Promise<void>;
  readonly monotonicMs: () => number;
  readonly nowMs: () => number;
  readonly random: () => number;
  /** Publishes a stop signal; a lost one is repeated with the next heartbeat. */
  readonly stopAttempts: (worker: string, signal: StopSignal) => void;
}

/** Who holds what, by the workers' own word. */
export interface Leases {
  /** Answers what a worker holds but should not with a stop signal. */
  heard(heartbeat: Heartbeat): void;
  /** The connection was lost or came back, or this replica began to lead: silence counts from now. */
  restart(): void;
  /** Expires leases until the signal aborts; to be run by the leader only. */
  run(signal: AbortSignal): Promise<void>;
}

/** Leases over heartbeats. Only silence while connected, running and leading counts against a worker. */
export function createLeases(deps: LeaseDeps): Leases {
  const tickMs = Math.max(20, Math.min(1_000, Math.floor(deps.leaseMs / 10)));
  const { monotonicMs, leaseMs: silenceMs } = deps;
  const clock = createSilenceClock<string>({ tickMs, silenceMs, monotonicMs });
  const tick = async (signal: AbortSignal): Promise<void> => {
    if (!deps.isConnected() || !deps.isLeader()) return clock.restart();
    // A NATS that hangs passes no heartbeat on either. It makes this tick late, and a late tick starts the counting again.
    await deps.confirmConnection(signal);
    const running = new Map([...deps.index.running()].map((task) => [idOf(task), task]));
    const silent = clock.tick(running.keys());
    for (const id of silent) {
      const task = running.get(id);
      if (task !== undefined) await expire(deps, task, signal);
    }
  };
  return {
    heard(heartbeat) {
      // A replica that does not lead ticks no clock, so nothing would ever be forgotten again; it starts at zero anyway.
      if (!deps.isLeader()) return;
      for (const held of heartbeat.held) clock.heard(attemptId(held, heartbeat.worker));
      const stop = heartbeat.held.flatMap((held) => {
        const reason = whyDisowned(deps, held, heartbeat.worker);
        return reason === undefined || held.phase === "Completing" ? [] : [{ ...refOf(held), reason }];
      });
      if (stop.length > 0) deps.stopAttempts(heartbeat.worker, { stop });
    },
    restart: () => clock.restart(),
    async run(signal) {
      const stopWatching = deps.store.onChange(({ key, value }) => {
        if (key.startsWith(keyPrefixes.tasks) && value !== undefined) stopEnded(deps, value as Task);
      });
      clock.restart();
      try {
        await runPeriodically({ name: "leases", everyMs: tickMs, log: deps.log, work: tick }, signal);
      } finally {
        stopWatching();
      }
    },
  };
}

async function expire(deps: LeaseDeps, seen: Task, signal: AbortSignal): Promise<void> {
  const { uid, name } = seen.metadata;
  const entry = deps.store.get<Task>(keys.task(uid, name));
  const owner = findJobOf(deps.store, uid);
  if (entry === undefined || owner === undefined || idOf(entry.value) !== idOf(seen)) return;
  const worker = seen.status.lease?.worker ?? "";
  const held = deps.fleet.get(worker)?.heartbeat.held.find((one) => one.uid === uid && one.task === name);
  const message = `nothing was heard of attempt ${seen.status.attempt} on ${worker} for ${Math.round(deps.leaseMs / 1_000)} s`;
  const rules = taskRules(owner.job.value.spec, seen.spec.kind, deps.nowMs(), deps.random);
  const event = { type: "LeaseLost", attempt: seen.status.attempt, message } as const;
  try {
    const next = transition(entry.value, held === undefined ? event : { ...event, usage: held.usage }, rules);
    await deps.store.commit([{ key: entry.key, value: next, expected: entry.revision }], signal);
    deps.events.taskEvent(next, "Warning", "LeaseLost", message);
    deps.log.info({ uid, task: name, attempt: seen.status.attempt, worker }, "lease lost");
  } catch (error) {
    if (isAgentdError(error, "CONFLICT") || isAgentdError(error, "ATTEMPT_STALE")) return;
    throw error;
  }
}

/** Why a worker must stop an attempt that it holds; undefined when it is right to hold it. */
function whyDisowned(deps: LeaseDeps, held: AttemptRef, worker: string): string | undefined {
  const task = deps.store.get<Task>(keys.task(held.uid, held.task))?.value;
  if (task === undefined) return "the job was deleted";
  const { status } = task;
  if (status.attempt > held.attempt) return `attempt ${status.attempt} is the current one`;
  if (status.attempt < held.attempt) return undefined;
  if (status.state === "Running") return status.lease?.worker === worker ? undefined : "another worker holds it";
  return `the task is ${status.state}`;
}

/** Tells the worker at once when its running attempt was ended from outside; a heartbeat would tell it later. */
function stopEnded(deps: LeaseDeps, task: Task): void {
  const { state, outcome, attempt, attempts } = task.status;
  const last = attempts.at(-1);
  const isFromOutside = state === "Cancelled" || (state === "Failed" && outcome === "DeadlineExceeded");
  if (!isFromOutside || last === undefined || last.attempt !== attempt || last.outcome === "Done") return;
  const { uid, name } = task.metadata;
  deps.stopAttempts(last.worker, { stop: [{ uid, task: name, attempt, reason: `the task is ${state}` }] });
}

function idOf(task: Task): string {
  const { uid, name } = task.metadata;
  return attemptId({ uid, task: name, attempt: task.status.attempt }, task.status.lease?.worker ?? "");
}

function attemptId(ref: AttemptRef, worker: string): string {
  return `${ref.uid}/${ref.task}/${ref.attempt}/${worker}`;
}

function refOf({ uid, task, attempt }: AttemptRef): AttemptRef {
  return { uid, task, attempt };
}
