import { execFileSync, spawn } from "node:child_process";
import { globSync } from "node:fs";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { agentdBin, eventually, startAgentd, type TestAgentd } from "../support/agentd.ts";
import { countStates, manifestOf, type TaskJson, tasksOf } from "../support/jobs.ts";
import { createRepository } from "../support/sample-repository.ts";

/** A port that nobody listens on now. */
async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await new Promise((resolve) => server.once("listening", resolve));
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  return typeof address === "object" && address !== null ? address.port : 0;
}

function files(count: number): Record<string, string> {
  return Object.fromEntries(Array.from({ length: count }, (_, index) => [`src/f${index}.js`, `var f${index} = 1;\n`]));
}

function manifest(name: string, prompt: string, more = ""): string {
  return manifestOf(
    name,
    `  repository: { url: ., ref: main }
  plan: { forEach: { glob: "src/*.js" } }
  template:
    prompt: ${JSON.stringify(prompt)}
    checks: [{ name: no-var, run: "! grep -nw var {{item}}" }]
${more}`,
  );
}

const convert = "Convert var to const or let in {{item}}";

async function running(agentd: TestAgentd, job: string): Promise<number> {
  return countStates(await tasksOf(agentd, job))["Running"] ?? 0;
}

/** Processes whose command line or environment belongs to an attempt of these workers. */
function attemptProcesses(workers: readonly string[]): number {
  const found = execFileSync(
    "sh",
    ["-c", "cat /proc/[0-9]*/environ 2>/dev/null | tr '\\0' '\\n' | grep ^AGENTD_ATTEMPT= || true"],
    {
      encoding: "utf8",
    },
  );
  return found.split("\n").filter((line) => workers.some((worker) => line.includes(worker))).length;
}

test("cancel while 100 run returns, stops them all and leaves no process and no worktree", async () => {
  using repository = createRepository(files(100));
  await using agentd = await startAgentd({ workers: 2, slots: 50, simArgs: ["--slots=100"] });
  const input = manifest("many", `Run "sleep 300"\n${convert}`);
  await agentd.ctl(["apply", "-f", "-"], { cwd: repository.path, input });
  await eventually(
    "100 running tasks",
    async () => ((await running(agentd, "many")) === 100 ? true : undefined),
    120_000,
  );
  const worktrees = () => globSync("worktrees/*/*/trees/many-*", { cwd: agentd.data });
  await eventually("commands of agents", () => (attemptProcesses(agentd.workers) > 50 ? true : undefined));
  // Commands of half of them may run before the other half has its trees.
  await eventually("a worktree of each", () => (worktrees().length === 100 ? true : undefined));
  expect(await agentd.ctl(["cancel", "job/many"])).toMatchObject({ code: 0, stdout: "job/many cancelled\n" });
  await eventually("the end of all tasks", async () =>
    countStates(await tasksOf(agentd, "many"))["Cancelled"] === 100 ? true : undefined,
  );
  await eventually("the end of all processes", () => (attemptProcesses(agentd.workers) === 0 ? true : undefined));
  await eventually("the removal of all worktrees", () => (worktrees().length === 0 ? true : undefined));
  expect((await agentd.ctl(["wait", "job/many"])).code).toBe(3);
  expect((await agentd.ctl(["fsck"])).stdout).toContain("0 merge commits, 0 differences");
});

test("two jobs at once share the slots fairly", async () => {
  using repository = createRepository(files(80));
  await using agentd = await startAgentd({ slots: 8 });
  const slow = `${convert}\n[sim: slow 700ms]`;
  await agentd.ctl(["apply", "-f", "-"], { cwd: repository.path, input: manifest("early", slow) });
  await eventually("a full worker", async () => ((await running(agentd, "early")) === 8 ? true : undefined));
  await agentd.ctl(["apply", "-f", "-"], { cwd: repository.path, input: manifest("late", slow) });
  const shares = await eventually("an equal share", async () => {
    // One list of both jobs: two would show two moments.
    const { stdout } = await agentd.ctl(["get", "tasks", "-o", "json"]);
    const held = (JSON.parse(stdout) as { items: TaskJson[] }).items.filter(({ status }) => status.state === "Running");
    const both = ["early", "late"].map((job) => held.filter((task) => task.job === job).length);
    return both.every((share) => share >= 3 && share <= 5) ? both : undefined;
  });
  expect(shares).toHaveLength(2);
});

/** A file that commands of agents wait for. */
interface Gate extends AsyncDisposable {
  /** The request of a task that waits for it. */
  readonly request: string;
  open(): Promise<void>;
}

async function createGate(): Promise<Gate> {
  const directory = await mkdtemp(join(tmpdir(), "agentd-gate-"));
  const file = join(directory, "open");
  return {
    request: `Run "until [ -e ${file} ]; do sleep 0.05; done"`,
    open: () => writeFile(file, ""),
    [Symbol.asyncDispose]: () => rm(directory, { recursive: true, force: true }),
  };
}

test("parallelism and suspend bound what runs, dependencies order it, and why says so", async () => {
  using repository = createRepository(files(3));
  await using gate = await createGate();
  await using agentd = await startAgentd({ slots: 8, args: ["--sandbox=none"] });
  const prompt = JSON.stringify(`${gate.request}\nConvert var to const or let in src/f0.js`);
  const spec = (more: string): string =>
    manifestOf(
      "ordered",
      `  repository: { url: ., ref: main }
  plan:
    tasks:
      - { name: first, prompt: ${prompt} }
      - { name: second, dependsOn: [first], prompt: "Convert var to const or let in src/f1.js" }
  template: { prompt: unused, checks: [{ name: ok, run: "true" }] }
${more}`,
    );
  await agentd.ctl(["apply", "-f", "-"], { cwd: repository.path, input: spec("  suspend: true\n") });
  await eventually("planned tasks", async () => ((await tasksOf(agentd, "ordered")).length === 2 ? true : undefined));
  expect((await agentd.ctl(["why", "task/first"])).stdout).toMatch(/suspended/i);
  const resumed = await agentd.ctl(["apply", "-f", "-"], { cwd: repository.path, input: spec("") });
  expect(resumed.stdout).toBe("job/ordered configured\n");
  await eventually("the first task", async () => ((await running(agentd, "ordered")) === 1 ? true : undefined));
  expect((await agentd.ctl(["why", "task/second"])).stdout).toMatch(/first/);
  await gate.open();
  expect((await agentd.ctl(["wait", "job/ordered", "--timeout=120s"])).code).toBe(0);
  const commits = (await tasksOf(agentd, "ordered")).map((task) => task.status.state);
  expect(commits).toEqual(["Succeeded", "Succeeded"]);
});

test("while the model server is down tasks wait and why says so; nothing fails, and they finish when it is back", async () => {
  using repository = createRepository(files(2));
  const port = await freePort();
  await using agentd = await startAgentd({
    slots: 2,
    model: { url: `http://127.0.0.1:${port}/v1`, name: "late" },
  });
  await agentd.ctl(["apply", "-f", "-"], { cwd: repository.path, input: manifest("waiting", convert) });
  await eventually("running tasks", async () => ((await running(agentd, "waiting")) === 2 ? true : undefined));
  const [task] = await tasksOf(agentd, "waiting");
  await eventually("an explanation", async () => {
    const { stdout } = await agentd.ctl(["why", `task/${task?.metadata.name}`]);
    return /model|engine/i.test(stdout) && stdout.includes(`${port}`) ? true : undefined;
  });
  const simulator = spawn(agentdBin, ["vllm-sim", `--port=${port}`, "--model=late"], { stdio: "ignore" });
  try {
    expect((await agentd.ctl(["wait", "job/waiting", "--timeout=180s"])).code).toBe(0);
    expect((await tasksOf(agentd, "waiting")).map(({ status }) => status.attempt)).toEqual([1, 1]);
  } finally {
    simulator.kill("SIGTERM");
  }
});

test("while NATS is down calls are UNAVAILABLE with a hint, and work in flight goes on after the reconnect", async () => {
  using repository = createRepository(files(4));
  await using gate = await createGate();
  await using agentd = await startAgentd({ slots: 4, args: ["--sandbox=none"] });
  await agentd.ctl(["apply", "-f", "-"], {
    cwd: repository.path,
    input: manifest("away", `${gate.request}\n${convert}`),
  });
  await eventually("running tasks", async () => ((await running(agentd, "away")) === 4 ? true : undefined));
  const nats = await agentd.pidOf("nats-server");
  process.kill(nats, "SIGSTOP");
  const refused = await agentd.ctl(["apply", "-f", "-"], { cwd: repository.path, input: manifest("other", convert) });
  // They end their commands while NATS is away, and go on.
  await gate.open();
  process.kill(nats, "SIGCONT");
  expect(refused.code).toBe(1);
  expect(refused.stderr).toMatch(/try again in \d+s/);
  const waited = await agentd.ctl(["wait", "job/away", "--timeout=180s"]);
  const attempts = (await tasksOf(agentd, "away")).map((task) => task.status.attempt);
  expect({ code: waited.code, attempts }).toEqual({ code: 0, attempts: [1, 1, 1, 1] });
});

test("a tree that was killed as a whole goes on with its unfinished job when it is started again", async () => {
  using repository = createRepository(files(6));
  await using agentd = await startAgentd({ slots: 3, leaseMs: 3_000 });
  await agentd.ctl(["apply", "-f", "-"], {
    cwd: repository.path,
    input: manifest("again", `${convert}\n[sim: slow 500ms]`),
  });
  await eventually(
    "a merge",
    async () => (countStates(await tasksOf(agentd, "again"))["Succeeded"] ?? 0) > 0 || undefined,
  );
  await agentd.killAll();
  await agentd.restart();
  expect((await agentd.ctl(["wait", "job/again", "--timeout=180s"])).code).toBe(0);
  expect((await agentd.ctl(["fsck"])).stdout).toContain("6 merge commits, 0 differences");
});
