import { existsSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { AgentdError } from "../../../services/core/errors.ts";
import { until } from "../../support/until.ts";
import { createWorkerStand, isRunning, processesOf, type StartedWorker, type WorkerStand } from "./worker-harness.ts";

const hosts = ["--sandbox", "none"];

/** Whether nothing of any attempt lies in the worker's data folder. */
function isCleared(worker: StartedWorker, name: string): boolean {
  return ["trees", "isolated", "drafts"].every((folder) => {
    const path = join(worker.data, name, folder);
    return !existsSync(path) || readdirSync(path).length === 0;
  });
}

describe("a worker", () => {
  let stand: WorkerStand;
  beforeAll(async () => {
    stand = await createWorkerStand({ "a.txt": "old\n" });
  });
  afterAll(() => stand[Symbol.asyncDispose]());

  const sleeper = (task: string, seconds: string) =>
    stand.assignment({ task, taskText: `Run "sleep ${seconds}"\nCreate ${task}.txt with the text "x"` });

  async function kill(worker: StartedWorker): Promise<void> {
    worker.process.kill("SIGKILL");
    await worker.ended;
  }

  it("stops an attempt that the coordinator disowns: no process, no tree, outcome Cancelled", async () => {
    const { coordinator } = stand;
    const worker = await stand.startWorker("stopped", hosts);
    const assignment = await sleeper("cancelled", "5001");
    await coordinator.offer(assignment);
    await until("the command runs", () => isRunning("sleep 5001"));
    const { uid, task, attempt } = assignment;
    coordinator.stop("stopped", { stop: [{ uid, task, attempt: attempt + 1, reason: "another attempt" }] });
    coordinator.stop("stopped", { stop: [{ uid, task, attempt, reason: "job was cancelled" }] });
    expect(await coordinator.completeOf("cancelled")).toMatchObject({
      outcome: "Cancelled",
      message: "job was cancelled",
    });
    expect(isRunning("sleep 5001")).toBe(false);
    expect(await processesOf("stopped")).toEqual([]);
    expect(isCleared(worker, "stopped")).toBe(true);
    await kill(worker);
  });

  it("claims nothing while it is cordoned, gives back what it is told to, and goes on after", async () => {
    const { coordinator } = stand;
    const worker = await stand.startWorker("cordoned", hosts);
    const held = await sleeper("held", "5002");
    await coordinator.offer(held);
    await until("the command runs", () => isRunning("sleep 5002"));
    const isCordoned = () => coordinator.heartbeats.findLast((beat) => beat.worker === "cordoned")?.isCordoned;
    coordinator.stop("cordoned", { stop: [], isCordoned: true });
    await until("it says so", () => isCordoned() === true);
    const later = await stand.assignment({ task: "later", taskText: 'Create later.txt with the text "x"' });
    await coordinator.offer(later);
    const { uid, task, attempt } = held;
    coordinator.stop("cordoned", { stop: [{ uid, task, attempt, reason: "the worker is drained", giveBack: true }] });
    expect(await coordinator.completeOf("held")).toMatchObject({ outcome: "Infra", message: "the worker is drained" });
    expect(coordinator.claims.some((claim) => claim.task === "later")).toBe(false);
    coordinator.stop("cordoned", { stop: [], isCordoned: false });
    expect(await coordinator.completeOf("later")).toMatchObject({ outcome: "Done" });
    await kill(worker);
  });

  it("stops many attempts at once without leaving a process", async () => {
    const { coordinator } = stand;
    const worker = await stand.startWorker("crowded", [...hosts, "--slots", "24"]);
    const crowd = [];
    for (let index = 0; index < 24; index += 1) crowd.push(await sleeper(`crowd-${index}`, "5007"));
    for (const each of crowd) await coordinator.offer(each);
    const isHeld = (): boolean =>
      (coordinator.heartbeats.findLast((b) => b.worker === "crowded")?.held.length ?? 0) === 24;
    await until("all are held and some run", () => isHeld() && isRunning("sleep 5007"));
    coordinator.stop("crowded", {
      stop: crowd.map(({ uid, task, attempt }) => ({ uid, task, attempt, reason: "enough" })),
    });
    for (const { task } of crowd) expect(await coordinator.completeOf(task)).toMatchObject({ outcome: "Cancelled" });
    expect(await processesOf("crowded")).toEqual([]);
    expect(isCleared(worker, "crowded")).toBe(true);
    await kill(worker);
  });

  it("waits for a model server that is down, and says so in its heartbeats", async () => {
    const { coordinator } = stand;
    const worker = await stand.startWorker("waiting", hosts, "http://127.0.0.1:9/v1");
    await coordinator.offer(await stand.assignment({ task: "engineless", taskText: "Anything." }));
    const last = () => coordinator.heartbeats.findLast((beat) => beat.worker === "waiting");
    await until("it says so", () => last()?.waitingForEngine === 1 && last()?.engineMessage !== undefined);
    expect(last()?.engineMessage).toContain("127.0.0.1:9");
    expect(coordinator.completes.some((complete) => complete.task === "engineless")).toBe(false);
    await kill(worker);
  });

  it("survives a task that kills its process, tells of the death, and its neighbours finish", async () => {
    const { coordinator } = stand;
    const worker = await stand.startWorker("poisoned", hosts);
    const killer = 'Run "setsid sleep 5002 & kill -9 $PPID"\nCreate c.txt with the text "c"';
    await coordinator.offer(await sleeper("neighbour", "1.5"));
    await coordinator.offer(await stand.assignment({ task: "poison", taskText: killer, isIsolated: true }));
    const healthy = { task: "suspect", taskText: 'Create c.txt with the text "c"', isIsolated: true };
    await coordinator.offer(await stand.assignment(healthy));
    expect(await coordinator.completeOf("poison")).toMatchObject({ outcome: "Infra", childDied: true });
    const suspect = await coordinator.completeOf("suspect");
    expect(suspect).toMatchObject({ outcome: "Done" });
    expect(suspect.childDied).toBeUndefined();
    expect(suspect.usage.turns).toBeGreaterThan(0);
    expect(await coordinator.completeOf("neighbour")).toMatchObject({ outcome: "Done" });
    expect(isRunning("sleep 5002")).toBe(false);
    await until("cleared", () => isCleared(worker, "poisoned"));
    await kill(worker);
  });

  it("stops an isolated attempt, too", async () => {
    const { coordinator } = stand;
    const worker = await stand.startWorker("isolating", hosts);
    const assignment = { ...(await sleeper("iso-cancel", "5003")), isIsolated: true };
    await coordinator.offer(assignment);
    await until("the command runs", () => isRunning("sleep 5003"));
    const { uid, task, attempt } = assignment;
    coordinator.stop("isolating", { stop: [{ uid, task, attempt, reason: "enough" }] });
    const result = await coordinator.completeOf("iso-cancel");
    expect(result).toMatchObject({ outcome: "Cancelled", message: "enough" });
    expect(result.childDied).toBeUndefined();
    expect(isRunning("sleep 5003")).toBe(false);
    expect(isCleared(worker, "isolating")).toBe(true);
    await kill(worker);
  });

  it("drains: finishes what it holds, claims nothing more, and ends", async () => {
    const { coordinator } = stand;
    const worker = await stand.startWorker("draining", hosts);
    const go = join(worker.data, "go");
    const taskText = `Run "until [ -e ${go} ]; do sleep 0.05; done"\nCreate last.txt with the text "x"`;
    await coordinator.offer(await stand.assignment({ task: "last", taskText }));
    await coordinator.phaseOf("last", "Working");
    worker.process.kill("SIGTERM");
    await until("says that it drains", () => coordinator.heartbeats.at(-1)?.isDraining === true);
    await coordinator.offer(await sleeper("too-late", "1"));
    writeFileSync(go, "");
    expect(await coordinator.completeOf("last")).toMatchObject({ outcome: "Done" });
    expect(await worker.ended).toEqual({ code: 0, signal: null });
    expect(coordinator.claims.some((claim) => claim.task === "too-late")).toBe(false);
    // Its last word may still be on its way when its process is gone.
    const held = () => coordinator.heartbeats.findLast((beat) => beat.worker === "draining")?.held;
    await until("its last heartbeat", () => held()?.length === 0);
  });

  it("gives its leases back at once at the second SIGTERM", async () => {
    const { coordinator } = stand;
    const worker = await stand.startWorker("leaving", hosts);
    await coordinator.offer(await sleeper("returned", "5004"));
    await until("the command runs", () => isRunning("sleep 5004"));
    worker.process.kill("SIGTERM");
    await until("says that it drains", () => coordinator.heartbeats.at(-1)?.isDraining === true);
    worker.process.kill("SIGTERM");
    expect(await coordinator.completeOf("returned")).toMatchObject({
      outcome: "Infra",
      message: "worker is shutting down",
    });
    expect((await worker.ended).code).toBe(0);
    expect(isRunning("sleep 5004")).toBe(false);
  });

  it("clears away what its killed self left behind, when it starts again", async () => {
    const { coordinator } = stand;
    const first = await stand.startWorker("reborn", hosts);
    const taskText = 'Run "setsid sleep 5005 & sleep 5006"';
    await coordinator.offer(await stand.assignment({ task: "orphan", taskText }));
    await until("the commands run", () => isRunning("sleep 5005") && isRunning("sleep 5006"));
    await kill(first);
    expect(isCleared(first, "reborn")).toBe(false);
    const second = await stand.startWorker("reborn", hosts);
    expect(isRunning("sleep 500[56]")).toBe(false);
    expect(isCleared(second, "reborn")).toBe(true);
    expect(existsSync(join(second.data, "reborn", "repos"))).toBe(true);
    await kill(second);
  });

  it("keeps a finished result until the store has room for it", async () => {
    const { coordinator, link } = stand;
    const worker = await stand.startWorker("full", hosts);
    const setInbox = (bytes: number) => link.jsm.streams.update("OBJ_inbox", { max_bytes: bytes });
    const { max_bytes: before } = (await link.jsm.streams.info("OBJ_inbox")).config;
    await setInbox(1);
    coordinator.completeRefusals.push(new AgentdError("STORE_FULL", "the store is full"));
    await coordinator.offer(await stand.assignment({ task: "kept", taskText: 'Create kept.txt with the text "x"' }));
    await until("the inbox refuses the bundle", () => worker.log().includes('"call":"upload"'));
    await setInbox(before);
    const kept = await coordinator.completeOf("kept");
    expect(kept).toMatchObject({ outcome: "Done", object: expect.any(String) as string });
    expect(coordinator.completeRefusals).toEqual([]);
    await kill(worker);
  });

  it("drops a stale result quietly and goes on", async () => {
    const { coordinator } = stand;
    const worker = await stand.startWorker("stale", hosts);
    const assignment = await stand.assignment({ task: "stale", taskText: 'Create c.txt with the text "c"' });
    coordinator.completeRefusals.push(new AgentdError("ATTEMPT_STALE", "attempt 2 owns the task"));
    await coordinator.offer(assignment);
    await until("the result was dropped", () => worker.log().includes("result dropped"));
    await coordinator.offer(await stand.assignment({ task: "next", taskText: 'Create c.txt with the text "c"' }));
    expect(await coordinator.completeOf("next")).toMatchObject({ outcome: "Done" });
    expect(coordinator.completes.some((complete) => complete.task === "stale")).toBe(false);
    await kill(worker);
  });

  it("works inside bubblewrap where that runs, and says which sandbox it has", async () => {
    const { coordinator } = stand;
    const worker = await stand.startWorker("boxed");
    const outside = join(worker.data, "touched");
    const taskText = `Run "touch ${outside} || true"\nCreate c.txt with the text "c"`;
    const checks = [{ name: "has-it", run: "grep c c.txt && git log -1 --format=%s", timeoutMs: 20_000 }];
    const setup = ["mkdir -p deps && echo x > deps/x"];
    await coordinator.offer(await stand.assignment({ task: "boxed", taskText, checks, setup }));
    expect(await coordinator.completeOf("boxed")).toMatchObject({ outcome: "Done", checks: [{ status: "Passed" }] });
    const { sandbox } = coordinator.heartbeats.findLast((beat) => beat.worker === "boxed") ?? { sandbox: "" };
    expect(sandbox).toMatch(/^(none|bubblewrap \d)/);
    // Without bubblewrap the files outside are open, as the log says.
    expect(existsSync(outside)).toBe(sandbox === "none");
    await kill(worker);
  });

  it("goes on working while NATS is away, and answers when it is back", async () => {
    const { coordinator } = stand;
    const worker = await stand.startWorker("patient", hosts);
    const [begun, go, ended] = ["begun", "go", "ended"].map((name) => join(worker.data, name)) as [
      string,
      string,
      string,
    ];
    const command = `touch ${begun}; until [ -e ${go} ]; do sleep 0.05; done; touch ${ended}`;
    const taskText = `Run "${command}"\nCreate patience.txt with the text "x"`;
    await coordinator.offer(await stand.assignment({ task: "patience", taskText }));
    await until("the command runs", () => existsSync(begun));
    await stand.nats.kill();
    writeFileSync(go, "");
    await until("the command has finished meanwhile", () => existsSync(ended));
    await stand.nats.restart();
    expect(await coordinator.completeOf("patience")).toMatchObject({ outcome: "Done" });
    await kill(worker);
  });
});
