import { afterEach, beforeEach, expect, it } from "vitest";
import { addCoordinatorMetrics } from "../../../services/coordinator/observe/coordinator-metrics.ts";
import { watchResources } from "../../../services/coordinator/observe/watch-resources.ts";
import type { Replica } from "../../../services/coordinator/replica.ts";
import { createMetrics, type Metrics } from "../../../services/platform/telemetry/metrics.ts";
import { prometheusText } from "../../../services/platform/telemetry/prometheus-text.ts";
import { openStage, type Stage } from "../../support/stage/coordinator-stage.ts";
import { stageJob } from "../../support/stage/staged-job.ts";
import { until } from "../../support/until.ts";

let stage: Stage;
let metrics: Metrics;
const stopping: (() => unknown)[] = [];
beforeEach(async () => {
  stage = await openStage();
  metrics = createMetrics();
});
afterEach(async () => {
  for (const stop of stopping.splice(0)) stop();
  await stage[Symbol.asyncDispose]();
});

/** Measures as a coordinator that leads does. */
function measure(replica: Replica): void {
  const nowMs = (): number => Date.now();
  const ending = new AbortController();
  stopping.push(addCoordinatorMetrics(metrics, replica, nowMs), () => ending.abort());
  void watchResources({ store: replica.store, metrics, record: () => undefined, nowMs }, ending.signal);
}

/** The value of one line as Prometheus reads it; undefined = not there. */
function valueOf(series: string): number | undefined {
  const line = prometheusText(metrics.collect())
    .split("\n")
    .find((each) => each.startsWith(`${series} `));
  return line === undefined ? undefined : Number(line.slice(series.length + 1));
}

it("tasks by outcome, waits, merges and conflicts are counted as they happen, slots and the queue as they are", async () => {
  const replica = await stage.coordinator();
  measure(replica);
  const job = await stageJob(stage, replica, { files: { "a.txt": "1\n" }, tasks: { t1: {}, t2: {} } });
  expect(valueOf('agentd_tasks{kind="Agent",state="Pending"}')).toBe(2);
  await until("the queue grows older", () => (valueOf("agentd_queue_age_seconds") ?? 0) > 0);
  const worker = await stage.worker("w-1");
  const [first, second] = [await worker.next(), await worker.next()];
  expect(valueOf('agentd_tasks{kind="Agent",state="Running"}')).toBe(2);
  expect(valueOf("agentd_queue_age_seconds")).toBe(0);
  await until("both slots are seen busy", () => {
    worker.heartbeat([first, second]);
    return valueOf("agentd_slots_busy") === 2;
  });
  expect([valueOf("agentd_slots"), valueOf("agentd_workers"), valueOf("agentd_leader")]).toEqual([8, 1, 1]);
  await worker.finish(first, { "a.txt": "one\n" });
  await until("the first", () => job.task(first.task).status.state === "Succeeded");
  await worker.finish(second, { "a.txt": "two\n" });
  const again = await worker.next();
  expect(valueOf("agentd_merge_conflicts_total")).toBe(1);
  await worker.complete(again, { outcome: "Blocked", claimed: "blocked", message: "cannot" });
  await until("the second", () => job.task(second.task).status.state === "Failed");
  const lines = {
    'agentd_tasks_ended_total{kind="Agent",state="Succeeded",outcome="Done"}': 1,
    'agentd_tasks_ended_total{kind="Agent",state="Failed",outcome="Blocked"}': 1,
    'agentd_attempts_total{kind="Agent",outcome="Blocked"}': 1,
    'agentd_queue_seconds_count{kind="Agent"}': 3,
    'agentd_merge_seconds_count{result="Landed"}': 1,
    'agentd_merge_seconds_count{result="MergeConflict"}': 1,
    agentd_merge_conflicts_total: 1,
    agentd_lease_losses_total: 0,
  };
  expect(Object.fromEntries(Object.keys(lines).map((series) => [series, valueOf(series)]))).toEqual(lines);
});

it("an attempt whose worker falls silent is counted as lost", async () => {
  const replica = await stage.coordinator({ leaseMs: 600 });
  measure(replica);
  const job = await stageJob(stage, replica, { files: { "a.txt": "1\n" }, tasks: { t1: {} } });
  const worker = await stage.worker("w-1");
  await worker.next();
  await until("the loss", () => job.task("t1").status.state === "Pending");
  expect(valueOf("agentd_lease_losses_total")).toBe(1);
  expect(valueOf('agentd_attempts_total{kind="Agent",outcome="LeaseLost"}')).toBe(1);
});
