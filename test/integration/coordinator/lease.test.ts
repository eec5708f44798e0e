import { randomUUID } from "node:crypto";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { findCondition } from "../../../services/core/resource.ts";
import type { Worker } from "../../../services/core/worker.ts";
import type { Assignment } from "../../../services/core/worker-protocol.ts";
import { readEvents } from "../../../services/platform/nats/messages/events.ts";
import { keys } from "../../../services/platform/nats/subjects.ts";
import { sampleCheck } from "../../support/resource-samples.ts";
import type { Stage } from "../../support/stage/coordinator-stage.ts";
import { openStage } from "../../support/stage/coordinator-stage.ts";
import { stageJob } from "../../support/stage/staged-job.ts";
import { until } from "../../support/until.ts";

let stage: Stage;

beforeEach(async () => {
  stage = await openStage();
});

afterEach(async () => {
  await stage[Symbol.asyncDispose]();
});

const files = { "a.txt": "a\n" };

async function eventReasons(replica: { link: Parameters<typeof readEvents>[0] }, uid: string): Promise<string[]> {
  const reasons: string[] = [];
  for await (const { event } of readEvents(replica.link, { uid, follow: false }, AbortSignal.timeout(110_000))) {
    reasons.push(event.reason);
  }
  return reasons;
}

describe("a claim", () => {
  it("gets the same answer when it is repeated, and another claim gets none", async () => {
    const replica = await stage.coordinator();
    const job = await stageJob(stage, replica, { files, tasks: { t1: {} } });
    const worker = await stage.worker("w-1");
    const claimId = randomUUID();
    const first = await worker.claim(job.uid, "t1", claimId);
    expect(first.granted).toBe(true);
    expect(await worker.claim(job.uid, "t1", claimId)).toEqual(first);
    expect(await worker.claim(job.uid, "t1")).toMatchObject({ granted: false });
    expect(await worker.claim(job.uid, "unknown")).toMatchObject({ granted: false });
    expect(job.task("t1").status).toMatchObject({ state: "Running", attempt: 1, lease: { worker: "w-1", claimId } });
  });

  it("never exceeds parallelism, however many come at once", async () => {
    const replica = await stage.coordinator();
    const names = Array.from({ length: 12 }, (_, index) => `t${index}`);
    const tasks = Object.fromEntries(names.map((name) => [name, {}]));
    const job = await stageJob(stage, replica, { files, tasks, spec: { parallelism: 3 } });
    const worker = await stage.worker("w-1");
    const replies = await Promise.all(names.map((name) => worker.claim(job.uid, name)));
    expect(replies.filter((reply) => reply.granted)).toHaveLength(3);
    expect(job.tasks().filter((task) => task.status.state === "Running")).toHaveLength(3);
  });

  it("starts a task with a dependency at the head, after that dependency has landed", async () => {
    const replica = await stage.coordinator();
    const tasks = { t1: {}, t2: { dependsOn: ["t1"] }, t3: { dependsOn: ["t2"] } };
    const job = await stageJob(stage, replica, { files, tasks, spec: { backoffLimit: 0 } });
    const worker = await stage.worker("w-1");
    expect(await worker.claim(job.uid, "t2")).toMatchObject({ granted: false });
    await worker.finish(await worker.next(), { "a.txt": "b\n" });
    const second = await worker.next();
    expect(second).toMatchObject({ task: "t2", base: job.head().commit });
    expect(job.head().landed).toBe(1);
    await worker.complete(second, { outcome: "Blocked", message: "cannot" });
    await until("the dependent", () => job.task("t3").status.state === "Cancelled");
    expect(findCondition(job.task("t3").status.conditions, "Executed")?.reason).toBe("DependencyFailed");
    await until("the failure", () => findCondition(job.job().status.conditions, "Failed")?.reason === "TasksFailed");
    expect(job.job().status.finishedAtMs).toBeDefined();
  });
});

describe("a completion", () => {
  it("gets the stored answer when it is repeated, whatever happened since", async () => {
    const replica = await stage.coordinator();
    const job = await stageJob(stage, replica, { files, tasks: { t1: {} } });
    const worker = await stage.worker("w-1");
    const assignment = await worker.next();
    const red = { outcome: "GateFailed" as const, message: "red", checks: [sampleCheck("Failed", "boom")] };
    expect(await worker.complete(assignment, red)).toEqual({ state: "Pending" });
    expect(await worker.complete(assignment, red)).toEqual({ state: "Pending" });
    expect(job.task("t1").status).toMatchObject({ failures: 1, attempt: 1 });
    const again = await worker.next();
    expect(again.notice?.text).toContain("boom");
    expect(await worker.complete(assignment, red)).toEqual({ state: "Running" });
    expect(job.task("t1").status).toMatchObject({ state: "Running", attempt: 2, failures: 1 });
  });

  it("of a stale attempt is refused and leaves an event, and changes nothing", async () => {
    const replica = await stage.coordinator();
    const job = await stageJob(stage, replica, { files, tasks: { t1: {} } });
    const [slow, fast] = [await stage.worker("w-slow"), await stage.worker("w-fast")];
    const stale = await slow.next();
    await slow.complete(stale, { outcome: "Infra", message: "lost my disk" });
    await until("the back-off", () => job.task("t1").status.notBeforeMs < Date.now());
    const current = await fast.next();
    const before = job.task("t1");
    await expect(slow.finish(stale, { "a.txt": "stale\n" })).rejects.toMatchObject({ reason: "ATTEMPT_STALE" });
    expect(job.task("t1")).toEqual(before);
    await fast.finish(current, { "a.txt": "current\n" });
    await until("the landing", () => job.head().landed === 1);
    await expect(slow.finish(stale, { "a.txt": "stale\n" })).rejects.toMatchObject({ reason: "ATTEMPT_STALE" });
    expect(await job.file("a.txt")).toBe("current");
    expect(await eventReasons(replica, job.uid)).toContain("StaleResultRejected");
  });

  it("needs its own token: another worker's or a changed one is refused", async () => {
    const replica = await stage.coordinator();
    await stageJob(stage, replica, { files, tasks: { t1: {}, t2: {} } });
    const [one, two] = [await stage.worker("w-1"), await stage.worker("w-2")];
    const mine = await one.next();
    const theirs = await two.next();
    const forged: readonly Assignment[] = [mine, { ...theirs, token: mine.token }, { ...theirs, attempt: 2 }];
    for (const assignment of forged) {
      await expect(two.complete(assignment, { outcome: "Infra" })).rejects.toMatchObject({ reason: "TOKEN_INVALID" });
    }
  });

  it("is judged by the coordinator's own look at the result", async () => {
    const replica = await stage.coordinator();
    const template = {
      prompt: "Change {{item}}.",
      pool: "default",
      writes: ["{{item}}"],
      checks: [{ name: "test", run: "true", timeoutMs: 1_000 }],
      limits: { turns: 1, tokens: 1, wallMs: 1 },
    };
    const names = ["scope", "checkless", "empty", "garbage", "wrong"];
    const tasks = Object.fromEntries(names.map((name) => [name, { item: `${name}.txt` }]));
    const job = await stageJob(stage, replica, { files, tasks, spec: { template, backoffLimit: 0 } });
    const worker = await stage.worker("w-1");
    const given = new Map<string, Assignment>();
    for (const _ of names) {
      const assignment = await worker.next();
      given.set(assignment.task, assignment);
    }
    const take = (name: string): Assignment => given.get(name) as Assignment;
    await worker.finish(take("scope"), { "scope.txt": "x\n", "other.txt": "x\n" });
    await worker.finish(take("checkless"), { "checkless.txt": "x\n" }, { checks: [] });
    await worker.finish(take("empty"), {});
    await worker.finish(take("wrong"), { "wrong.txt": "x\n" }, { commit: take("wrong").base });
    const garbage = await worker.complete(take("garbage"), { commit: "f".repeat(40) });
    expect(garbage.state).toBe("Failed");
    const outcomes = Object.fromEntries(names.map((name) => [name, job.task(name).status.outcome]));
    expect(outcomes).toEqual({
      scope: "GateFailed",
      checkless: "GateFailed",
      empty: "AlreadyDone",
      garbage: "ProtocolViolation",
      wrong: "ProtocolViolation",
    });
    expect(job.task("scope").status.message).toContain('"other.txt"');
    expect(job.head().landed).toBe(0);
  });
});

describe("a failed attempt", () => {
  it("keeps its result to be read, and its outcome whatever that result is", async () => {
    const replica = await stage.coordinator();
    const names = ["good", "wrong", "garbage"];
    const tasks = Object.fromEntries(names.map((name) => [name, {}]));
    const job = await stageJob(stage, replica, { files, tasks, spec: { backoffLimit: 0 } });
    const worker = await stage.worker("w-1");
    const red = { outcome: "GateFailed" as const, message: "red", checks: [sampleCheck("Failed", "boom")] };
    for (const _ of names) {
      const assignment = await worker.next();
      const { task, base } = assignment;
      const over = task === "wrong" ? { commit: base } : task === "garbage" ? { commit: "f".repeat(40) } : {};
      await worker.finish(assignment, { "a.txt": `${task}\n` }, { ...red, ...over });
    }
    for (const name of names) {
      expect(job.task(name).status).toMatchObject({ state: "Failed", outcome: "GateFailed", message: "red" });
    }
    expect(job.task("good").status.attempts[0]).toMatchObject({
      commit: expect.stringMatching(/^[0-9a-f]{40}$/),
      bundle: expect.any(String),
      changed: { count: 1, paths: ["a.txt"] },
    });
    expect(job.task("good").status.result).toBeUndefined();
    for (const name of ["wrong", "garbage"]) expect(job.task(name).status.attempts[0]?.commit).toBeUndefined();
    expect(job.head().landed).toBe(0);
  });
});

describe("a lease", () => {
  it("is lost by silence: another worker gets the task, isolated, and the late result is refused", async () => {
    const replica = await stage.coordinator({ leaseMs: 600 });
    const job = await stageJob(stage, replica, { files, tasks: { t1: {} } });
    const [silent, other] = [await stage.worker("w-1"), await stage.worker("w-2")];
    const lost = await silent.next();
    await until("the loss", () => job.task("t1").status.state === "Pending");
    expect(job.task("t1").status).toMatchObject({ outcome: "LeaseLost", isSuspect: true, failures: 0, deaths: 0 });
    const current = await other.next();
    expect(current).toMatchObject({ attempt: 2, isIsolated: true });
    // What woke up again still says that it holds attempt 1.
    silent.heartbeat([lost]);
    await until("a stop signal", () => silent.stops.some(({ stop }) => stop.some((one) => one.attempt === 1)));
    await expect(silent.finish(lost, { "a.txt": "late\n" })).rejects.toMatchObject({ reason: "ATTEMPT_STALE" });
    expect(await eventReasons(replica, job.uid)).toEqual(expect.arrayContaining(["LeaseLost", "StaleResultRejected"]));
  });

  it("is kept by heartbeats for as long as they come", async () => {
    const leaseMs = 2_000;
    const replica = await stage.coordinator({ leaseMs });
    const job = await stageJob(stage, replica, { files, tasks: { t1: {} } });
    const worker = await stage.worker("w-1");
    const held = await worker.next();
    const timer = setInterval(() => worker.heartbeat([held]), 100);
    const endMs = performance.now() + 2.5 * leaseMs;
    await until("more than two lease times", () => performance.now() > endMs);
    clearInterval(timer);
    expect(job.task("t1").status).toMatchObject({ state: "Running", attempt: 1 });
    expect(worker.stops).toEqual([]);
  });

  it("does not run out while NATS is away", async () => {
    const leaseMs = 2_000;
    const replica = await stage.coordinator({ leaseMs });
    const job = await stageJob(stage, replica, { files, tasks: { t1: {} } });
    const worker = await stage.worker("w-1");
    const held = await worker.next();
    await stage.server.kill();
    const endMs = performance.now() + 1.5 * leaseMs;
    await until("more than a lease time", () => performance.now() > endMs);
    await stage.server.restart();
    await until("the reconnect", () => replica.link.isConnected && worker.link.isConnected);
    const timer = setInterval(() => worker.heartbeat([held]), 100);
    await until("the lead", () => replica.election.isLeader());
    const laterMs = performance.now() + 1.25 * leaseMs;
    await until("another lease time", () => performance.now() > laterMs);
    expect(job.task("t1").status).toMatchObject({ state: "Running", attempt: 1 });
    await worker.finish(held, { "a.txt": "b\n" });
    clearInterval(timer);
    await until("the landing", () => job.head().landed === 1);
  });

  it("of a cancelled job's task is stopped at once, and nothing of it is accepted", async () => {
    const replica = await stage.coordinator();
    const job = await stageJob(stage, replica, { files, tasks: { t1: {}, t2: {} } });
    const worker = await stage.worker("w-1");
    const held = await worker.next();
    await job.cancel();
    await until("the stop", () => worker.stops.some(({ stop }) => stop.some((one) => one.task === held.task)));
    await expect(worker.finish(held, { "a.txt": "b\n" })).rejects.toMatchObject({ reason: "ATTEMPT_STALE" });
    await until("the condition", () => findCondition(job.job().status.conditions, "Cancelled")?.status === "True");
    await until("the end", () => job.job().status.finishedAtMs !== undefined);
    expect(job.job().status.counts.cancelled).toBe(2);
    expect(job.head().landed).toBe(0);
    const reasons = await eventReasons(replica, job.uid);
    expect(reasons).toContain("AttemptStopped");
    expect(reasons).not.toContain("StaleResultRejected");
  });

  it("shows workers as Ready, Draining no more, and Lost after silence", async () => {
    const replica = await stage.coordinator({ leaseMs: 1_500 });
    const worker = await stage.worker("w-1");
    worker.heartbeat([]);
    const state = () => replica.store.get<Worker>(keys.worker("w-1"))?.value.status.state;
    await until("Ready", () => state() === "Ready");
    await until("Lost", () => state() === "Lost");
    worker.heartbeat([]);
    await until("Ready again", () => state() === "Ready");
    expect(replica.fleet.get("w-1")?.isReachable).toBe(true);
  });
});

describe("two coordinators", () => {
  it("hand the lead over and lose nothing", async () => {
    const first = await stage.coordinator();
    const second = await stage.coordinator();
    expect([first, second].filter((replica) => replica.election.isLeader())).toHaveLength(1);
    const job = await stageJob(stage, second, { files, tasks: { t1: {}, t2: {} } });
    const worker = await stage.worker("w-1");
    const held = await worker.next();
    await first.close();
    await until("the second to lead", () => second.election.isLeader());
    expect(await until("an answer", () => second.index.runningOf(job.uid) === 1)).toBeUndefined();
    await worker.finish(held, { "a.txt": "b\n" });
    await worker.finish(await worker.next(), { "b.txt": "b\n" });
    await until("both landings", () => job.head().landed === 2);
    expect(await job.landed()).toHaveLength(2);
  });
});

describe("limits of a job", () => {
  it("end its tasks when activeDeadlineSeconds are over, and delete it after its time to live", async () => {
    const replica = await stage.coordinator({ orphansEveryMs: 200 });
    const spec = { activeDeadlineSeconds: 1, ttlSecondsAfterFinished: 1 };
    const job = await stageJob(stage, replica, { files, tasks: { t1: {}, t2: {} }, spec });
    await until("the deadline", () => job.tasks().every((task) => task.status.outcome === "DeadlineExceeded"));
    await until("deletion", () => replica.store.get(keys.job("default", "sample")) === undefined);
    await until("the sweep", () => replica.store.list("task.").length + replica.store.list("head.").length === 0);
    expect(replica.store.list("")).toHaveLength(0);
  });
});
