import { expect, test } from "vitest";
import { eventually, startAgentd } from "../support/agentd.ts";
import { countStates, manifestOf, tasksOf } from "../support/jobs.ts";
import { createRepository } from "../support/sample-repository.ts";
import { type Answered, startRecordingProxy } from "./recording-proxy.ts";
import { servedModel, vllmBaseUrl } from "./served-model.ts";

/** Fewer show the same on a machine that is too slow for all of them. */
const agents = Number(process.env["VLLM_AGENTS"] ?? 32);
const limits = { turns: 3, tokens: 40_000, wallSeconds: 240 };
/** Enough for one call. */
const answerTokensMax = 48;
/** A turn's whole prompt counts, and the last answer may go beyond the limit: no answer is longer than the window. */
const windowTokens = 8_192;

const truthful = [
  ...["Done", "GateFailed", "NoChange", "AlreadyDone", "Blocked", "StuckLoop", "MaxTurns", "ProtocolViolation"],
  ...["BudgetExceeded", "DeadlineExceeded"],
];

async function metric(name: string): Promise<number> {
  const text = await (await fetch(new URL("/metrics", vllmBaseUrl))).text();
  const line = text.split("\n").find((each) => each.startsWith(`${name}{`) || each.startsWith(`${name} `));
  return Number(line?.split(" ").at(-1));
}

/** Share of the prompts' tokens that the engine had in its cache. */
function cachedShare(answers: readonly Answered[]): number {
  const sum = (field: "promptTokens" | "cachedTokens") => answers.reduce((total, each) => total + each[field], 0);
  return sum("cachedTokens") / sum("promptTokens");
}

test(`${agents} sub-agents on a real vLLM each end in a truthful outcome within their budget, and every slot is freed`, async () => {
  const files = Object.fromEntries(
    Array.from({ length: agents }, (_, index) => [
      `src/f${index}.js`,
      `var f${index} = 1;\nmodule.exports = f${index};\n`,
    ]),
  );
  using repository = createRepository(files);
  await using proxy = await startRecordingProxy(vllmBaseUrl, answerTokensMax);
  await using agentd = await startAgentd({ slots: agents, model: { url: proxy.url, name: await servedModel() } });
  const { turns, tokens, wallSeconds } = limits;
  const manifest = manifestOf(
    "real",
    `  repository: { url: ., ref: main }
  plan: { forEach: { glob: "src/*.js" } }
  backoffLimit: 0
  template:
    prompt: "Replace var with const in {{item}}."
    writes: ["{{item}}"]
    checks: [{ name: no-var, run: "! grep -nw var {{item}}" }, { name: loads, run: "node {{item}}" }]
    limits: { turns: ${turns}, tokens: ${tokens}, wall: ${wallSeconds}s }
`,
  );
  const startedMs = performance.now();
  await agentd.ctl(["apply", "-f", "-", "--wait", "--timeout=800s"], {
    cwd: repository.path,
    input: manifest,
    timeoutMs: 850_000,
  });
  const tasks = await tasksOf(agentd, "real");
  const later = proxy.answered.filter(({ isFirst }) => !isFirst);
  const percent = (share: number) => `${(100 * share).toFixed(1)} %`;
  console.log(
    countStates(tasks),
    `${((performance.now() - startedMs) / 1_000).toFixed(0)} s, ${proxy.answered.length} answers, prompt tokens from the prefix cache: ` +
      `${percent(cachedShare(proxy.answered))} in all, ${percent(cachedShare(later))} of ${later.length} after the first turn`,
  );
  expect(tasks).toHaveLength(agents);
  for (const { status } of tasks) {
    expect(["Succeeded", "Failed"]).toContain(status.state);
    expect(truthful).toContain(status.outcome);
    const used = (field: "turns" | "inputTokens" | "outputTokens") => Number(status.usage?.[field] ?? 0);
    expect(used("turns")).toBeLessThanOrEqual(turns);
    expect(used("inputTokens") + used("outputTokens")).toBeLessThanOrEqual(tokens + windowTokens);
  }
  // A success counts only when its own proof is on the branch.
  const succeeded = tasks.filter((task) => task.status.state === "Succeeded");
  for (const task of succeeded) {
    const file = `src/${task.metadata.name.replace(/^real-src-(f\d+)-js$/, "$1.js")}`;
    expect(repository.git("show", `agentd/real:${file}`)).not.toMatch(/\bvar\b/);
  }
  expect(later.length).toBeGreaterThan(0);
  expect(cachedShare(later)).toBeGreaterThanOrEqual(0.9);
  await eventually("an idle engine", async () =>
    (await metric("vllm:num_requests_running")) + (await metric("vllm:num_requests_waiting")) === 0 ? true : undefined,
  );
  await eventually("free slots", async () => {
    const { stdout } = await agentd.ctl(["get", "workers", "-o", "json"]);
    const { items } = JSON.parse(stdout) as { items: { status: { busy?: number } }[] };
    return items.every(({ status }) => (status.busy ?? 0) === 0) ? true : undefined;
  });
  expect((await agentd.ctl(["fsck"])).stdout).toContain(`${succeeded.length} merge commits, 0 differences`);
}, 900_000);
