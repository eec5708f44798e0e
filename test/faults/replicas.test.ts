import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { isAgentdError } from "../../services/core/errors.ts";
import { TaskService } from "../../services/gen/agentd/v1/task_service_pb.ts";
import { createGrpcChannel } from "../../services/platform/grpc/client.ts";
import { CallError } from "../../services/platform/grpc/status.ts";
import { eventually, runAgentctl } from "../support/agentd.ts";
import { manifestOf, type TaskJson } from "../support/jobs.ts";
import { startTestServer, type TestServer } from "../support/nats-server.ts";
import { freePort, openPartsStage, type PartsStage, type TestPart } from "../support/part.ts";
import { createRepository, type SampleRepository } from "../support/sample-repository.ts";

const taskCount = 16;
/** Of each job that is there while one part is started anew. */
const rolledGlob = "src/f[0-4].js";
const rolledCount = 5;
let server: TestServer;
let stage: PartsStage;
let repository: SampleRepository;
let workers: TestPart[];

beforeAll(async () => {
  server = await startTestServer();
  stage = await openPartsStage(server, `http://127.0.0.1:${await freePort()}/v1`);
  const names = Array.from({ length: taskCount }, (_, index) => `f${index}`);
  repository = createRepository(
    Object.fromEntries(names.map((name) => [`src/${name}.js`, `var ${name} = 1;\nmodule.exports = ${name};\n`])),
  );
  await stage.simulator("--decode-ms-per-token=20").ready();
  workers = ["w-1", "w-2"].map((name) => stage.worker(name));
});

afterAll(async () => {
  await stage?.[Symbol.asyncDispose]();
  await server?.[Symbol.asyncDispose]();
  repository?.[Symbol.dispose]();
});

const grpcOf = async (part: TestPart): Promise<string> => (await part.ready())["listen"] ?? "";
const ctl = async (part: TestPart, ...args: readonly string[]) =>
  await runAgentctl(["--server", await grpcOf(part), ...args], { cwd: repository.path });

async function leads(part: TestPart): Promise<boolean> {
  const response = await fetch(`${(await part.ready())["http"] ?? ""}/metrics`).catch(() => undefined);
  return (await response?.text())?.includes("agentd_leader 1") ?? false;
}

/** When the part began to lead, by its own log. */
async function leadingSinceMs(part: TestPart): Promise<number> {
  const line = await eventually("a log that says so", () =>
    part
      .log()
      .split("\n")
      .find((one) => one.endsWith('"this coordinator leads"}')),
  );
  return Date.parse((JSON.parse(line) as { time: string }).time);
}

async function apply(part: TestPart, job: string, glob = "src/*.js", marker = ""): Promise<void> {
  const input = manifestOf(
    job,
    `  repository: { url: ., ref: main }
  plan: { forEach: { glob: "${glob}" } }
  template:
    prompt: "Convert var to const or let in {{item}} ${marker}"
    checks: [{ name: no-var, run: "! grep -nw var {{item}}" }]
`,
  );
  const args = ["--server", await grpcOf(part), "apply", "-f", "-"];
  expect(await runAgentctl(args, { cwd: repository.path, input })).toMatchObject({ code: 0 });
}

async function tasks(part: TestPart, jobs: readonly string[]): Promise<readonly TaskJson[]> {
  const { stdout, stderr, code } = await ctl(part, "get", "tasks", "-l", `job in (${jobs.join(", ")})`, "-o", "json");
  if (code !== 0) throw new Error(stderr);
  return (JSON.parse(stdout) as { items: TaskJson[] }).items;
}

/** A change as two watches must agree on it. */
interface Seen {
  readonly version: string;
  readonly name: string;
  readonly state: string;
}

/** Watches the tasks of a job, or of all (`-`), until `isEnough`, or until the server goes away. */
async function watch(
  part: TestPart,
  job: string,
  from: string,
  into: Seen[],
  isEnough: () => boolean = () => false,
): Promise<void> {
  await using channel = createGrpcChannel(await grpcOf(part));
  const ending = new AbortController();
  const request = { parent: `namespaces/default/jobs/${job}`, resourceVersion: from };
  try {
    for await (const change of channel.client(TaskService).watchTasks(request, { signal: ending.signal })) {
      // What is there when a watch begins without a version has none; the bookmark after it has.
      const { task, resourceVersion: version } = change;
      if (version !== "") into.push({ version, name: task?.metadata?.name ?? "", state: task?.status?.state ?? "" });
      if (isEnough()) return;
    }
  } catch (error) {
    const isGone = error instanceof CallError && error.status === "UNAVAILABLE";
    // Killed, or told to stop.
    if (!isGone && !isAgentdError(error, "NOT_LEADER")) throw error;
  } finally {
    ending.abort();
  }
}

/** From which a watch sees all that comes after this call. */
async function versionOf(part: TestPart): Promise<string> {
  await using channel = createGrpcChannel(await grpcOf(part));
  const request = { parent: "namespaces/default/jobs/-", pageSize: 1 };
  return (await channel.client(TaskService).listTasks(request, { signal: AbortSignal.timeout(60_000) }))
    .resourceVersion;
}

/** Until a worker has begun a task of the job. A watch, because a list by agentctl is slow where the machine is. */
async function started(part: TestPart, job: string): Promise<void> {
  await using channel = createGrpcChannel(await grpcOf(part));
  const ending = new AbortController();
  const request = { parent: `namespaces/default/jobs/${job}` };
  try {
    for await (const { task } of channel.client(TaskService).watchTasks(request, { signal: ending.signal })) {
      if ((task?.status?.attempt ?? 0) > 0) return;
    }
  } finally {
    ending.abort();
  }
}

const changesOf = (seen: readonly Seen[]): readonly Seen[] => seen.filter(({ name }) => name !== "");
const sound = (job: string, count: number): string =>
  `job/${job} sound: ${count} tasks, ${count} merge commits, 0 differences\n`;

describe("two coordinators", () => {
  it("go on where the leader was killed: another leads within 15 s, and a watch misses and repeats nothing", async () => {
    const first = stage.coordinator("a");
    await first.ready();
    await eventually("the first leads", async () => ((await leads(first)) ? true : undefined));
    const second = stage.coordinator("b", "--log-level=info");
    await second.ready();
    await apply(second, "watched");
    const seen: Seen[] = [];
    const succeeded = () => seen.filter(({ state }) => state === "Succeeded").length;
    const watching = watch(first, "watched", "", seen);
    await eventually("some merges, and more to come", () => (succeeded() >= 4 ? true : undefined));
    expect(succeeded()).toBeLessThan(taskCount);
    const killedMs = Date.now();
    first.kill("SIGKILL");
    await watching;
    // By the time in its log: looking from here takes a while of its own.
    expect((await leadingSinceMs(second)) - killedMs).toBeLessThan(15_000);
    const start = seen[0]?.version ?? "";
    const last = seen.at(-1)?.version ?? "";
    await watch(second, "watched", last, seen, () => succeeded() === taskCount);
    const replay: Seen[] = [];
    const isWhole = () => replay.filter(({ state }) => state === "Succeeded").length === taskCount;
    await watch(second, "watched", start, replay, isWhole);
    expect(changesOf(seen).slice(start === seen[0]?.version && seen[0]?.name !== "" ? 1 : 0)).toEqual(
      changesOf(replay),
    );
    expect(changesOf(replay).length).toBeGreaterThan(taskCount);
    expect((await ctl(second, "fsck")).stdout).toBe(sound("watched", taskCount));
    // Gives the lead away, so that the next test need not wait for its end.
    second.kill("SIGTERM");
    await second.exited;
  });

  it("and their workers are started anew one after the other under load: no attempt is lost, and no change in a watch", async () => {
    const coordinators = [stage.coordinator("a"), stage.coordinator("b")];
    await Promise.all(coordinators.map((part) => part.ready()));
    const other = (index: number): TestPart => coordinators[1 - index] as TestPart;
    // Each watch ends with its coordinator, and goes on at the other one from what was seen last.
    const seen: Seen[] = [];
    const start = await versionOf(other(0));
    let isOver = false;
    const watching = (async () => {
      for (let at = 0; !isOver; at = 1 - at) {
        const from = seen.at(-1)?.version ?? start;
        await watch(coordinators[at] as TestPart, "-", from, seen, () => isOver);
      }
    })();
    /** Stops a part in the middle of a job of its own, so that there is load however slow the machine is. */
    const anew = async (job: string, teller: TestPart, part: TestPart, start: () => TestPart): Promise<TestPart> => {
      await apply(teller, job, rolledGlob, "[sim: slow 500ms]");
      await started(teller, job);
      part.kill("SIGTERM");
      expect(await part.exited).toBe(0);
      const next = start();
      await next.ready();
      return next;
    };
    for (const [index, name] of ["a", "b"].entries()) {
      const before = coordinators[index] as TestPart;
      const next = await anew(`rolled-${name}`, other(index), before, () => stage.coordinator(name));
      coordinators[index] = next;
      // As a rolling restart does: the next one only when this one is ready.
      const { http = "" } = await next.ready();
      await eventually("it is ready", async () => ((await fetch(`${http}/readyz`)).ok ? true : undefined));
    }
    for (const [index, name] of ["w-1", "w-2"].entries()) {
      const before = workers[index] as TestPart;
      workers[index] = await anew(`rolled-${name}`, other(index), before, () => stage.worker(name));
    }
    const jobs = ["rolled-a", "rolled-b", "rolled-w-1", "rolled-w-2"];
    const waited = await ctl(other(0), "wait", ...jobs.map((job) => `job/${job}`), "--timeout=200s");
    expect(waited).toMatchObject({ code: 0 });
    const attempts = (await tasks(other(1), jobs)).flatMap(({ status }) => status.attempts ?? []);
    expect(attempts.map(({ outcome }) => outcome)).toEqual(
      Array.from({ length: jobs.length * rolledCount }, () => "Done"),
    );
    const succeeded = (of: readonly Seen[]) => of.filter(({ state }) => state === "Succeeded").length;
    const all = jobs.length * rolledCount;
    await eventually("all ends in the watch", () => (succeeded(seen) >= all ? true : undefined));
    const replay: Seen[] = [];
    await watch(other(0), "-", start, replay, () => succeeded(replay) >= all);
    expect(changesOf(seen).slice(0, changesOf(replay).length)).toEqual(changesOf(replay));
    isOver = true;
    // One more change, for the watch to see that it is over.
    await apply(other(0), "last-change", rolledGlob);
    await watching;
    const { stdout } = await ctl(other(0), "fsck");
    for (const job of jobs) expect(stdout).toContain(sound(job, rolledCount));
  });
});
