import { afterEach, beforeEach, expect, it } from "vitest";
import { createRest } from "../../../services/coordinator/reconcile/sweep.ts";
import type { Stage } from "../../support/stage/coordinator-stage.ts";
import { openStage } from "../../support/stage/coordinator-stage.ts";
import { stageJob } from "../../support/stage/staged-job.ts";

let stage: Stage;
beforeEach(async () => {
  stage = await openStage();
});
afterEach(() => stage[Symbol.asyncDispose]());

const dayMs = 24 * 3_600_000;

it("loses no lease, no lead and no result when the wall clock jumps forwards and backwards", async () => {
  let offMs = 0;
  const leaseMs = 2_500;
  const replica = await stage.coordinator({ leaseMs, nowMs: () => Date.now() + offMs });
  const losses: boolean[] = [];
  replica.election.onChange((isLeader) => losses.push(isLeader));
  const job = await stageJob(stage, replica, { files: { "a.txt": "a\n" }, tasks: { t1: {} } });
  const worker = await stage.worker("w-1");
  const assignment = await worker.next();
  for (const jumpMs of [3 * dayMs, -3 * dayMs, 3_600_000, -10 * dayMs, 0]) {
    offMs = jumpMs;
    // Leases are looked at several times meanwhile: an expiry by wall time would be seen.
    const endMs = performance.now() + leaseMs / 2;
    while (performance.now() < endMs) {
      worker.heartbeat([assignment]);
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
    expect(job.task(assignment.task).status).toMatchObject({ state: "Running", attempt: 1 });
  }
  expect(losses).toEqual([]);
  offMs = -3 * dayMs;
  expect(await worker.finish(assignment, { "a.txt": "b\n" })).toEqual({ state: "Merging" });
});

it("lets nothing be swept that was not found unreferenced twice, half an hour apart on a clock that cannot jump", () => {
  let nowMs = 0;
  const hasRested = createRest(() => nowMs);
  expect(hasRested("a")).toBe(false);
  nowMs += 29 * 60_000;
  expect(hasRested("a")).toBe(false);
  expect(hasRested("b")).toBe(false);
  nowMs += 2 * 60_000;
  expect([hasRested("a"), hasRested("b")]).toEqual([true, false]);
});
