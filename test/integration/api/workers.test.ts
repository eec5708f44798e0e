import { randomUUID } from "node:crypto";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { noUsage } from "../../../services/core/resource.ts";
import type { Worker } from "../../../services/core/worker.ts";
import type { HeldAttempt, PoolReport } from "../../../services/core/worker-protocol.ts";
import { keys } from "../../../services/platform/nats/subjects.ts";
import { refusal, startTestApi, type TestApi } from "../../support/api/api-server.ts";
import { sampleHead, sampleJob, sampleTask } from "../../support/resource-samples.ts";

const call = { signal: AbortSignal.timeout(600_000) };
const reports: PoolReport[] = [];
const held: HeldAttempt[] = [];
let api: TestApi;
beforeAll(async () => {
  api = await startTestApi({
    poolReports: () => reports,
    heldAttempt: (worker, { attempt }) => (worker === "w-1" ? held.find((one) => one.attempt === attempt) : undefined),
    bookmarkMs: 100,
  });
});
afterAll(() => api[Symbol.asyncDispose]());

async function addWorker(name: string): Promise<void> {
  const nowMs = Date.now();
  const metadata = {
    name,
    namespace: "",
    uid: randomUUID(),
    labels: {},
    annotations: {},
    generation: 1,
    createdAtMs: nowMs,
  };
  const status = {
    hostname: "h",
    pid: 1,
    version: "0",
    sandbox: "none",
    state: "Ready",
    startedAtMs: nowMs,
    busy: 0,
    lastHeartbeatAtMs: nowMs,
  } as const;
  const value: Worker = { kind: "Worker", metadata, spec: { slots: 4 }, status };
  await api.store.commit([{ key: keys.worker(name), value, expected: 0 }], call.signal);
}

describe("workers", () => {
  it("are cordoned, drained and uncordoned; a watch and their events show it", async () => {
    await addWorker("w-1");
    const { resourceVersion } = await api.workers.listWorkers({}, call);
    const stop = new AbortController();
    const watch = api.workers.watchWorkers({ resourceVersion }, { signal: stop.signal })[Symbol.asyncIterator]();
    const name = "workers/w-1";
    const cordoned = await api.workers.cordonWorker({ name }, call);
    expect(cordoned).toMatchObject({
      spec: { cordoned: true, slots: 4 },
      status: { state: "Cordoned" },
      metadata: { generation: 2n },
    });
    // Once more changes nothing.
    expect((await api.workers.cordonWorker({ name }, call)).metadata?.resourceVersion).toBe(
      cordoned.metadata?.resourceVersion,
    );
    const beforeMs = Date.now();
    const drained = await api.workers.drainWorker({ name, timeout: { seconds: 60n } }, call);
    expect(drained).toMatchObject({ spec: { cordoned: true }, status: { state: "Draining" } });
    const deadline = Number(drained.spec?.drainDeadline?.seconds) * 1_000;
    // In whole seconds.
    expect(deadline).toBeGreaterThan(beforeMs + 59_000);
    expect(deadline).toBeLessThan(Date.now() + 61_000);
    const free = await api.workers.uncordonWorker({ name }, call);
    expect(free).toMatchObject({ spec: { cordoned: false }, status: { state: "Ready" } });
    expect(free.spec?.drainDeadline).toBeUndefined();
    const states: (string | undefined)[] = [];
    while (states.length < 3) states.push((await watch.next()).value?.worker?.status?.state);
    expect(states).toEqual(["Cordoned", "Draining", "Ready"]);
    stop.abort();
    const reasons = async () =>
      (await api.events.listEvents({ parent: name }, call)).events.map(({ reason }) => reason);
    await expect.poll(reasons).toEqual(["CordonRequested", "DrainRequested", "UncordonRequested"]);
  });

  it("are listed and watched by their fields", async () => {
    await addWorker("w-2");
    await api.workers.cordonWorker({ name: "workers/w-2" }, call);
    const { workers } = await api.workers.listWorkers({ fieldSelector: "spec.cordoned=true" }, call);
    expect(workers.map(({ metadata }) => metadata?.name)).toEqual(["w-2"]);
    const watch = api.workers.watchWorkers({ fieldSelector: "status.state=Cordoned" }, call)[Symbol.asyncIterator]();
    expect((await watch.next()).value).toMatchObject({ type: "ADDED", worker: { metadata: { name: "w-2" } } });
    await watch.return?.();
  });

  it("refuses a drain without an end, and workers that are not there", async () => {
    const drain = api.workers.drainWorker({ name: "workers/w-2", timeout: { seconds: 1_000_000n } }, call);
    expect(await refusal(drain)).toMatchObject({ reason: "INVALID_SPEC", fields: ["timeout"] });
    expect(await refusal(api.workers.cordonWorker({ name: "workers/none" }, call))).toMatchObject({
      reason: "NOT_FOUND",
    });
    expect(await refusal(api.workers.cordonWorker({ name: "w-2" }, call))).toMatchObject({ fields: ["name"] });
  });
});

describe("model pools", () => {
  it("are what the workers report, summed up", async () => {
    expect((await api.pools.listModelPools({}, call)).modelPools).toEqual([]);
    const endpoint = { url: "http://a/v1", isHealthy: true, inFlight: 2 };
    const report = {
      name: "default",
      models: ["coder"],
      requestsMax: 8,
      inFlight: 2,
      waiting: 1,
      endpoints: [endpoint],
    };
    const down = { url: "http://b/v1", isHealthy: false, inFlight: 0, message: "connection refused" };
    reports.push(report, { ...report, endpoints: [endpoint, down] });
    const { modelPools } = await api.pools.listModelPools({}, call);
    expect(modelPools).toMatchObject([
      {
        metadata: { name: "default" },
        status: {
          state: "Degraded",
          message: "http://b/v1: connection refused",
          models: ["coder"],
          inFlight: 4,
          waiting: 2,
          cap: 16,
          workers: 2,
          endpoints: [
            { url: "http://a/v1", healthy: true, inFlight: 4, workers: 2 },
            { url: "http://b/v1", healthy: false, workers: 1 },
          ],
        },
      },
    ]);
    reports.splice(0, 2, { ...report, endpoints: [down] });
    expect((await api.pools.getModelPool({ name: "modelPools/default" }, call)).status?.state).toBe("Down");
    expect(await refusal(api.pools.getModelPool({ name: "modelPools/none" }, call))).toMatchObject({
      reason: "NOT_FOUND",
    });
  });
});

it("an attempt that a worker holds counts with what it has used by the last heartbeat, and once only", async () => {
  const uid = randomUUID();
  const used = { ...noUsage, turns: 3, inputTokens: 1_000 };
  const running = sampleTask("t", "Running", { uid, job: "live", status: { attempt: 2, usage: used } });
  const key = keys.task(uid, "t");
  const revision = await api.store.commit(
    [
      { key: keys.job("default", "live"), value: sampleJob({ uid, name: "live", status: { total: 1 } }), expected: 0 },
      { key: keys.head(uid), value: sampleHead({ uid, job: "live" }), expected: 0 },
      { key, value: running, expected: 0 },
    ],
    call.signal,
  );
  const usage = async () =>
    (await api.tasks.getTask({ name: "namespaces/default/jobs/live/tasks/t" }, call)).status?.usage;
  expect(await usage()).toMatchObject({ turns: 3n, inputTokens: 1_000n });
  const ref = { uid, task: "t", attempt: 2 };
  held.push({ ...ref, phase: "Working", usage: { ...noUsage, turns: 4, inputTokens: 500 } });
  expect(await usage()).toMatchObject({ turns: 7n, inputTokens: 1_500n });
  // Its end is stored, and the worker has not said since that it no longer holds it.
  const ended = { ...running, status: { ...running.status, state: "Failed", lease: undefined } };
  await api.store.commit([{ key, value: ended, expected: revision }], call.signal);
  expect(await usage()).toMatchObject({ turns: 3n });
});
