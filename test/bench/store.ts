import { randomUUID } from "node:crypto";
import { openStore, type ResourceStore, type Write } from "../../services/platform/nats/store/store.ts";
import { defaultLimits } from "../../services/platform/nats/stream-limits.ts";
import { ensureStreams } from "../../services/platform/nats/streams.ts";
import { keys } from "../../services/platform/nats/subjects.ts";
import { startTestServer } from "../support/nats-server.ts";
import type { BenchOptions, Figure } from "./figure.ts";

const batchSize = 100;
const value = { kind: "Task", text: "x".repeat(800) };

function writes(uid: string, batch: number): readonly Write[] {
  return Array.from({ length: batchSize }, (_, index) => ({
    key: keys.task(uid, `t-${batch}-${index}`),
    value,
    expected: 0,
  }));
}

async function tasksPerSecond(batches: number, act: (batch: number) => Promise<void>): Promise<number> {
  const started = performance.now();
  for (let batch = 0; batch < batches; batch += 1) await act(batch);
  return (batches * batchSize * 1000) / (performance.now() - started);
}

async function oneByOne(store: ResourceStore, batch: readonly Write[], signal: AbortSignal): Promise<void> {
  for (const write of batch) await store.commit([write], signal);
}

/** How fast tasks are created, every one on disk before it is acknowledged: atomic batches against single writes. */
export async function storeBench({ isSmall }: BenchOptions): Promise<readonly Figure[]> {
  const batches = isSmall ? 2 : 20;
  const signal = AbortSignal.timeout(300_000);
  await using server = await startTestServer();
  const link = await server.connectCoordinator();
  await ensureStreams(link, defaultLimits, signal);
  await using store = await openStore(link, {}, signal);
  const single = randomUUID();
  const slow = await tasksPerSecond(batches, (batch) => oneByOne(store, writes(single, batch), signal));
  const batched = randomUUID();
  const fast = await tasksPerSecond(batches, async (batch) => {
    await store.commit(writes(batched, batch), signal);
  });
  const detail = `${fast.toFixed(0)} tasks/s against ${slow.toFixed(0)}, fsync on`;
  return [
    {
      name: "tasks created in batches of 100",
      value: fast / slow,
      unit: "× faster",
      baseline: "single writes",
      detail,
    },
  ];
}
