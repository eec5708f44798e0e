import { randomUUID } from "node:crypto";
import type { StopSignal } from "../core/worker-protocol.ts";
import { abortable } from "../platform/lifecycle/abortable.ts";
import type { NatsLink } from "../platform/nats/connect.ts";
import { loadSigningKey } from "../platform/nats/messages/control.ts";
import { publishHint } from "../platform/nats/messages/hints.ts";
import type { LeaderElection } from "../platform/nats/messages/leader.ts";
import { createLeaderElection } from "../platform/nats/messages/leader.ts";
import type { ResourceStore } from "../platform/nats/store/store.ts";
import { openStore } from "../platform/nats/store/store.ts";
import type { HintKind } from "../platform/nats/subjects.ts";
import { subjects } from "../platform/nats/subjects.ts";
import type { Logger } from "../platform/telemetry/log.ts";
import { runDispatcher } from "./dispatcher/dispatcher.ts";
import type { EventLog } from "./event-log.ts";
import { createEventLog } from "./event-log.ts";
import type { Fleet } from "./fleet/fleet.ts";
import { createFleet } from "./fleet/fleet.ts";
import { createWorkerOrders } from "./fleet/worker-orders.ts";
import { runWorkerResources } from "./fleet/worker-resources.ts";
import type { LeaderWork } from "./leader/leading.ts";
import { createLeading } from "./leader/leading.ts";
import { takeReplicaId } from "./leader/replica-id.ts";
import { createAttemptTokens } from "./lease/attempt-token.ts";
import { createClaims } from "./lease/claims.ts";
import { createCompletion } from "./lease/completion.ts";
import { createLeases } from "./lease/leases.ts";
import { createResultReceiver } from "./lease/result-receiver.ts";
import type { TaskIndex } from "./lease/task-index.ts";
import { createTaskIndex } from "./lease/task-index.ts";
import { hearHeartbeats, serveWorkers } from "./lease/worker-doors.ts";
import { createRepositoryMemory } from "./memory/repository-memory.ts";
import type { JobRepositories } from "./merger/job-repository.ts";
import { createJobRepositories } from "./merger/job-repository.ts";
import { runMerger } from "./merger/merger.ts";
import { runJobs } from "./reconcile/jobs.ts";
import { runSweeps } from "./reconcile/sweep.ts";
import { createResumePoints } from "./session/resume-points.ts";

/** How {@link startReplica} runs. */
export interface ReplicaOptions {
  /** Connected; its streams exist (`ensureStreams`). */
  readonly link: NatsLink;
  readonly log: Logger;
  /** Caches; everything in it can be deleted while the coordinator is stopped. */
  readonly dataDirectory: string;
  readonly leaseMs: number;
  /** PATH in which git is found; default the usual places. */
  readonly searchPath?: string;
  /** Default 6 s; how long a dead leader blocks. */
  readonly leaderTtlMs?: number;
  /** Work of the leader that is made elsewhere: the planner and the publisher. */
  readonly moreWork?: (parts: ReplicaParts) => readonly LeaderWork[];
  /** Default 10 s. */
  readonly orphansEveryMs?: number;
  /** Default the machine's; for tests of a clock that jumps. */
  readonly nowMs?: () => number;
  /** Between a merger's last read and its batch; for tests. */
  readonly beforeBatch?: (uid: string) => Promise<void>;
}

/** What every replica has, for the API and the leader's work. */
export interface ReplicaParts {
  readonly link: NatsLink;
  readonly store: ResourceStore;
  readonly index: TaskIndex;
  readonly fleet: Fleet;
  readonly events: EventLog;
  readonly repositories: JobRepositories;
  readonly election: LeaderElection;
}

/** A coordinator without its API. */
export interface Replica extends ReplicaParts, AsyncDisposable {
  /** Resigns and stops everything that was started, in reverse. Idempotent. */
  close(): Promise<void>;
}

/** Opens the store and takes part in the election; while it leads, it grants, expires, dispatches, merges and reconciles. */
export async function startReplica(options: ReplicaOptions, signal: AbortSignal): Promise<Replica> {
  const { link, log, nowMs = systemNowMs } = options;
  await using opened = new AsyncDisposableStack();
  const store = opened.use(await openStore(link, {}, signal));
  const tokens = createAttemptTokens(await loadSigningKey(link, signal));
  const events = opened.use(createEventLog({ link, log, nowMs }));
  const index = opened.use(createTaskIndex(store));
  const fleet = createFleet({ leaseMs: options.leaseMs, monotonicMs, nowMs });
  const { dataDirectory } = options;
  const searchPath = options.searchPath === undefined ? {} : { searchPath: options.searchPath };
  const repositories = createJobRepositories({ link, dataDirectory, ...searchPath });
  const ttl = options.leaderTtlMs === undefined ? {} : { ttlMs: options.leaderTtlMs, renewMs: options.leaderTtlMs / 3 };
  const election = opened.use(createLeaderElection(link, { ...(await takeReplicaId(dataDirectory)), ...ttl }));
  const parts: ReplicaParts = { link, store, index, fleet, events, repositories, election };
  const works = leaderWorks(options, parts, tokens);
  const { leases } = works;
  const orders = opened.use(createWorkerOrders(works));
  opened.use(hearHeartbeats({ link, fleet, leases, orders }));
  opened.defer(link.onState(() => leases.restart()));
  opened.defer(link.onState(() => fleet.restart()));
  opened.use(createLeading({ election, works: works.list, log }));
  const stack = opened.move();
  const close = (): Promise<void> => stack.disposeAsync();
  return { ...parts, close, [Symbol.asyncDispose]: close };
}

function leaderWorks(options: ReplicaOptions, parts: ReplicaParts, tokens: ReturnType<typeof createAttemptTokens>) {
  const { link, store, index, fleet, events, repositories, election } = parts;
  const { log, leaseMs, nowMs = systemNowMs } = options;
  const isLeader = (): boolean => election.isLeader();
  const isConnected = (): boolean => link.isConnected;
  const base = {
    link,
    store,
    index,
    fleet,
    events,
    repositories,
    log,
    isLeader,
    isConnected,
    nowMs,
    monotonicMs,
    random,
  };
  const stopAttempts = (worker: string, stop: StopSignal): void => {
    if (link.isConnected) link.connection.publish(subjects.signal(worker), JSON.stringify(stop));
  };
  const confirmConnection = (signal: AbortSignal) => abortable(link.connection.flush(), signal);
  const leases = createLeases({ ...base, leaseMs, confirmConnection, stopAttempts });
  const memory = createRepositoryMemory(base);
  const claim = createClaims({ ...base, memory, tokens, resumePoints: createResumePoints(base) });
  const results = createResultReceiver({ link, repositories });
  const complete = createCompletion({ ...base, memory, tokens, results });
  const hook = options.beforeBatch === undefined ? {} : { beforeBatch: options.beforeBatch };
  const orphans = options.orphansEveryMs === undefined ? {} : { orphansEveryMs: options.orphansEveryMs };
  const dispatch = {
    ...base,
    publishHint: (kind: HintKind, uid: string, task: string, signal: AbortSignal) =>
      publishHint(link, kind, uid, task, signal),
  };
  const list: readonly LeaderWork[] = [
    { name: "workers-doors", run: (signal) => serveWorkers({ link, claim, complete }, signal) },
    { name: "leases", run: (signal) => leases.run(signal) },
    { name: "worker-resources", run: (signal) => runWorkerResources({ ...base, leaseMs, newUid: randomUUID }, signal) },
    { name: "dispatcher", run: (signal) => runDispatcher(dispatch, signal) },
    { name: "merger", run: (signal) => runMerger({ ...base, ...hook }, signal) },
    { name: "jobs", run: (signal) => runJobs(base, signal) },
    { name: "sweeps", run: (signal) => runSweeps({ ...base, ...orphans }, signal) },
    ...(options.moreWork?.(parts) ?? []),
  ];
  return { leases, list, store, isLeader, nowMs, stopAttempts };
}

const systemNowMs = (): number => Date.now();
const monotonicMs = (): number => performance.now();
const random = (): number => Math.random();
