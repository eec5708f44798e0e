import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { observeJobOf } from "../../../services/coordinator/job-entries.ts";
import { createJobRepositories } from "../../../services/coordinator/merger/job-repository.ts";
import { mergeStep } from "../../../services/coordinator/merger/merge-step.ts";
import { findCondition } from "../../../services/core/resource.ts";
import { createGit } from "../../../services/platform/git/git.ts";
import { sampleCheck } from "../../support/resource-samples.ts";
import type { Stage } from "../../support/stage/coordinator-stage.ts";
import { openStage } from "../../support/stage/coordinator-stage.ts";
import type { ScriptedWorker } from "../../support/stage/scripted-worker.ts";
import { stageJob } from "../../support/stage/staged-job.ts";
import { until } from "../../support/until.ts";

let stage: Stage;

beforeEach(async () => {
  stage = await openStage();
});

afterEach(async () => {
  await stage[Symbol.asyncDispose]();
});

const verify = [{ name: "all", run: "make test", timeoutMs: 1_000 }];

describe("a job from claims to its branch", () => {
  it("lands every task with one merge commit and its evidence, and is then Complete", async () => {
    const replica = await stage.coordinator();
    const job = await stageJob(stage, replica, {
      files: { "a.txt": "a\n", "b.txt": "b\n", "c.txt": "c\n" },
      tasks: { ta: { item: "a.txt" }, tb: { item: "b.txt" }, tc: { item: "c.txt" } },
    });
    const worker = await stage.worker("w-1");
    for (let count = 0; count < 3; count += 1) {
      const assignment = await worker.next();
      const path = `${assignment.task.slice(1)}.txt`;
      expect(assignment.taskText).toContain(path);
      await worker.finish(assignment, { [path]: "changed\n" });
    }
    await until("completion", () => findCondition(job.job().status.conditions, "Complete")?.status === "True");
    const landed = await job.landed();
    expect([...landed].sort()).toEqual(
      ["a", "b", "c"].map((name) => `sample: change ${name}.txt|default/sample/t${name}@${job.uid}`),
    );
    expect(await job.file("b.txt")).toBe("changed");
    expect(job.head()).toMatchObject({ landed: 3, closed: false });
    expect(job.job().status).toMatchObject({ counts: { succeeded: 3 }, usage: { turns: 9 } });
    expect(job.task("ta").status).toMatchObject({ state: "Succeeded", attempt: 1, outcome: "Done" });
  });

  it("re-opens a task that conflicts, on the new head and with the conflict in its prompt", async () => {
    const replica = await stage.coordinator();
    const job = await stageJob(stage, replica, { files: { "a.txt": "1\n" }, tasks: { t1: {}, t2: {} } });
    const worker = await stage.worker("w-1");
    const [first, second] = [await worker.next(), await worker.next()];
    await worker.finish(first, { "a.txt": "one\n" });
    await until("the first", () => job.task(first.task).status.state === "Succeeded");
    await worker.finish(second, { "a.txt": "two\n" });
    const again = await worker.next();
    expect(again).toMatchObject({ task: second.task, attempt: 2, base: job.head().commit });
    expect(again.notice?.outcome).toBe("MergeConflict");
    expect(again.notice?.text).toContain("a.txt");
    expect(again.notice?.text).toContain("<<<<<<<");
    expect(job.task(second.task).status).toMatchObject({ reopens: 1, failures: 0 });
    await worker.finish(again, { "a.txt": "one and two\n" });
    await until("the second", () => job.task(second.task).status.state === "Succeeded");
    expect(await job.file("a.txt")).toBe("one and two");
    expect(await job.landed()).toHaveLength(2);
  });

  it("lands what it has merged after half a second, without waiting for the rest", async () => {
    const held = Promise.withResolvers<void>();
    const replica = await stage.coordinator({ beforeBatch: () => held.promise });
    const job = await stageJob(stage, replica, { files: { "a.txt": "a\n" }, tasks: { t1: {}, t2: {}, t3: {} } });
    const worker = await stage.worker("w-1");
    for (let count = 0; count < 3; count += 1) {
      const assignment = await worker.next();
      await worker.finish(assignment, { [`${assignment.task}.txt`]: "x\n" });
    }
    const { store, events } = replica;
    const link = await stage.server.connectCoordinator("own");
    const repositories = createJobRepositories({ link, dataDirectory: join(stage.directory, "own") });
    let nowMs = Date.now();
    const landedWith = async (msPerLook: number): Promise<number> => {
      const before = job.head().landed;
      const clock = (): number => (nowMs += msPerLook);
      const view = observeJobOf(store, job.uid);
      if (view === undefined) throw new Error("no job");
      const deps = { store, events, repositories, nowMs: clock, random: Math.random };
      await mergeStep(deps, view, AbortSignal.timeout(110_000));
      return job.head().landed - before;
    };
    expect(await landedWith(600)).toBe(1);
    expect(await landedWith(1)).toBe(2);
    held.resolve();
    expect(await job.landed()).toHaveLength(3);
  });

  it("goes on with an empty disk: a new coordinator builds its cache from the objects", async () => {
    const first = await stage.coordinator();
    const job = await stageJob(stage, first, { files: { "a.txt": "a\n" }, tasks: { t1: {}, t2: {} } });
    const worker = await stage.worker("w-1");
    await worker.finish(await worker.next(), { "one.txt": "1\n" });
    await until("the first", () => job.head().landed === 1);
    await first.close();
    const second = await stage.coordinator();
    await until("a new leader", () => second.election.isLeader());
    const job2 = { ...job, head: () => second.store.get<ReturnType<typeof job.head>>(`head.${job.uid}`)?.value };
    await worker.finish(await worker.next(), { "two.txt": "2\n" });
    await until("the second", () => job2.head()?.landed === 2);
    expect(job2.head()?.bundles).toHaveLength(2);
  });

  it("rolls bundles up so that an empty disk needs few of them", async () => {
    const replica = await stage.coordinator();
    const names = Array.from({ length: 23 }, (_, index) => `t${index}`);
    const tasks = Object.fromEntries(names.map((name) => [name, {}]));
    const job = await stageJob(stage, replica, { files: { "a.txt": "a\n" }, tasks });
    const worker = await stage.worker("w-1");
    for (let count = 1; count <= names.length; count += 1) {
      const assignment = await worker.next();
      await worker.finish(assignment, { [`${assignment.task}.txt`]: "x\n" });
      await until(`landing ${count}`, () => job.head().landed === count);
    }
    expect(job.head().bundles.length).toBeLessThan(10);
    expect(await job.landed()).toHaveLength(names.length);
  });
});

describe("merge.verify", () => {
  it("verifies the base once, then exactly the candidate that lands", async () => {
    const replica = await stage.coordinator();
    const spec = { merge: { verify, onConflict: "Reopen" as const } };
    const job = await stageJob(stage, replica, { files: { "a.txt": "a\n" }, tasks: { t1: {} }, spec });
    const worker = await stage.worker("w-1");
    const base = await worker.next("verify");
    expect(base).toMatchObject({ kind: "Verify", base: job.head().base });
    expect(base.checks.map((check) => check.run)).toEqual(["make test"]);
    await worker.complete(base, {});
    await worker.finish(await worker.next(), { "a.txt": "b\n" });
    const candidate = await worker.next("verify");
    expect(candidate.kind).toBe("Verify");
    expect(candidate.base).not.toBe(job.head().base);
    expect(job.task("t1").status.state).toBe("Merging");
    await worker.complete(candidate, {});
    await until("the landing", () => job.task("t1").status.state === "Succeeded");
    expect(job.head()).toMatchObject({ commit: candidate.base, verified: candidate.base });
    expect(job.job().status.counts.succeeded + job.job().status.counts.merging).toBeLessThanOrEqual(1);
  });

  it("lands what was in flight when the job was suspended, and starts nothing new", async () => {
    const replica = await stage.coordinator();
    const spec = { merge: { verify, onConflict: "Reopen" as const }, parallelism: 1 };
    const job = await stageJob(stage, replica, { files: { "a.txt": "a\n" }, tasks: { t1: {}, t2: {} }, spec });
    const worker = await stage.worker("w-1");
    await worker.complete(await worker.next("verify"), {});
    const running = await worker.next();
    await until("the first start", () => job.job().status.startedAtMs !== undefined);
    await job.suspend();
    await worker.finish(running, { "a.txt": "b\n" });
    await worker.complete(await worker.next("verify"), {});
    await until("the landing", () => job.task("t1").status.state === "Succeeded");
    expect(job.task("t2").status).toMatchObject({ state: "Pending", attempt: 0 });
    await until("its word", () => findCondition(job.job().status.conditions, "Suspended")?.status === "True");
  });

  it("finds the one task that makes the branch red, re-opens it with the output and lands the others", async () => {
    const replica = await stage.coordinator();
    const spec = { merge: { verify, onConflict: "Reopen" as const } };
    const names = ["t1", "t2", "t3", "t4"];
    const tasks = Object.fromEntries(names.map((name) => [name, {}]));
    const job = await stageJob(stage, replica, { files: { "a.txt": "a\n" }, tasks, spec });
    const worker = await stage.worker("w-1");
    // All four are done before the base is verified, so that they stand in one candidate.
    const base = await worker.next("verify");
    for (let count = 0; count < 4; count += 1) {
      const assignment = await worker.next("run");
      await worker.finish(assignment, { [`${assignment.task}.txt`]: assignment.task === "t3" ? "bad\n" : "good\n" });
    }
    await worker.complete(base, {});
    const reopened = await playVerifies(worker, replica, job.uid, (files) => files.includes("bad"));
    expect(reopened).toMatchObject({ task: "t3", attempt: 2 });
    expect(reopened.notice?.outcome).toBe("VerifyFailed");
    expect(reopened.notice?.text).toContain("assertion failed");
    await worker.finish(reopened, { "t3.txt": "good\n" });
    await playVerifies(
      worker,
      replica,
      job.uid,
      (files) => files.includes("bad"),
      () => job.head().landed === 4,
    );
    expect(job.task("t3").status).toMatchObject({ state: "Succeeded", reopens: 1, failures: 0 });
    const landed = await job.landed();
    expect(landed).toHaveLength(4);
    await until("completion", () => findCondition(job.job().status.conditions, "Complete")?.status === "True");
    await until("old verify tasks to go", () => job.tasks().filter((task) => task.spec.kind === "Verify").length <= 2);
  });

  it("fails the job when the base itself is red: nothing merges and its tasks are cancelled", async () => {
    const replica = await stage.coordinator();
    const spec = { merge: { verify, onConflict: "Reopen" as const } };
    const job = await stageJob(stage, replica, { files: { "a.txt": "a\n" }, tasks: { t1: {}, t2: {} }, spec });
    const worker = await stage.worker("w-1");
    const red = { outcome: "GateFailed" as const, checks: [{ ...sampleCheck("Failed"), name: "all" }] };
    const running = await worker.next("run");
    await worker.complete(await worker.next("verify"), red);
    const second = await worker.next("verify");
    expect(second.attempt).toBe(2);
    await worker.complete(second, red);
    await until("failure", () =>
      job
        .tasks()
        .filter((task) => task.spec.kind === "Agent")
        .every((task) => task.status.state === "Cancelled"),
    );
    expect(findCondition(job.job().status.conditions, "Failed")).toMatchObject({ status: "True", reason: "BaseRed" });
    expect(findCondition(job.job().status.conditions, "Cancelled")).toBeUndefined();
    expect(job.head().closed).toBe(true);
    await expect(worker.finish(running, { "x.txt": "x\n" })).rejects.toMatchObject({ reason: "ATTEMPT_STALE" });
  });
});

describe("a merger stopped between its read and its batch", () => {
  it.each(["cancelled", "re-opened", "deleted"] as const)(
    "lands nothing when the job was %s meanwhile",
    async (what) => {
      const reached = Promise.withResolvers<void>();
      const go = Promise.withResolvers<void>();
      const beforeBatch = async (): Promise<void> => {
        reached.resolve();
        await go.promise;
      };
      const replica = await stage.coordinator({ beforeBatch });
      const job = await stageJob(stage, replica, { files: { "a.txt": "a\n" }, tasks: { t1: {} } });
      const worker = await stage.worker("w-1");
      await worker.finish(await worker.next(), { "a.txt": "b\n" });
      await reached.promise;
      const signal = AbortSignal.timeout(110_000);
      const taskKey = `task.${job.uid}.t1`;
      const entry = replica.store.get<ReturnType<typeof job.task>>(taskKey);
      if (entry === undefined) throw new Error("no task");
      if (what === "cancelled") await job.cancel();
      if (what === "re-opened") {
        const { result: _result, ...status } = entry.value.status;
        const value = { ...entry.value, status: { ...status, state: "Pending", startAtHead: true, attempt: 1 } };
        await replica.store.commit([{ key: taskKey, value, expected: entry.revision }], signal);
      }
      if (what === "deleted") {
        await job.cancel();
        const jobEntry = replica.store.get(`job.default.${job.name}`);
        await replica.store.commit(
          [{ key: `job.default.${job.name}`, value: undefined, expected: jobEntry?.revision ?? 0 }],
          signal,
        );
      }
      const again =
        what === "deleted" ? await stageJob(stage, replica, { files: { "a.txt": "a\n" }, tasks: { t1: {} } }) : job;
      go.resolve();
      // What a merger that goes on as if nothing had happened would hide: the task as the change left it.
      const next = what === "cancelled" ? undefined : await worker.next();
      await until("the outcome", () => what !== "cancelled" || job.task("t1").status.state === "Cancelled");
      const expected = {
        cancelled: undefined,
        "re-opened": { uid: job.uid, attempt: 2 },
        deleted: { uid: again.uid, attempt: 1 },
      };
      expect(next === undefined ? undefined : { uid: next.uid, attempt: next.attempt }).toEqual(expected[what]);
      expect(again.head()).toMatchObject({ commit: again.head().base, landed: 0, bundles: [] });
    },
  );
});

/** Answers Verify tasks by the content of their commit until an Agent task comes, or `isDone`. */
async function playVerifies(
  worker: ScriptedWorker,
  replica: Awaited<ReturnType<Stage["coordinator"]>>,
  uid: string,
  isRed: (files: string) => boolean,
  isDone: () => boolean = () => false,
) {
  const git = createGit({ gitDir: `${stage.directory}/coordinator-1/repos/${uid}.git` });
  void replica;
  for (;;) {
    if (isDone()) return undefined as never;
    const assignment = await Promise.race([worker.next(), until("the end", isDone, 100_000).then(() => undefined)]);
    if (assignment === undefined) return undefined as never;
    if (assignment.kind === "Agent") return assignment;
    const { stdout } = await git.run(["grep", "-h", "-e", ".", assignment.base], {}, AbortSignal.timeout(110_000));
    const red = isRed(stdout.toString("utf8"));
    const check = { ...sampleCheck(red ? "Failed" : "Passed", red ? "assertion failed" : ""), name: "all" };
    await worker.complete(assignment, { outcome: red ? "GateFailed" : "Done", checks: [check] });
  }
}
