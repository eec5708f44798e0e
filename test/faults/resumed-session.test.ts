import { existsSync, readFileSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { eventually, startAgentd } from "../support/agentd.ts";
import { manifestOf, tasksOf } from "../support/jobs.ts";
import { createRepository } from "../support/sample-repository.ts";

test("the attempt after a worker's kill -9 goes on at the turn where it was, and runs no command again", async () => {
  const directory = await mkdtemp(join(tmpdir(), "agentd-effects-"));
  const effects = join(directory, "effects");
  using repository = createRepository({ "a.txt": "a\n" });
  // Without a sandbox a command reaches the file outside of its tree, which shows how often it ran.
  await using agentd = await startAgentd({ workers: 2, slots: 1, leaseMs: 10_000, args: ["--sandbox=none"] });
  const steps = [1, 2, 3, 4];
  const requests = steps.map((step) => `      Run "echo ${step} >> ${effects}; echo ${step} >> a.txt"`).join("\n");
  const manifest = manifestOf(
    "lost",
    `  repository: { url: ., ref: main }
  plan: { tasks: [{ name: one }] }
  template:
    prompt: |
${requests}
      [sim: slow 2500ms]
    checks: [{ name: whole, run: "test $(wc -l < a.txt) = 5" }]
`,
  );
  try {
    await agentd.ctl(["apply", "-f", "-"], { cwd: repository.path, input: manifest });
    const ranTo = (): number => (existsSync(effects) ? readFileSync(effects, "utf8").trim().split("\n").length : 0);
    await eventually("the second command", () => (ranTo() >= 2 ? true : undefined));
    // Its third answer takes seconds, and does not come before the turn is kept and the worker dead.
    const simulator = await agentd.pidOf("vllm-sim");
    process.kill(simulator, "SIGSTOP");
    // The turn is kept once its record is there.
    await eventually("the second turn", async () => {
      const { stdout } = await agentd.ctl(["logs", "task/one"]);
      return stdout.includes("attempt 1, turn 2") ? true : undefined;
    });
    const [running] = await tasksOf(agentd, "lost");
    process.kill(await agentd.pidOf(running?.status.worker ?? ""), "SIGKILL");
    process.kill(simulator, "SIGCONT");
    const waited = await agentd.ctl(["wait", "job/lost", "--timeout=200s"]);
    expect(waited).toMatchObject({ code: 0 });
    const [task] = await tasksOf(agentd, "lost");
    expect(task?.status.attempts?.map(({ outcome }) => outcome)).toEqual(["LeaseLost", "Done"]);
    expect(readFileSync(effects, "utf8")).toBe(steps.map((step) => `${step}\n`).join(""));
    const { stdout } = await agentd.ctl(["logs", "task/one", "--attempt=2"]);
    const firstTurn = Number(/attempt 2, turn (\d+)/.exec(stdout)?.[1]);
    expect(firstTurn).toBe(3);
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
});
