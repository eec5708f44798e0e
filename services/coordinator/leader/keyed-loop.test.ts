import { pino } from "pino";
import { expect, it } from "vitest";
import { until } from "../../../test/support/until.ts";
import { AgentdError } from "../../core/errors.ts";
import type { NextRun } from "./keyed-loop.ts";
import { createKeyedLoop } from "./keyed-loop.ts";

const log = pino({ level: "silent" });

function start(reconcile: (key: string, signal: AbortSignal) => Promise<NextRun | undefined>, concurrent = 2) {
  const stopping = new AbortController();
  const loop = createKeyedLoop({ name: "test", log, concurrent, reconcile });
  const ended = loop.run(stopping.signal);
  return {
    loop,
    async stop() {
      stopping.abort();
      await ended;
    },
  };
}

it("never runs one key twice at a time, and runs it again for a wake that came meanwhile", async () => {
  const gate = Promise.withResolvers<void>();
  let running = 0;
  let most = 0;
  let runs = 0;
  const { loop, stop } = start(async () => {
    running += 1;
    runs += 1;
    most = Math.max(most, running);
    await gate.promise;
    running -= 1;
    return undefined;
  });
  loop.wake("a");
  for (let count = 0; count < 5; count += 1) loop.wake("a");
  await until("the runs", () => runs === 1);
  gate.resolve();
  await until("the runs", () => runs === 2);
  expect(most).toBe(1);
  await stop();
  expect(runs).toBe(2);
});

it("runs no more keys at once than allowed", async () => {
  const gate = Promise.withResolvers<void>();
  const seen = new Set<string>();
  const { loop, stop } = start(async (key) => {
    seen.add(key);
    await gate.promise;
    return undefined;
  });
  for (const key of ["a", "b", "c"]) loop.wake(key);
  await until("the runs", () => seen.size === 2);
  expect([...seen]).toEqual(["a", "b"]);
  gate.resolve();
  await until("the runs", () => seen.size === 3);
  await stop();
});

it("comes back after a failure, at once after a lost race", async () => {
  let runs = 0;
  const { loop, stop } = start(async () => {
    runs += 1;
    if (runs === 1) throw new Error("boom");
    if (runs === 2) throw new AgentdError("CONFLICT", "lost");
    return undefined;
  });
  loop.wake("a");
  await until("the runs", () => runs === 3);
  await stop();
  expect(runs).toBe(3);
});

it("lets a wake shorten a time to come back, but not a firm gap", async () => {
  const runs: string[] = [];
  const { loop, stop } = start(async (key) => {
    runs.push(key);
    return { afterMs: 60_000, isFirm: key === "firm" };
  });
  loop.wake("firm");
  loop.wake("loose");
  await until("the runs", () => runs.length === 2);
  loop.wake("firm");
  loop.wake("loose");
  await until("the runs", () => runs.length === 3);
  expect(runs).toEqual(["firm", "loose", "loose"]);
  await stop();
});

it("lets a key rest after a long look: the wakes of that time are one run", async () => {
  let nowMs = 0;
  let runs = 0;
  const stopping = new AbortController();
  const loop = createKeyedLoop({
    name: "test",
    log,
    concurrent: 2,
    monotonicMs: () => nowMs,
    async reconcile(key) {
      if (key === "heavy") runs += 1;
      // The look at the job; what is waited for afterwards costs this thread nothing.
      nowMs += key === "heavy" ? 5 : 0;
      return undefined;
    },
  });
  const ended = loop.run(stopping.signal);
  loop.wake("heavy");
  await new Promise((resolve) => setTimeout(resolve, 0));
  // At once: no machine is so slow that the rest is over meanwhile.
  for (let count = 0; count < 10; count += 1) loop.wake("heavy");
  expect(runs).toBe(1);
  await until("the run after the rest", () => runs === 2);
  stopping.abort();
  await ended;
  expect(runs).toBe(2);
});

it("waits for the runs in flight when it is stopped, and starts nothing more", async () => {
  let hasEnded = false;
  const { loop, stop } = start(async (_key, signal) => {
    await new Promise<void>((resolve) => signal.addEventListener("abort", () => resolve(), { once: true }));
    hasEnded = true;
    return { afterMs: 0 };
  });
  loop.wake("a");
  await stop();
  expect(hasEnded).toBe(true);
});
