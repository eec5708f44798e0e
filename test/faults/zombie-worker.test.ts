import { expect, test } from "vitest";
import { eventually, startAgentd } from "../support/agentd.ts";
import { manifestOf, tasksOf } from "../support/jobs.ts";
import { createRepository } from "../support/sample-repository.ts";

test("a worker that is stopped past its lease and woken has its late result refused, with an event", async () => {
  using repository = createRepository({ "src/a.js": "var a = 1;\n" });
  await using agentd = await startAgentd({ workers: 2, slots: 2, leaseMs: 5_000 });
  const manifest = manifestOf(
    "zombie",
    `  repository: { url: ., ref: main }
  plan: { forEach: { glob: "src/*.js" } }
  template:
    prompt: |
      Convert var to const or let in {{item}}
    checks: [{ name: no-var, run: "! grep -nw var {{item}}" }]
`,
  );
  // Nothing is answered before the worker that was at work sleeps.
  const simulator = await agentd.pidOf("vllm-sim");
  process.kill(simulator, "SIGSTOP");
  await agentd.ctl(["apply", "-f", "-"], { cwd: repository.path, input: manifest });
  const first = await eventually(
    "the first claim",
    async () => (await tasksOf(agentd, "zombie"))[0]?.status.worker || undefined,
  );
  const pid = await agentd.pidOf(first);
  process.kill(pid, "SIGSTOP");
  process.kill(simulator, "SIGCONT");
  try {
    const waited = await agentd.ctl(["wait", "job/zombie", "--timeout=200s"]);
    expect(waited).toMatchObject({ code: 0 });
  } finally {
    process.kill(pid, "SIGCONT");
  }
  const [task] = await tasksOf(agentd, "zombie");
  expect(task?.status.state).toBe("Succeeded");
  const outcomes = task?.status.attempts?.map((attempt) => attempt.outcome) ?? [];
  // So short a lease may be lost once more where the machine is busy.
  expect(outcomes.at(-1)).toBe("Done");
  expect(new Set(outcomes.slice(0, -1))).toEqual(new Set(["LeaseLost"]));
  const name = task?.metadata.name ?? "";
  await eventually("the event of the refused result", async () => {
    const { stdout } = await agentd.ctl(["describe", `task/${name}`]);
    return stdout.includes("StaleResultRejected") ? true : undefined;
  });
  expect((await agentd.ctl(["fsck"])).stdout).toContain("1 merge commit, 0 differences");
});
