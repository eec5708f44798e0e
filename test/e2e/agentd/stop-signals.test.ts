import { afterAll, beforeAll, expect, test } from "vitest";
import { eventually, runProgram, startAgentd, type TestAgentd } from "../../support/agentd.ts";
import { manifestOf, tasksOf } from "../../support/jobs.ts";
import { createRepository, type SampleRepository } from "../../support/sample-repository.ts";

let agentd: TestAgentd;
let repository: SampleRepository;

beforeAll(async () => {
  repository = createRepository({ "src/a.js": "var a = 1;\n" });
  // Bounds that no test waits for: what ends before them was ended by a signal.
  agentd = await startAgentd({ args: ["--drain-ms=1h", "--stop-ms=10m"] });
});
afterAll(async () => {
  await agentd?.[Symbol.asyncDispose]();
  repository?.[Symbol.dispose]();
});

async function attempts(): Promise<readonly string[]> {
  return (await tasksOf(agentd, "held"))[0]?.status.attempts?.map(({ outcome }) => outcome ?? "") ?? [];
}

async function running(): Promise<void> {
  await eventually("an attempt", async () =>
    (await tasksOf(agentd, "held"))[0]?.status.state === "Running" ? true : undefined,
  );
}

const says = (text: string) => eventually(`"${text}"`, () => (agentd.output().includes(text) ? true : undefined));

async function pids(): Promise<readonly number[]> {
  return await Promise.all(["nats-server", "coordinator", "vllm-sim", ...agentd.workers].map(agentd.pidOf));
}

/** Whether no process has the id, or only one that waits to be seen as dead. */
async function isGone(pid: number): Promise<boolean> {
  const { stdout } = await runProgram("ps", ["-o", "stat=", "-p", String(pid)]);
  return stdout.trim() === "" || stdout.trim().startsWith("Z");
}

async function signal(text: string): Promise<void> {
  process.kill(agentd.pid, "SIGTERM");
  await says(text);
}

test("a second signal has workers give their tasks back at once, and all ends in order", async () => {
  const manifest = manifestOf(
    "held",
    `  repository: { url: ., ref: main }
  plan: { forEach: { glob: "src/*.js" } }
  template:
    prompt: "Convert var to const or let in {{item}} [sim: stall]"
    checks: [{ name: no-var, run: "! grep -nw var {{item}}" }]
`,
  );
  expect(await agentd.ctl(["apply", "-f", "-"], { cwd: repository.path, input: manifest })).toMatchObject({ code: 0 });
  await running();
  const parts = await pids();
  await signal("stopping: workers give their tasks back");
  const [worker = 0] = parts.slice(-1);
  expect(await isGone(worker)).toBe(false);
  // What may finish for an hour needs NATS for that.
  const [nats = 0] = parts;
  process.kill(nats, "SIGKILL");
  const isBack = /"isConnected":false[^]*"isConnected":true/;
  await eventually("NATS anew", async () => isBack.test(await agentd.log(agentd.workers[0] ?? "")) || undefined);
  await signal("what is still at work is given back now");
  expect(await agentd.ended()).toBe(0);
  for (const pid of parts) expect(await isGone(pid)).toBe(true);
  await agentd.restart();
  expect(await attempts()).toContain("Infra");
});

test("a third signal ends what hangs, and says so by the exit code", async () => {
  await running();
  const parts = await pids();
  const [worker = 0] = parts.slice(-1);
  process.kill(worker, "SIGSTOP");
  await signal("stopping: workers give their tasks back");
  await signal("what is still at work is given back now");
  expect(await isGone(worker)).toBe(false);
  process.kill(agentd.pid, "SIGTERM");
  expect(await agentd.ended()).toBe(1);
  for (const pid of parts) await eventually(`the end of ${pid}`, async () => ((await isGone(pid)) ? true : undefined));
  await agentd.restart();
  await running();
  expect(await agentd.ctl(["cancel", "job/held"])).toMatchObject({ code: 0 });
});
