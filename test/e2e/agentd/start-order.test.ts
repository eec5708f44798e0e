import { afterAll, beforeAll, expect, it } from "vitest";
import { eventually, runAgentctl } from "../../support/agentd.ts";
import { manifestOf } from "../../support/jobs.ts";
import { startTestServer, type TestServer } from "../../support/nats-server.ts";
import { freePort, openPartsStage, type PartsStage, type TestPart } from "../../support/part.ts";
import { createRepository, type SampleRepository } from "../../support/sample-repository.ts";

let nats: TestServer;
let stage: PartsStage;
let repository: SampleRepository;

beforeAll(async () => {
  nats = await startTestServer();
  stage = await openPartsStage(nats, `http://127.0.0.1:${await freePort()}/v1`);
  repository = createRepository({ "README.md": "a\n" });
});

afterAll(async () => {
  await stage?.[Symbol.asyncDispose]();
  await nats?.[Symbol.asyncDispose]();
  repository?.[Symbol.dispose]();
});

/** Until the part at `http` is not ready and says `why`. */
async function saysThat(http: string, why: string): Promise<void> {
  await eventually(`"${why}" from ${http}`, async () => {
    const answer = await fetch(`http://${http}/readyz`).catch(() => undefined);
    const text = (await answer?.text()) ?? "";
    return answer?.status === 503 && text.includes(why) ? true : undefined;
  });
}

async function logs(part: TestPart, text: string): Promise<void> {
  await eventually(`"${text}" in a log`, async () => (part.log().includes(text) ? true : undefined));
}

it("whatever starts first waits for the others and says so: worker, NATS, coordinator, model server", async () => {
  await nats.kill();
  const workerHttp = `127.0.0.1:${await freePort()}`;
  const worker = stage.worker("w-1", `--http=${workerHttp}`);
  await saysThat(workerHttp, "waiting for NATS");
  await logs(worker, "waiting for NATS");

  await nats.restart();
  // Its probe of the model means that it came past NATS; no coordinator is there, nor any stream.
  await saysThat(workerHttp, "model");
  expect(worker.isRunning).toBe(true);

  await nats.kill();
  const coordinatorHttp = `127.0.0.1:${await freePort()}`;
  const coordinator = stage.coordinator("a", `--http=${coordinatorHttp}`);
  await saysThat(coordinatorHttp, "waiting for NATS");
  await saysThat(workerHttp, "NATS");
  await logs(coordinator, "waiting for NATS");

  await nats.restart();
  const { listen = "" } = await coordinator.ready();
  const ctl = async (args: readonly string[], input = "") =>
    await runAgentctl(["--server", listen, ...args], { cwd: repository.path, input });
  const job = manifestOf(
    "patient",
    `  repository: { url: ., ref: main }
  plan: { forEach: { glob: README.md } }
  template:
    prompt: 'Append the line "b" to README.md'
    checks: [{ name: has-b, run: "grep -qx b README.md" }]
`,
  );
  expect(await ctl(["apply", "-f", "-"], job)).toMatchObject({ code: 0, stderr: "" });
  await saysThat(workerHttp, "model");

  await stage.simulator().ready();
  expect(await ctl(["wait", "job/patient", "--timeout=200s"])).toMatchObject({ code: 0 });
  expect((await ctl(["fsck", "job/patient"])).stdout).toContain("1 task, 1 merge commit, 0 differences");
  // The worker looks at the model server every few seconds: a quick job may end before it has seen it.
  await eventually("a worker that says that it is ready", async () =>
    (await fetch(`http://${workerHttp}/readyz`)).status === 200 ? true : undefined,
  );
  expect([worker.isRunning, coordinator.isRunning]).toEqual([true, true]);
});
