import { setTimeout as delay } from "node:timers/promises";
import { expect, test } from "vitest";
import { eventually, startAgentd } from "../support/agentd.ts";
import { countStates, manifestOf, seededRandom, tasksOf } from "../support/jobs.ts";
import { createRepository } from "../support/sample-repository.ts";

const rounds = 20;
const taskCount = 60;

test(`${rounds} kill -9 of worker, coordinator and nats-server lose no task, merge none twice and poison none`, async () => {
  const seed = Number(process.env["AGENTD_TEST_SEED"] ?? Date.now() % 1_000_000);
  console.log(`seed ${seed} (AGENTD_TEST_SEED repeats it)`);
  const random = seededRandom(seed);
  const names = Array.from({ length: taskCount }, (_, index) => `f${index}`);
  using repository = createRepository(
    Object.fromEntries(names.map((name) => [`src/${name}.js`, `var ${name} = 1;\nmodule.exports = ${name};\n`])),
  );
  await using agentd = await startAgentd({
    workers: 2,
    slots: 8,
    leaseMs: 3_000,
    simArgs: ["--decode-ms-per-token=20"],
  });
  const manifest = manifestOf(
    "rounds",
    `  repository: { url: ., ref: main }
  plan: { forEach: { glob: "src/*.js" } }
  template:
    prompt: "Convert var to const or let in {{item}}"
    checks: [{ name: no-var, run: "! grep -nw var {{item}}" }]
`,
  );
  expect(await agentd.ctl(["apply", "-f", "-"], { cwd: repository.path, input: manifest })).toMatchObject({ code: 0 });

  const targets = ["coordinator", "nats-server", ...agentd.workers];
  for (let round = 0; round < rounds; round += 1) {
    await delay(200 + random() * 1_300);
    const target = targets[Math.floor(random() * targets.length)] ?? "coordinator";
    try {
      process.kill(await agentd.pidOf(target), "SIGKILL");
    } catch {
      // It is between two lives: that round kills nobody.
    }
  }

  // The last round may have killed the coordinator; how long it takes to be there again is not what this is about.
  await eventually(
    "a coordinator that answers",
    async () => (await agentd.ctl(["get", "jobs"])).code === 0 || undefined,
  );
  const waited = await agentd.ctl(["wait", "job/rounds", "--timeout=480s"], { timeoutMs: 490_000 });
  const tasks = await tasksOf(agentd, "rounds");
  expect({ waited, states: countStates(tasks) }).toMatchObject({
    waited: { code: 0 },
    states: { Succeeded: taskCount },
  });
  const outcomes = tasks.flatMap((task) => (task.status.attempts ?? []).map((attempt) => attempt.outcome));
  expect(outcomes).not.toContain("Poison");
  const fsck = await agentd.ctl(["fsck"]);
  expect(fsck.stdout).toBe(`job/rounds sound: ${taskCount} tasks, ${taskCount} merge commits, 0 differences\n`);
  const fetched = await agentd.ctl(["fetch", "job/rounds"], { cwd: repository.path });
  expect(fetched.code).toBe(0);
  const trailers = repository.git(
    "log",
    "--first-parent",
    "--format=%(trailers:key=Agentd-Task,valueonly)",
    "main..agentd/rounds",
  );
  expect(new Set(trailers.split("\n").filter((line) => line !== "")).size).toBe(taskCount);
});
