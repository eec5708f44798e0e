import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { isAgentdError } from "../../../services/core/errors.ts";
import type { NatsLink } from "../../../services/platform/nats/connect.ts";
import { type Change, openStore, type ResourceStore } from "../../../services/platform/nats/store/store.ts";
import { defaultLimits } from "../../../services/platform/nats/stream-limits.ts";
import { ensureStreams } from "../../../services/platform/nats/streams.ts";
import { resourcePrefix, streamNames } from "../../../services/platform/nats/subjects.ts";
import { startTestServer, type TestServer } from "../../support/nats-server.ts";
import { until } from "../../support/until.ts";

let server: TestServer;
let link: NatsLink;
let store: ResourceStore & AsyncDisposable;
let signal: AbortSignal;

beforeAll(async () => {
  server = await startTestServer();
  link = await server.connectCoordinator();
});
afterAll(() => server[Symbol.asyncDispose]());
beforeEach(async () => {
  signal = AbortSignal.timeout(110_000);
  // Each test has the stream for itself, from sequence 1.
  await link.jsm.streams.delete(streamNames.resources).catch(() => undefined);
  await ensureStreams(link, defaultLimits, signal);
  store = await openStore(link, {}, signal);
  return async () => {
    await store[Symbol.asyncDispose]();
  };
});

async function write(count: number, prefix = "job.ns.k"): Promise<void> {
  for (let n = 0; n < count; n += 1) {
    const key = `${prefix}${n}`;
    const expected = store.get(key)?.revision ?? 0;
    await store.commit([{ key, value: { n }, expected }], signal);
  }
}

/** The changes of a watch, one by one. */
async function* changesOf(of: ResourceStore, from: number): AsyncGenerator<Change, void, undefined> {
  for await (const page of of.watch(from, signal)) yield* page;
}

/** Changes from `from` until revision `to` was seen. */
async function collect(of: ResourceStore, from: number, to: number): Promise<readonly number[]> {
  const seen: number[] = [];
  for await (const change of changesOf(of, from)) {
    seen.push(change.revision);
    if (change.revision >= to) break;
  }
  return seen;
}

const range = (from: number, to: number): number[] => Array.from({ length: to - from + 1 }, (_, n) => from + n);

const reasonOf = (run: Promise<unknown>): Promise<unknown> =>
  run.then(
    () => "no error",
    (error: unknown) => (isAgentdError(error) ? error.reason : error),
  );

test("a watch from a revision gets every later change in order, old and new, from memory and from the stream", async () => {
  await write(300);
  await using cold = await openStore(link, { bufferedChanges: 5 }, signal);
  for (const of of [store, cold]) {
    expect(await collect(of, 0, 300)).toEqual(range(1, 300));
    expect(await collect(of, 250, 300)).toEqual(range(251, 300));
  }
  const live = collect(cold, 200, 320);
  await write(20, "job.ns.more");
  expect(await live).toEqual(range(201, 320));
});

test("deletions are told, fences are not, and a batch comes in order", async () => {
  const first = await store.commit([{ key: "head.a", value: { n: 1 }, expected: 0 }], signal);
  const writes = ["task.u.a", "task.u.b"].map((key) => ({ key, value: {}, expected: 0 }));
  const second = await store.commit(writes, signal, { key: "head.a", revision: first });
  const third = await store.commit([{ key: "task.u.a", value: undefined, expected: second - 1 }], signal);
  const seen: Change[] = [];
  for await (const change of changesOf(store, 0)) {
    seen.push(change);
    if (change.revision === third) break;
  }
  expect(seen.map(({ key, value }) => [key, value])).toEqual([
    ["head.a", { n: 1 }],
    ["task.u.a", {}],
    ["task.u.b", {}],
    ["task.u.a", undefined],
  ]);
});

test("a watch over a hole in what is stored is expired, and so is one that starts in the future", async () => {
  await write(10);
  const revision = store.get("job.ns.k3")?.revision ?? 0;
  await store.commit([{ key: "job.ns.k3", value: undefined, expected: revision }], signal);
  expect(await store.purgeTombstones(Date.now() + 3_700_000, signal)).toBe(1);
  await write(3, "job.ns.later");
  await using cold = await openStore(link, { bufferedChanges: 1 }, signal);
  expect(await reasonOf(collect(cold, 0, cold.revision))).toBe("WATCH_EXPIRED");
  expect(await reasonOf(collect(cold, cold.revision + 1, 99))).toBe("WATCH_EXPIRED");
  expect(await collect(cold, 11, 14)).toEqual([12, 13, 14]);
});

test("a replay that ends below the newest revision is expired, not silent", async () => {
  await write(5);
  await using cold = await openStore(link, { bufferedChanges: 1 }, signal);
  await link.jsm.streams.deleteMessage(streamNames.resources, 5);
  await link.jsm.streams.deleteMessage(streamNames.resources, 4);
  expect(await reasonOf(collect(cold, 2, 5))).toBe("WATCH_EXPIRED");
});

test("a reader that stalls keeps nothing in memory and misses nothing: it goes on from the stream, then live again", async () => {
  await using small = await openStore(link, { bufferedChanges: 20 }, signal);
  await write(1);
  await small.caughtUp(1, signal);
  const reader = changesOf(small, 0);
  const read = async (count: number): Promise<unknown[]> => {
    const seen: unknown[] = [];
    while (seen.length < count) seen.push((await reader.next()).value?.revision);
    return seen;
  };
  expect(await read(1)).toEqual([1]);
  const live = read(1);
  await write(1, "job.ns.live");
  expect(await live).toEqual([2]);
  // More than a page of the stream, and more than the memory holds.
  await write(300, "job.ns.stall");
  await small.caughtUp(302, signal);
  expect(await read(300)).toEqual(range(3, 302));
  const again = read(1);
  await write(1, "job.ns.again");
  expect(await again).toEqual([303]);
});

test("readers that are far behind share what is read of the stream, each from its own place", async () => {
  await write(600);
  await using cold = await openStore(link, { bufferedChanges: 1 }, signal);
  const starts = [0, 1, 255, 256, 257, 511, 512, 599];
  const seen = await Promise.all(starts.map((from) => collect(cold, from, 600)));
  expect(seen).toEqual(starts.map((from) => range(from + 1, 600)));
});

test("what is read of the stream says what each key held before, as memory does", async () => {
  const set = async (key: string, n: number | undefined): Promise<void> => {
    const value = n === undefined ? undefined : { n };
    await store.commit([{ key, value, expected: store.get(key)?.revision ?? 0 }], signal);
  };
  for (const n of [1, 2]) await set("job.ns.a", n);
  // More than a page lies between a state and the next one.
  await write(300);
  await set("job.ns.a", 3);
  await set("job.ns.a", undefined);
  await set("job.ns.a", 4);
  const fence = { key: "job.ns.a", revision: store.revision };
  await store.commit([{ key: "job.ns.k7", value: { n: 8 }, expected: 10 }], signal, fence);
  await using cold = await openStore(link, { bufferedChanges: 1 }, signal);
  const all = async (of: ResourceStore): Promise<readonly Change[]> => {
    const changes: Change[] = [];
    for await (const change of changesOf(of, 0)) {
      changes.push(change);
      if (change.revision >= store.revision) break;
    }
    return changes;
  };
  const [live, replayed] = [await all(store), await all(cold)];
  expect(live.at(-1)?.before).toMatchObject({ value: { n: 7 }, revision: 10 });
  expect(replayed).toEqual(live);
});

test("a replica that is behind waits until it has the revision", async () => {
  await using other = await openStore(await server.connectCoordinator("other"), {}, signal);
  await write(20);
  const next = collect(other, 20, 21);
  await write(1, "job.ns.last");
  expect(await next).toEqual([21]);
});

test("watchers miss nothing while the server is killed and started again", async () => {
  await using reader = await openStore(await server.connectCoordinator("reader"), {}, signal);
  const seen = collect(reader, 0, 90);
  for (let round = 0; round < 3; round += 1) {
    while (store.revision < (round + 1) * 30) {
      const key = `job.ns.r${store.revision}`;
      const write = store.commit([{ key, value: {}, expected: 0 }], signal);
      await write.catch((error: unknown) => {
        if (!isAgentdError(error, "STORE_UNAVAILABLE") && !isAgentdError(error, "CONFLICT")) throw error;
      });
      await until("connected", () => link.isConnected);
    }
    if (round === 2) break;
    await server.kill();
    await server.restart();
    await until("connected again", () => link.isConnected);
  }
  expect(await seen).toEqual(range(1, 90));
});

test("a stream that lost its newest part is read anew: listeners hear of it, watchers are expired", async () => {
  await write(10);
  const watching = reasonOf(collect(store, 10, 99));
  const heard: Change[] = [];
  store.onChange((change) => heard.push(change));
  // Another stream with the same name, as after a restore from an old backup.
  await link.jsm.streams.delete(streamNames.resources);
  await ensureStreams(link, defaultLimits, signal);
  await link.js.publish(`${resourcePrefix}job.ns.k0`, JSON.stringify({ restored: true }));
  await server.kill();
  await server.restart();
  expect(await watching).toBe("WATCH_EXPIRED");
  await until("the mirror is the new stream", () => store.list("job.ns.").length === 1);
  expect(store.get("job.ns.k0")).toMatchObject({ value: { restored: true }, revision: 1 });
  expect(heard.filter((change) => change.value === undefined)).toHaveLength(9);
  expect(store.revision).toBe(1);
});
