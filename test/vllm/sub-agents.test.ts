import { expect, test } from "vitest";
import { eventually, startAgentd } from "../support/agentd.ts";
import { countStates, manifestOf, tasksOf } from "../support/jobs.ts";
import { createRepository } from "../support/sample-repository.ts";
import { servedModel, vllmBaseUrl } from "./served-model.ts";

const agents = 16;

async function metric(name: string): Promise<number> {
  const text = await (await fetch(new URL("/metrics", vllmBaseUrl))).text();
  const line = text.split("\n").find((each) => each.startsWith(`${name}{`) || each.startsWith(`${name} `));
  return Number(line?.split(" ").at(-1));
}

test(`${agents} sub-agents on a real vLLM each end in a truthful outcome, and every slot is freed`, async () => {
  const files = Object.fromEntries(
    Array.from({ length: agents }, (_, index) => [
      `src/f${index}.js`,
      `var f${index} = 1;\nmodule.exports = f${index};\n`,
    ]),
  );
  using repository = createRepository(files);
  await using agentd = await startAgentd({ slots: agents, model: { url: vllmBaseUrl, name: await servedModel() } });
  const manifest = manifestOf(
    "real",
    `  repository: { url: ., ref: main }
  plan: { forEach: { glob: "src/*.js" } }
  backoffLimit: 0
  template:
    prompt: "Replace var with const in {{item}}."
    writes: ["{{item}}"]
    checks: [{ name: no-var, run: "! grep -nw var {{item}}" }, { name: loads, run: "node {{item}}" }]
    limits: { turns: 4, tokens: 30k, wall: 60s }
`,
  );
  await agentd.ctl(["apply", "-f", "-", "--wait", "--timeout=800s"], {
    cwd: repository.path,
    input: manifest,
    timeoutMs: 850_000,
  });
  const tasks = await tasksOf(agentd, "real");
  console.log(
    countStates(tasks),
    `prefix cache: ${await metric("vllm:prefix_cache_hits_total")} of ${await metric("vllm:prefix_cache_queries_total")} tokens`,
  );
  expect(tasks).toHaveLength(agents);
  const truthful = [
    "Done",
    "GateFailed",
    "NoChange",
    "AlreadyDone",
    "Blocked",
    "StuckLoop",
    "MaxTurns",
    "ProtocolViolation",
    "BudgetExceeded",
    "DeadlineExceeded",
  ];
  for (const task of tasks) {
    expect(["Succeeded", "Failed"]).toContain(task.status.state);
    expect(truthful).toContain(task.status.outcome);
  }
  // A success counts only when its own proof is on the branch.
  const succeeded = tasks.filter((task) => task.status.state === "Succeeded");
  for (const task of succeeded) {
    const file = `src/${task.metadata.name.replace(/^real-src-(f\d+)-js$/, "$1.js")}`;
    expect(repository.git("show", `agentd/real:${file}`)).not.toMatch(/\bvar\b/);
  }
  await eventually("an idle engine", async () =>
    (await metric("vllm:num_requests_running")) + (await metric("vllm:num_requests_waiting")) === 0 ? true : undefined,
  );
  expect((await agentd.ctl(["fsck"])).stdout).toContain(`${succeeded.length} merge commits, 0 differences`);
}, 900_000);
