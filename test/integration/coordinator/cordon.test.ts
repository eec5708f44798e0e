import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { cordonWorker, drainWorker, uncordonWorker } from "../../../services/coordinator/api/workers/worker-verbs.ts";
import type { Replica } from "../../../services/coordinator/replica.ts";
import type { Worker } from "../../../services/core/worker.ts";
import { keys } from "../../../services/platform/nats/subjects.ts";
import { openStage, type Stage } from "../../support/stage/coordinator-stage.ts";
import type { ScriptedWorker } from "../../support/stage/scripted-worker.ts";
import { stageJob } from "../../support/stage/staged-job.ts";
import { until } from "../../support/until.ts";

let stage: Stage;
let replica: Replica;
let worker: ScriptedWorker;
const signal = AbortSignal.timeout(600_000);
const duration = (seconds: bigint) => ({ $typeName: "google.protobuf.Duration" as const, seconds, nanos: 0 });
const verbs = () => ({ store: replica.store, events: replica.events, nowMs: () => Date.now() });
const resource = (name: string): Worker | undefined => replica.store.get<Worker>(keys.worker(name))?.value;
const stateOf = (name: string): string | undefined => resource(name)?.status.state;
/** Heartbeats until the condition holds: the leader writes what it hears. */
const beating = (what: string, held: Parameters<ScriptedWorker["heartbeat"]>[0], holds: () => boolean) =>
  until(what, () => {
    worker.heartbeat(held);
    return holds();
  });

beforeEach(async () => {
  stage = await openStage();
  replica = await stage.coordinator();
  worker = await stage.worker("w-1");
  await beating("the worker is Ready", [], () => stateOf("w-1") === "Ready");
});
afterEach(() => stage[Symbol.asyncDispose]());

describe("a cordoned worker", () => {
  it("is refused, told so at once and again, and claims after it was uncordoned", async () => {
    const job = await stageJob(stage, replica, { files: { "a.txt": "a\n" }, tasks: { one: {} } });
    await cordonWorker(verbs(), "w-1", signal);
    expect(await worker.claim(job.uid, "one")).toMatchObject({ granted: false, isCordoned: true });
    expect(job.task("one").status.state).toBe("Pending");
    expect(worker.stops.at(0)).toEqual({ stop: [], isCordoned: true });
    // As after a restart: it does not know, and its heartbeat says so.
    worker.stops.length = 0;
    await beating("it is told again", [], () => worker.stops.some(({ isCordoned }) => isCordoned === true));
    expect(resource("w-1")).toMatchObject({ spec: { cordoned: true }, status: { state: "Cordoned" } });
    await uncordonWorker(verbs(), "w-1", signal);
    expect(await worker.claim(job.uid, "one")).toMatchObject({ granted: true });
  });

  it("that drains keeps what it holds until the deadline, gives it back then, and is Drained", async () => {
    const job = await stageJob(stage, replica, { files: { "a.txt": "a\n" }, tasks: { one: {}, two: {} } });
    const held = [await worker.next(), await worker.next()];
    await drainWorker(verbs(), "w-1", duration(3_600n), signal);
    await beating("it drains", held, () => stateOf("w-1") === "Draining");
    const [first, second] = held;
    if (first === undefined || second === undefined) throw new Error("nothing is held");
    await worker.finish(first, { "a.txt": "b\n" });
    expect(worker.stops.flatMap(({ stop }) => stop)).toEqual([]);
    await drainWorker(verbs(), "w-1", duration(0n), signal);
    const stopped = () => worker.stops.flatMap(({ stop }) => stop);
    await beating("it is told to give back", [second], () => stopped().length > 0);
    const { uid, task, attempt } = second;
    expect(stopped()[0]).toEqual({ uid, task, attempt, reason: "the worker is drained", giveBack: true });
    await worker.complete(second, { outcome: "Infra", message: "the worker is drained" });
    // Another may take it, and nothing was counted against it.
    expect(job.task(task).status).toMatchObject({ state: "Pending", failures: 0 });
    await beating("it is Drained", [], () => stateOf("w-1") === "Drained");
    expect(await worker.claim(uid, task)).toMatchObject({ granted: false, isCordoned: true });
  });
});
