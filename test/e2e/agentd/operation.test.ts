import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { TestAgentd } from "../../support/agentd.ts";
import { agentdBin, eventually, runProgram, startAgentd } from "../../support/agentd.ts";
import { manifestOf, tasksOf } from "../../support/jobs.ts";
import { createRepository } from "../../support/sample-repository.ts";

let agentd: TestAgentd;
let status: Record<string, string>;

beforeAll(async () => {
  agentd = await startAgentd({ slots: 4, args: ["--drain-ms=2s", "--stop-ms=8s"] });
  const endpoints = await readFile(join(agentd.data, "endpoints.json"), "utf8");
  status = (JSON.parse(endpoints) as { status: Record<string, string> }).status;
});
afterAll(async () => {
  await agentd?.[Symbol.asyncDispose]();
});

async function ask(part: string, path: string, init: RequestInit = {}) {
  const response = await fetch(`${status[part] ?? ""}${path}`, { ...init, signal: AbortSignal.timeout(60_000) });
  return { status: response.status, text: (await response.text()).trim() };
}

const logLevel = (...words: readonly string[]) =>
  runProgram(agentdBin, ["log-level", ...words, `--data=${agentd.data}`]);

describe("a running agentd", () => {
  it("is alive and ready in every part", async () => {
    expect(new Set(Object.keys(status))).toEqual(new Set(["agentd", "coordinator", "vllm-sim", ...agentd.workers]));
    for (const part of Object.keys(status)) {
      expect({ part, ...(await ask(part, "/healthz")) }).toEqual({ part, status: 200, text: "ok" });
      await eventually(`${part} is ready`, async () =>
        (await ask(part, "/readyz")).status === 200 ? true : undefined,
      );
    }
  });

  it("changes its log level while it runs, part by part or as a whole, for this machine only", async () => {
    const [worker = ""] = agentd.workers;
    expect(await logLevel("debug", worker)).toMatchObject({ code: 0, stdout: `${worker} debug\n` });
    expect((await logLevel()).stdout.split("\n")).toEqual(
      expect.arrayContaining([`${worker} debug`, "coordinator info", "agentd info"]),
    );
    expect(await logLevel("trace")).toMatchObject({ code: 0 });
    expect((await ask("coordinator", "/loglevel")).text).toBe("trace");
    expect(await logLevel("loud")).toMatchObject({ code: 2 });
    expect(await logLevel("info", "nobody")).toMatchObject({
      code: 1,
      stderr: expect.stringContaining("there is no part nobody; there are agentd, ") as string,
    });
    expect(await ask("coordinator", "/loglevel", { method: "PUT", body: "loud" })).toMatchObject({ status: 400 });
    expect(await ask("coordinator", "/loglevel", { method: "POST", body: "info" })).toMatchObject({ status: 405 });
    expect(await logLevel("info")).toMatchObject({ code: 0 });
  });

  it("is not ready while the model or NATS is away, says which, and is again when they are back", async () => {
    const [worker = ""] = agentd.workers;
    const nats = await agentd.pidOf("nats-server");
    process.kill(nats, "SIGSTOP");
    try {
      for (const part of ["coordinator", worker]) {
        const text = await eventually(`${part} is not ready`, async () => {
          const answer = await ask(part, "/readyz");
          return answer.status === 503 && answer.text.includes("NATS") ? answer.text : undefined;
        });
        expect(text).toMatch(/NATS: no answer within 3s/);
        expect(await ask(part, "/healthz")).toMatchObject({ status: 200 });
      }
    } finally {
      process.kill(nats, "SIGCONT");
    }
    for (const part of ["coordinator", worker, "agentd"]) {
      await eventually(`${part} is ready`, async () =>
        (await ask(part, "/readyz")).status === 200 ? true : undefined,
      );
    }
  });

  it("finishes within its bounds what is at work when it is told to stop, and gives the rest back", async () => {
    using repository = createRepository({ "src/a.js": "var a = 1;\n" });
    const manifest = manifestOf(
      "stopped",
      `  repository: { url: ., ref: main }
  plan: { forEach: { glob: "src/*.js" } }
  template:
    prompt: |
      Convert var to const or let in {{item}}
      [sim: slow 300000ms]
    checks: [{ name: no-var, run: "! grep -nw var {{item}}" }]
`,
    );
    await agentd.ctl(["apply", "-f", "-"], { cwd: repository.path, input: manifest });
    await eventually("a claim", async () => (await tasksOf(agentd, "stopped"))[0]?.status.worker || undefined);
    const [worker = ""] = agentd.workers;
    const startedMs = performance.now();
    const stopped = agentd.stop();
    const draining = await eventually("the worker drains", async () => {
      const answer = await ask(worker, "/readyz").catch(() => undefined);
      return answer?.status === 503 ? answer.text : undefined;
    });
    expect(draining).toContain("draining");
    await stopped;
    const tookMs = performance.now() - startedMs;
    expect(tookMs).toBeGreaterThan(1_500);
    // The task alone would take longer than its model's 300 s; the bounds are 2 s and 8 s.
    expect(tookMs).toBeLessThan(100_000);
    expect(await agentd.log(worker)).toContain("giving leases back");
    await agentd.restart();
    const [task] = await tasksOf(agentd, "stopped");
    // Given back, not lost: no lease had to expire.
    expect(task?.status.attempts?.[0]?.outcome).toBe("Infra");
  });
});
