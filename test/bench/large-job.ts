import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { Job } from "../../services/core/job/job.ts";
import { findCondition } from "../../services/core/resource.ts";
import { JobService } from "../../services/gen/agentd/v1/job_service_pb.ts";
import { RepositoryService } from "../../services/gen/agentd/v1/repository_service_pb.ts";
import { createGrpcChannel } from "../../services/platform/grpc/client.ts";
import { openStore, type ResourceStore } from "../../services/platform/nats/store/store.ts";
import { defaultLimits } from "../../services/platform/nats/stream-limits.ts";
import { ensureStreams } from "../../services/platform/nats/streams.ts";
import { keyPrefixes, keys } from "../../services/platform/nats/subjects.ts";
import { mallocVariables, nodeArguments } from "../../services/standalone/parts/parts.ts";
import { bundleOf, chunksOf, jobOf } from "../support/api/api-server.ts";
import { startTestServer, type TestServer } from "../support/nats-server.ts";
import { createRepository } from "../support/sample-repository.ts";
import { until } from "../support/until.ts";
import type { BenchOptions, Figure } from "./figure.ts";
import { type ReadyProgram, residentBytes, startNode, treeCpuMs, watchPeak } from "./processes.ts";
import type { Seen } from "./programs/watchers.ts";
import { baseFile } from "./raw-result.ts";
import { startScriptedFleet } from "./scripted-fleet.ts";

const mib = 1_024 ** 2;
const limitMs = 15 * 60_000;
const watchersMain = fileURLToPath(new URL("programs/watchers.ts", import.meta.url));
const parent = "namespaces/default";

type Coordinator = ReadyProgram<{ readonly listen: string }>;

/** nats-server and a coordinator as processes, with what the bench sees of the store. */
interface Stand {
  readonly nats: TestServer;
  readonly store: ResourceStore;
  readonly folder: string;
  /** Starts a coordinator on an empty folder. */
  coordinator(listen: string): Promise<Coordinator>;
}

async function openStand(stack: AsyncDisposableStack): Promise<Stand> {
  const nats = stack.use(await startTestServer());
  const folder = await mkdtemp(join(tmpdir(), "agentd-bench-large-"));
  stack.defer(() => rm(folder, { recursive: true, force: true }));
  const link = await nats.connectCoordinator("bench");
  const signal = AbortSignal.timeout(limitMs);
  await ensureStreams(link, defaultLimits, signal);
  const store = stack.use(await openStore(link, {}, signal));
  const creds = join(folder, "coordinator.creds");
  const systemCreds = join(folder, "system.creds");
  await writeFile(creds, await nats.authority.coordinatorCreds());
  await writeFile(systemCreds, await nats.authority.systemCreds());
  return {
    nats,
    store,
    folder,
    async coordinator(listen) {
      const data = await mkdtemp(join(folder, "data-"));
      const flags = ["--nats", nats.url, "--creds", creds, "--system-creds", systemCreds, "--data", data];
      const args = [...flags, "--listen", listen, "--log-level", "silent"];
      return stack.use(await startNode(nodeArguments("coordinator"), args, mallocVariables));
    },
  };
}

/** Uploads a repository of one file and creates a job of `count` tasks on it. @returns when CreateJob was called */
async function createJob(address: string, name: string, count: number): Promise<number> {
  const signal = AbortSignal.timeout(limitMs);
  using repository = createRepository({ [baseFile.name]: baseFile.text });
  await using channel = createGrpcChannel(address);
  const { bytes, digest } = await bundleOf(repository);
  await channel.client(RepositoryService).uploadBundle(chunksOf(bytes, digest), { signal });
  const calledMs = performance.now();
  const lines = Array.from({ length: count }, (_, index) => `item ${index}`);
  const job = jobOf({ upload: digest }, name, {
    plan: { forEach: { lines } },
    template: { prompt: "Change {{item}}", checks: [{ name: "test", run: "true" }] },
    allowNoChange: true,
  });
  await channel.client(JobService).createJob({ parent, job }, { signal });
  return calledMs;
}

function jobNamed(stand: Stand, name: string): Job | undefined {
  return stand.store.get<Job>(keys.job("default", name))?.value;
}

/** What the watched job costs shall be its own. */
async function deleteJob(stand: Stand, coordinator: Coordinator, name: string): Promise<void> {
  const signal = AbortSignal.timeout(limitMs);
  await using channel = createGrpcChannel(coordinator.ready.listen);
  await channel.client(JobService).deleteJob({ name: `${parent}/jobs/${name}` }, { signal });
  await until(`the end of ${name}'s tasks`, () => jobNamed(stand, name) === undefined, limitMs);
}

function isTrue(job: Job | undefined, type: string): boolean {
  return findCondition(job?.status.conditions ?? [], type)?.status === "True";
}

interface Cost {
  readonly cpuMsEach: number;
  readonly tasksPerSecond: number;
  readonly planPerSecond: number;
  readonly peakBytes: number;
}

/** One job from its creation to its end: every result verified and landed. */
async function runWhole(stand: Stand, coordinator: Coordinator, name: string, count: number): Promise<Cost> {
  const used = (): number => treeCpuMs(coordinator.pid, stand.nats.process.pid);
  const memory = watchPeak(() => residentBytes(coordinator.pid).now);
  const before = used();
  // Measured where the tasks become visible.
  const plan = { lastMs: 0, tasks: 0 };
  const stop = stand.store.onChange(({ key }) => {
    if (!key.startsWith(keyPrefixes.tasks) || plan.tasks >= count) return;
    plan.tasks += 1;
    if (plan.tasks === count) plan.lastMs = performance.now();
  });
  const calledMs = await createJob(coordinator.ready.listen, name, count);
  await until(`the plan of ${name}`, () => isTrue(jobNamed(stand, name), "Planned"), limitMs);
  stop();
  const plannedMs = performance.now();
  {
    const link = await stand.nats.connectWorker(`w-${name}`);
    await using _fleet = startScriptedFleet(link, `w-${name}`, true);
    await until(`the end of ${name}`, () => isTrue(jobNamed(stand, name), "Complete"), limitMs);
  }
  const endedMs = performance.now();
  return {
    cpuMsEach: (used() - before) / count,
    tasksPerSecond: (1_000 * count) / (endedMs - plannedMs),
    planPerSecond: (1_000 * count) / (plan.lastMs - calledMs),
    peakBytes: memory.stop(),
  };
}

interface Watched {
  readonly seen: readonly Seen[];
  readonly expected: { readonly events: number; readonly sum: number };
  readonly servedMs: number;
  readonly movedMs: number;
  readonly peakBytes: number;
}

/** A job with watchers, in the middle of which the coordinator is killed and another starts on an empty folder. */
async function runWatched(stand: Stand, first: Coordinator, count: number, watchers: number): Promise<Watched> {
  const { listen } = first.ready;
  const prefix = { key: "" };
  const expected = { events: 0, sum: 0 };
  let ended = 0;
  const fromVersion = stand.store.revision;
  const stop = stand.store.onChange(({ key, revision, value }) => {
    if (prefix.key === "" && value !== undefined && key.startsWith(keyPrefixes.tasks)) {
      prefix.key = keyPrefixes.tasksOf((value as { metadata: { uid: string } }).metadata.uid);
    }
    if (prefix.key === "" || !key.startsWith(prefix.key)) return;
    expected.events += 1;
    expected.sum += revision;
    if ((value as { status: { state: string } }).status.state === "Succeeded") ended += 1;
  });
  let memory = watchPeak(() => residentBytes(first.pid).now);
  await createJob(listen, "watched", count);
  const args = [listen, `${parent}/jobs/watched`, String(fromVersion), String(watchers)];
  await using program = await startNode(watchersMain, args);
  const link = await stand.nats.connectWorker("w-watched");
  await using _fleet = startScriptedFleet(link, "w-watched", false);
  await until("half of the watched job", () => ended >= count / 2, limitMs);
  const firstPeak = memory.stop();
  await first.kill("SIGKILL");
  const killedMs = performance.now();
  const second = await stand.coordinator(listen);
  await using channel = createGrpcChannel(listen);
  await channel.client(JobService).getJob({ name: `${parent}/jobs/watched` }, { signal: AbortSignal.timeout(60_000) });
  const servedMs = performance.now() - killedMs;
  memory = watchPeak(() => residentBytes(second.pid).now);
  const endedBefore = ended;
  await until("another task's end", () => ended > endedBefore, 60_000);
  const movedMs = performance.now() - killedMs;
  await until("the end of the watched job", () => isTrue(jobNamed(stand, "watched"), "Complete"), limitMs);
  let seen: readonly Seen[] = [];
  const deadlineMs = performance.now() + 120_000;
  do {
    await new Promise((resolve) => setTimeout(resolve, 200));
    program.tell("now");
    seen = await program.next<readonly Seen[]>();
  } while (performance.now() < deadlineMs && seen.some(({ events }) => events < expected.events));
  stop();
  return { seen, expected, servedMs, movedMs, peakBytes: Math.max(firstPeak, memory.stop()) };
}

/** A job of 10,000 tasks: plan, cost against a job of 1,000, memory, watchers, and a coordinator lost in the middle. */
export async function largeJobBench({ isSmall }: BenchOptions): Promise<readonly Figure[]> {
  const [few, many, watchers] = isSmall ? [20, 100, 5] : [1_000, 10_000, 100];
  await using stack = new AsyncDisposableStack();
  const stand = await openStand(stack);
  const coordinator = await stand.coordinator("127.0.0.1:0");
  await runWhole(stand, coordinator, "first", Math.min(few, 200));
  const small = await runWhole(stand, coordinator, "small", few);
  const large = await runWhole(stand, coordinator, "large", many);
  for (const name of ["first", "small", "large"]) await deleteJob(stand, coordinator, name);
  const watched = await runWatched(stand, coordinator, many, watchers);
  const whole = watched.seen.filter(
    (one) => one.events === watched.expected.events && one.sum === watched.expected.sum,
  );
  const asked = (is: "at most" | "at least", value: number) => (isSmall ? {} : { target: { is, value } });
  const rate = (cost: Cost) => `${cost.cpuMsEach.toFixed(1)} ms at ${cost.tasksPerSecond.toFixed(0)} tasks/s`;
  return [
    {
      name: `plan of a job of ${many} tasks`,
      value: large.planPerSecond,
      unit: "tasks/s",
      baseline: "from CreateJob's call to its last task, fsync on",
      ...asked("at least", 5_000),
      detail: `${few} tasks: ${small.planPerSecond.toFixed(0)} tasks/s`,
    },
    {
      name: `CPU a task of ${many} tasks, coordinator and NATS`,
      value: large.cpuMsEach / small.cpuMsEach,
      unit: "×",
      baseline: `a job of ${few} tasks`,
      ...asked("at most", 1.3),
      detail: `${rate(large)} against ${rate(small)}, all landed`,
    },
    {
      name: `coordinator with ${many} tasks and ${watchers} watchers`,
      value: Math.max(large.peakBytes, watched.peakBytes) / mib,
      unit: "MiB",
      baseline: "RSS at its peak",
      ...asked("at most", 300),
      detail: `without watchers ${Math.round(large.peakBytes / mib)} MiB`,
    },
    {
      name: `of ${watchers} watchers, those that saw every event once`,
      value: (100 * whole.length) / watchers,
      unit: "%",
      baseline: "what stands in the stream",
      target: { is: "at least", value: 100 },
      detail: `${watched.expected.events} events each, over a killed coordinator`,
    },
    {
      name: "a coordinator on an empty disk in the middle of the job",
      value: watched.servedMs / 1_000,
      unit: "s",
      baseline: "from kill -9 of the other to the first answer",
      ...asked("at most", 10),
      detail: `the next task ended after ${(watched.movedMs / 1_000).toFixed(1)} s`,
    },
  ];
}
