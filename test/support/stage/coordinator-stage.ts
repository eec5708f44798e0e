import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pino } from "pino";
import type { Replica, ReplicaOptions } from "../../../services/coordinator/replica.ts";
import { startReplica } from "../../../services/coordinator/replica.ts";
import { defaultLimits } from "../../../services/platform/nats/stream-limits.ts";
import { ensureStreams } from "../../../services/platform/nats/streams.ts";
import type { TestServer } from "../nats-server.ts";
import { startTestServer } from "../nats-server.ts";
import { until } from "../until.ts";
import { createScriptedWorker, type ScriptedWorker } from "./scripted-worker.ts";

const log = pino({ level: process.env["AGENTD_TEST_LOG"] ?? "silent" });

/** A nats-server with streams, a folder, and the replicas and workers that a test starts on them. */
export interface Stage extends AsyncDisposable {
  readonly server: TestServer;
  readonly directory: string;
  /** Starts a coordinator without API and waits until somebody leads. */
  coordinator(options?: Partial<ReplicaOptions>): Promise<Replica>;
  worker(name: string): Promise<ScriptedWorker>;
}

/** Starts a stage; closing it closes all that was started on it. */
export async function openStage(): Promise<Stage> {
  await using opened = new AsyncDisposableStack();
  const server = opened.use(await startTestServer());
  const directory = await mkdtemp(join(tmpdir(), "agentd-stage-"));
  opened.defer(() => rm(directory, { recursive: true, force: true }));
  await ensureStreams(await server.connectCoordinator("setup"), defaultLimits, AbortSignal.timeout(110_000));
  const parts = opened.use(new AsyncDisposableStack());
  const stack = opened.move();
  let replicas = 0;
  return {
    server,
    directory,
    async coordinator(options = {}) {
      replicas += 1;
      const replica = await startReplica(
        {
          link: await server.connectCoordinator(`coordinator-${replicas}`),
          log,
          dataDirectory: join(directory, `coordinator-${replicas}`),
          leaseMs: 60_000,
          leaderTtlMs: 6_000,
          ...options,
        },
        AbortSignal.timeout(110_000),
      );
      parts.use(replica);
      await until("a leader", () => replica.election.isLeader() || replica.election.leaderId !== undefined);
      return replica;
    },
    async worker(name) {
      const link = await server.connectWorker(name);
      return createScriptedWorker(name, link, join(directory, `worker-${name}`), parts);
    },
    [Symbol.asyncDispose]: () => stack.disposeAsync(),
  };
}
