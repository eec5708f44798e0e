import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { eventually, startAgentd } from "../support/agentd.ts";
import { manifestOf, tasksOf } from "../support/jobs.ts";
import { createRepository } from "../support/sample-repository.ts";

const steps = 40;
const all = Array.from({ length: steps }, (_, index) => String(index + 1));

const stepsOf = (item: string): readonly string[] => all.slice(0, Number(item) + 2);

/** Task n has two steps more than n, 40 at most, and waits in its step n, before that step's effect, until `go` is there. */
function manifest(effects: string): string {
  const promptOf = (item: string): string => {
    const wait = `touch ${effects}/${item}.waits; until test -e ${effects}/go; do sleep 0.2; done; `;
    const run = (step: string): string =>
      `Run "${step === item ? wait : ""}echo ${step} >> ${effects}/${item}; echo ${step} >> made-${item}.txt"`;
    return stepsOf(item).map(run).join("\n");
  };
  const tasks = all.map((item) => ({ name: `t-${item}`, prompt: promptOf(item) }));
  return manifestOf(
    "steps",
    `  repository: { url: ., ref: main }
  plan: { tasks: ${JSON.stringify(tasks)} }
  template:
    checks: [{ name: made, run: "ls made-*.txt" }]
    limits: { turns: 100 }
`,
  );
}

test("40 runs, each in another of its 40 steps when kill -9 hits their worker, go on there: no command twice, no answer twice", async () => {
  const effects = await mkdtemp(join(tmpdir(), "agentd-steps-"));
  using repository = createRepository({ "a.txt": "a\n" });
  // Without a sandbox a command reaches files outside of its tree, which show how often it ran.
  await using agentd = await startAgentd({
    slots: steps,
    simArgs: [`--slots=${steps}`],
    leaseMs: 10_000,
    args: ["--sandbox=none"],
  });
  const asked = async (): Promise<number> => {
    const stats = await fetch(new URL("/sim/stats", agentd.endpoints.model[0]));
    return ((await stats.json()) as { readonly requests: number }).requests;
  };
  try {
    await agentd.ctl(["apply", "-f", "-"], { cwd: repository.path, input: manifest(effects) });
    const waiting = () => readdirSync(effects).filter((name) => name.endsWith(".waits")).length;
    await eventually("every task to be in its step", () => (waiting() === steps ? true : undefined), 240_000);
    process.kill(await agentd.pidOf(agentd.workers[0] ?? ""), "SIGKILL");
    // The commands that it left behind are gone when others have begun: they must not go on as if nothing had happened.
    await eventually("the next attempts", async () => {
      const tasks = await tasksOf(agentd, "steps");
      return tasks.every(({ status }) => status.attempt === 2) ? true : undefined;
    });
    writeFileSync(join(effects, "go"), "");
    expect(await agentd.ctl(["wait", "job/steps", "--timeout=240s"])).toMatchObject({ code: 0 });
    for (const { status } of await tasksOf(agentd, "steps")) {
      expect(status.attempts?.map(({ outcome }) => outcome)).toEqual(["LeaseLost", "Done"]);
    }
    for (const item of all) {
      const file = join(effects, item);
      expect(existsSync(file) ? readFileSync(file, "utf8").trim().split("\n") : [], `task ${item}`).toEqual(
        stepsOf(item),
      );
    }
    // A task asks once for each step, once to find out about the command that was lost, and once to finish.
    const turns = all.reduce((sum, item) => sum + stepsOf(item).length + 2, 0);
    expect(await asked()).toBeLessThanOrEqual(turns);
  } finally {
    await rm(effects, { recursive: true, force: true });
  }
}, 600_000);
