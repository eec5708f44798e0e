import { afterAll, beforeAll, expect, it } from "vitest";
import { taskTable } from "../../../services/agentctl/output/tables/task-table.ts";
import { noUsage } from "../../../services/core/resource.ts";
import type { Attempt } from "../../../services/core/task/task.ts";
import { keys } from "../../../services/platform/nats/subjects.ts";
import { startTestApi, type TestApi } from "../../support/api/api-server.ts";
import { sampleHead, sampleJob, sampleTask, sampleTimeMs } from "../../support/resource-samples.ts";
import { runInProcess } from "../../support/run-in-process.ts";

let api: TestApi;
const call = { signal: AbortSignal.timeout(60_000) };
const uid = "11111111-1111-4111-8111-111111111111";
const parent = "namespaces/default/jobs/one";

const attempt: Attempt = {
  attempt: 1,
  worker: "w-1",
  startedAtMs: sampleTimeMs,
  endedAtMs: sampleTimeMs + 1_000,
  outcome: "GateFailed",
  base: "0".repeat(40),
  checks: [],
  usage: { ...noUsage, turns: 3 },
};

beforeAll(async () => {
  api = await startTestApi();
  const failed = sampleTask("one-b", "Failed", { uid, job: "one" });
  const status = { ...failed.status, attempt: 1, attempts: [attempt], outcome: "GateFailed" as const, message: "red" };
  await api.store.commit(
    [
      { key: keys.job("default", "one"), value: sampleJob({ uid, name: "one", status: { total: 2 } }), expected: 0 },
      { key: keys.head(uid), value: sampleHead({ uid, job: "one" }), expected: 0 },
      { key: keys.task(uid, "one-a"), value: sampleTask("one-a", "Pending", { uid, job: "one" }), expected: 0 },
      { key: keys.task(uid, "one-b"), value: { ...failed, status }, expected: 0 },
    ],
    call.signal,
  );
});
afterAll(() => api[Symbol.asyncDispose]());

it("a list gives only the fields of its read mask, and refuses one that a task does not have", async () => {
  const paths = ["metadata.name", "status.attempts.worker"];
  const { tasks } = await api.tasks.listTasks({ parent, readMask: { paths } }, call);
  expect(tasks).toMatchObject([{ metadata: { name: "one-a" } }, { metadata: { name: "one-b" } }]);
  expect(tasks[1]?.status?.attempts).toMatchObject([{ worker: "w-1", outcome: "", baseCommit: "" }]);
  expect(tasks.map(({ spec, job, status }) => [spec, job, status?.state])).toEqual([
    [undefined, "", ""],
    [undefined, "", ""],
  ]);
  const waits = await api.tasks.listTasks({ parent, readMask: { paths: ["status.waiting_for", "spec.item"] } }, call);
  const whole = await api.tasks.listTasks({ parent }, call);
  expect(waits.tasks.map(({ status }) => status?.waitingFor)).toEqual(
    whole.tasks.map((task) => task.status?.waitingFor),
  );
  expect(waits.tasks[0]?.spec?.item).toBe(whole.tasks[0]?.spec?.item);
  await expect(api.tasks.listTasks({ parent, readMask: { paths: ["status.stat"] } }, call)).rejects.toMatchObject({
    reason: "INVALID_SPEC",
    problems: [{ field: "read_mask" }],
  });
});

it.each([false, true])("agentctl asks for all that its table shows (wide: %s)", async (isWide) => {
  const { tasks } = await api.tasks.listTasks({ parent }, call);
  const { out } = await runInProcess(["get", "tasks", ...(isWide ? ["-o", "wide"] : [])], {
    AGENTD_SERVER: api.address,
  });
  expect(out).toBe(`${taskTable(tasks, { nowMs: Date.now(), isWide, hasNamespace: false })}\n`);
  expect(out).toContain("w-1");
  const all = await runInProcess(["get", "tasks", "-A", "-o", "name"], { AGENTD_SERVER: api.address });
  expect(all.out).toBe("task/one-a\ntask/one-b\n");
});
