import { createHash, randomUUID } from "node:crypto";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { DescMessage, MessageInitShape } from "@bufbuild/protobuf";
import { pino } from "pino";
import { createApi } from "../../../services/coordinator/api/api.ts";
import type { ApiDeps } from "../../../services/coordinator/api/api-deps.ts";
import { createEventLog } from "../../../services/coordinator/event-log.ts";
import { createJobRepositories } from "../../../services/coordinator/merger/job-repository.ts";
import { EventService } from "../../../services/gen/agentd/v1/event_service_pb.ts";
import type { JobSchema, JobSpecSchema } from "../../../services/gen/agentd/v1/job_pb.ts";
import { JobService } from "../../../services/gen/agentd/v1/job_service_pb.ts";
import { MemoryService } from "../../../services/gen/agentd/v1/memory_service_pb.ts";
import { ModelPoolService } from "../../../services/gen/agentd/v1/model_pool_service_pb.ts";
import { RepositoryService } from "../../../services/gen/agentd/v1/repository_service_pb.ts";
import { TaskService } from "../../../services/gen/agentd/v1/task_service_pb.ts";
import { WorkerService } from "../../../services/gen/agentd/v1/worker_service_pb.ts";
import type { ServiceClient } from "../../../services/platform/grpc/client.ts";
import { createGrpcChannel } from "../../../services/platform/grpc/client.ts";
import { createGrpcServer } from "../../../services/platform/grpc/server.ts";
import type { NatsLink } from "../../../services/platform/nats/connect.ts";
import type { ResourceStore } from "../../../services/platform/nats/store/store.ts";
import { openStore } from "../../../services/platform/nats/store/store.ts";
import { defaultLimits } from "../../../services/platform/nats/stream-limits.ts";
import { ensureStreams } from "../../../services/platform/nats/streams.ts";
import type { TestServer } from "../nats-server.ts";
import { startTestServer } from "../nats-server.ts";
import type { SampleRepository } from "../sample-repository.ts";

/** The API over a real nats-server, spoken to through a real gRPC connection. */
export interface TestApi extends AsyncDisposable {
  /** HOST:PORT of the gRPC server. */
  readonly address: string;
  readonly nats: TestServer;
  readonly link: NatsLink;
  readonly store: ResourceStore;
  readonly deps: ApiDeps;
  readonly jobs: ServiceClient<typeof JobService>;
  readonly tasks: ServiceClient<typeof TaskService>;
  readonly workers: ServiceClient<typeof WorkerService>;
  readonly pools: ServiceClient<typeof ModelPoolService>;
  readonly events: ServiceClient<typeof EventService>;
  readonly repositories: ServiceClient<typeof RepositoryService>;
  readonly memory: ServiceClient<typeof MemoryService>;
}

/** Starts nats-server, store, API, gRPC server and a client in throw-away folders. */
export async function startTestApi(more: Partial<ApiDeps> = {}, limits = defaultLimits): Promise<TestApi> {
  await using started = new AsyncDisposableStack();
  const signal = AbortSignal.timeout(110_000);
  const log = pino({ level: process.env["AGENTD_TEST_LOG"] ?? "silent" });
  const nats = started.use(await startTestServer());
  const link = await nats.connectCoordinator();
  await ensureStreams(link, limits, signal);
  const store = started.use(await openStore(link, {}, signal));
  const dataDirectory = await mkdtemp(join(tmpdir(), "agentd-api-"));
  started.defer(() => rm(dataDirectory, { recursive: true, force: true }));
  const nowMs = (): number => Date.now();
  const events = started.use(createEventLog({ link, log, nowMs }));
  const deps: ApiDeps = {
    store,
    link,
    events,
    log,
    dataDirectory,
    repositories: createJobRepositories({ link, dataDirectory }),
    fetchEnvironment: {},
    newUid: randomUUID,
    nowMs,
    waitingWorkers: () => [],
    heldAttempt: () => undefined,
    poolReports: () => [],
    ...more,
  };
  const server = started.use(
    await createGrpcServer({ log, services: createApi(deps), host: "127.0.0.1", port: 0, graceMs: 500 }),
  );
  const address = `127.0.0.1:${server.port}`;
  const channel = started.use(createGrpcChannel(address));
  const stack = started.move();
  return {
    address,
    nats,
    link,
    store,
    deps,
    jobs: channel.client(JobService),
    tasks: channel.client(TaskService),
    workers: channel.client(WorkerService),
    pools: channel.client(ModelPoolService),
    events: channel.client(EventService),
    repositories: channel.client(RepositoryService),
    memory: channel.client(MemoryService),
    [Symbol.asyncDispose]: () => stack.disposeAsync(),
  };
}

/** Fields of a message, without a whole message of the same type. */
export type Init<S extends DescMessage> = Extract<MessageInitShape<S>, { $typeName?: never }>;

/** A job with one green check over the files of `repository` that match `glob`. */
export function jobOf(
  repository: { readonly url?: string; readonly upload?: string; readonly ref?: string },
  name: string,
  spec: Init<typeof JobSpecSchema> = {},
): Init<typeof JobSchema> {
  return {
    metadata: { name },
    spec: {
      repository: { ref: "main", ...repository },
      plan: { forEach: { glob: "src/**/*.ts" } },
      template: { prompt: "Migrate {{item}}.", checks: [{ name: "test", run: "test -f {{item}}" }] },
      ...spec,
    },
  };
}

/** A bundle of the repository's branches, with its digest. */
export async function bundleOf(
  repository: SampleRepository,
  refs: readonly string[] = ["--all", "HEAD"],
): Promise<{ readonly bytes: Buffer; readonly digest: string }> {
  const file = join(repository.path, ".git", `${randomUUID()}.bundle`);
  repository.git("bundle", "create", "--quiet", file, ...refs);
  const bytes = await readFile(file);
  return { bytes, digest: digestOf(bytes) };
}

/** `sha256:` and the hex digest. */
export function digestOf(bytes: Uint8Array): string {
  return `sha256:${createHash("sha256").update(bytes).digest("hex")}`;
}

/** The pieces of an upload. */
export async function* chunksOf(
  bytes: Buffer,
  digest = digestOf(bytes),
  size = 64 * 1_024,
): AsyncGenerator<{ digest?: string; chunk: Uint8Array }> {
  for (let at = 0; at < bytes.length; at += size) {
    yield { ...(at === 0 ? { digest } : {}), chunk: bytes.subarray(at, at + size) };
  }
}

/** What a call was refused with. @throws Error when it succeeded */
export async function refusal(call: Promise<unknown>): Promise<{ reason: string; message: string; fields: string[] }> {
  const error: unknown = await call.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  if (error === undefined) throw new Error("the call succeeded");
  const known = error as { reason?: string; status?: string; message: string; problems?: { field: string }[] };
  return {
    reason: known.reason ?? known.status ?? "",
    message: known.message,
    fields: (known.problems ?? []).map(({ field }) => field),
  };
}
