import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { ApiDeps } from "../../../services/coordinator/api/api-deps.ts";
import { findTask } from "../../../services/coordinator/api/find-resource.ts";
import { cancelTask, retryTask } from "../../../services/coordinator/api/tasks/task-verbs.ts";
import { observeJobOf } from "../../../services/coordinator/job-entries.ts";
import { createPlanner } from "../../../services/coordinator/planner/planner.ts";
import { closeHead } from "../../../services/coordinator/reconcile/delete-job.ts";
import { endTasks } from "../../../services/coordinator/reconcile/end-tasks.ts";
import type { Replica } from "../../../services/coordinator/replica.ts";
import { findCondition } from "../../../services/core/resource.ts";
import type { ResourceStore } from "../../../services/platform/nats/store/store.ts";
import { batchMessagesMax } from "../../../services/platform/nats/stream-limits.ts";
import { keyPrefixes } from "../../../services/platform/nats/subjects.ts";
import { jobOf, startTestApi } from "../../support/api/api-server.ts";
import { createRepository } from "../../support/sample-repository.ts";
import type { Stage } from "../../support/stage/coordinator-stage.ts";
import { openStage } from "../../support/stage/coordinator-stage.ts";
import { stageJob } from "../../support/stage/staged-job.ts";
import { until } from "../../support/until.ts";

describe("a job that has ended", () => {
  let stage: Stage;
  let signal: AbortSignal;
  beforeEach(async () => {
    stage = await openStage();
    signal = AbortSignal.timeout(110_000);
  });
  afterEach(() => stage[Symbol.asyncDispose]());

  /** What the verbs on tasks use of the API's needs. */
  function verbs(replica: Replica): ApiDeps {
    const { store, events } = replica;
    const deps: Pick<ApiDeps, "store" | "events" | "nowMs"> = { store, events, nowMs: () => Date.now() };
    return deps as ApiDeps;
  }

  it("is active again with a retried task and ends anew; a closed one takes no retry", async () => {
    const replica = await stage.coordinator();
    const job = await stageJob(stage, replica, { files: { "a.txt": "a\n" }, tasks: { t1: {}, t2: {} } });
    const worker = await stage.worker("w-1");
    const isTrue = (type: string) => findCondition(job.job().status.conditions, type)?.status === "True";
    const find = (task: string) => findTask(replica.store, { namespace: "default", job: job.name, task });
    const first = await worker.next();
    await worker.complete(first, { outcome: "Blocked", message: "no" });
    await worker.finish(await worker.next(), { "b.txt": "b\n" });
    await until("the failure", () => isTrue("Failed") && job.job().status.finishedAtMs !== undefined);

    await retryTask(verbs(replica), find(first.task), signal);
    // At once, however seldom the leader writes it: a client that waits for the job now must not hear of its first end.
    expect(isTrue("Failed")).toBe(false);
    expect(job.job().status.finishedAtMs).toBeUndefined();
    const again = await worker.next();
    expect(again).toMatchObject({ task: first.task, attempt: 2 });
    await worker.complete(again, { outcome: "Blocked", message: "still no" });
    await until("the failure again", () => isTrue("Failed") && job.job().status.finishedAtMs !== undefined);

    await closeHead(replica.store, job.uid, signal);
    await expect(retryTask(verbs(replica), find(first.task), signal)).rejects.toMatchObject({ reason: "JOB_CLOSED" });
    expect(job.task(first.task).status.state).toBe("Failed");
  });

  it("takes no retry once its deadline is over", async () => {
    const replica = await stage.coordinator();
    const spec = { activeDeadlineSeconds: 1 };
    const job = await stageJob(stage, replica, { files: { "a.txt": "a\n" }, tasks: { t1: {} }, spec });
    await until("the deadline", () => job.task("t1").status.outcome === "DeadlineExceeded");
    const found = findTask(replica.store, { namespace: "default", job: job.name, task: "t1" });
    await expect(retryTask(verbs(replica), found, signal)).rejects.toMatchObject({ reason: "STATE_CONFLICT" });
  });

  it("ends a task alone that waits for its merge, and the merge goes on without it", async () => {
    const replica = await stage.coordinator();
    const verify = [{ name: "all", run: "true", timeoutMs: 60_000 }];
    const spec = { merge: { verify, onConflict: "Reopen" as const } };
    const job = await stageJob(stage, replica, { files: { "a.txt": "a\n" }, tasks: { t1: {}, t2: {} }, spec });
    const worker = await stage.worker("w-1");
    await worker.complete(await worker.next("verify"), {});
    const [one, two] = [await worker.next("run"), await worker.next("run")];
    await worker.finish(one, { "one.txt": "1\n" });
    const candidate = await worker.next("verify");
    await worker.finish(two, { "two.txt": "2\n" });
    const found = findTask(replica.store, { namespace: "default", job: job.name, task: one.task });
    await cancelTask(verbs(replica), found, signal);
    // The verdict on a candidate that is not wanted any more comes too late.
    await worker.complete(candidate, {}).catch(() => undefined);
    await worker.complete(await worker.next("verify"), {});
    await until("the other one's landing", () => job.task(two.task).status.state === "Succeeded");
    expect(job.task(one.task).status.state).toBe("Cancelled");
    expect(await job.landed()).toHaveLength(1);
  });
});

it("a job that is cancelled between two batches of its plan gets no more tasks, and all that it has end", async () => {
  await using api = await startTestApi();
  using repository = createRepository({ "src/a.ts": "a" });
  const signal = AbortSignal.timeout(110_000);
  const parent = "namespaces/default";
  const lines = Array.from({ length: 1_200 }, (_, at) => `item ${at}`);
  const spec = { plan: { forEach: { lines } } };
  const job = await api.jobs.createJob({ parent, job: jobOf({ url: repository.path }, "long", spec) }, { signal });
  const uid = job.metadata?.uid ?? "";
  let batches = 0;
  const cancelling: Pick<ResourceStore, "commit"> = {
    async commit(writes, commitSignal, fence) {
      if (fence !== undefined && ++batches === 2) {
        await api.jobs.cancelJob({ name: `${parent}/jobs/long` }, { signal });
      }
      return await api.store.commit(writes, commitSignal, fence);
    },
  };
  const store = Object.assign(Object.create(api.store) as ResourceStore, cancelling);
  const tasks = () => api.store.list<{ status: { state: string } }>(keyPrefixes.tasksOf(uid));
  await expect(createPlanner({ ...api.deps, store }).reconcile(uid, signal)).rejects.toMatchObject({
    reason: "CONFLICT",
  });
  await createPlanner(api.deps).reconcile(uid, signal);
  expect(tasks()).toHaveLength(batchMessagesMax - 1);
  const view = observeJobOf(api.store, uid);
  if (view === undefined) throw new Error("there is no job");
  await endTasks({ ...api.deps, random: Math.random }, view, signal);
  expect(new Set(tasks().map(({ value }) => value.status.state))).toEqual(new Set(["Cancelled"]));
});
