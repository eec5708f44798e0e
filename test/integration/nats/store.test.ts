import { headers } from "@nats-io/nats-core";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { isAgentdError } from "../../../services/core/errors.ts";
import type { NatsLink } from "../../../services/platform/nats/connect.ts";
import { openStore, type ResourceStore } from "../../../services/platform/nats/store/store.ts";
import { defaultLimits } from "../../../services/platform/nats/stream-limits.ts";
import { ensureStreams } from "../../../services/platform/nats/streams.ts";
import { resourcePrefix, streamNames } from "../../../services/platform/nats/subjects.ts";
import { startTestServer, type TestServer } from "../../support/nats-server.ts";
import { until } from "../../support/until.ts";

let server: TestServer;
let link: NatsLink;
let store: ResourceStore & AsyncDisposable;
let signal: AbortSignal;
let counter = 0;

beforeAll(async () => {
  signal = AbortSignal.timeout(110_000);
  server = await startTestServer();
  link = await server.connectCoordinator();
  await ensureStreams(link, defaultLimits, signal);
  store = await openStore(link, {}, signal);
});
afterAll(async () => {
  await store[Symbol.asyncDispose]();
  await server[Symbol.asyncDispose]();
});
beforeEach(() => {
  signal = AbortSignal.timeout(110_000);
  counter += 1;
});

const key = (name: string): string => `job.t${counter}.${name}`;
const reasonOf = (run: Promise<unknown>): Promise<unknown> =>
  run.then(
    () => "no error",
    (error: unknown) => (isAgentdError(error) ? error.reason : error),
  );

describe("one write", () => {
  test("is seen by its writer at once, in the mirror and at the leader", async () => {
    const revision = await store.commit([{ key: key("a"), value: { n: 1 }, expected: 0 }], signal);
    expect(store.get(key("a"))).toMatchObject({ value: { n: 1 }, revision });
    expect(await store.read(key("a"), signal)).toMatchObject({ value: { n: 1 }, revision });
    expect(store.revision).toBeGreaterThanOrEqual(revision);
  });

  test("of a key that moved on is refused and changes nothing", async () => {
    const first = await store.commit([{ key: key("a"), value: { n: 1 }, expected: 0 }], signal);
    await store.commit([{ key: key("a"), value: { n: 2 }, expected: first }], signal);
    expect(await reasonOf(store.commit([{ key: key("a"), value: { n: 3 }, expected: first }], signal))).toBe(
      "CONFLICT",
    );
    expect(await reasonOf(store.commit([{ key: key("a"), value: { n: 3 }, expected: 0 }], signal))).toBe("CONFLICT");
    expect((await store.read(key("a"), signal))?.value).toEqual({ n: 2 });
  });

  test("above 32 KiB is refused before it is sent", async () => {
    const value = { text: "x".repeat(33 * 1_024) };
    expect(await reasonOf(store.commit([{ key: key("a"), value, expected: 0 }], signal))).toBe("LIMIT_EXCEEDED");
    expect(await store.read(key("a"), signal)).toBeUndefined();
  });

  test("of 16 racing writers wins exactly once, also across two stores", async () => {
    await using other = await openStore(await server.connectCoordinator("other"), {}, signal);
    const results = await Promise.all(
      Array.from({ length: 16 }, (_, n) =>
        reasonOf((n % 2 === 0 ? store : other).commit([{ key: key("a"), value: { n }, expected: 0 }], signal)),
      ),
    );
    expect(results.filter((result) => result === "no error")).toHaveLength(1);
    expect(results.filter((result) => result === "CONFLICT")).toHaveLength(15);
  });
});

describe("a deleted key", () => {
  test("is absent, and can be made again, but not by who still has its old revision", async () => {
    const first = await store.commit([{ key: key("a"), value: { n: 1 }, expected: 0 }], signal);
    const gone = await store.commit([{ key: key("a"), value: undefined, expected: first }], signal);
    expect(store.get(key("a"))).toBeUndefined();
    expect(await store.read(key("a"), signal)).toBeUndefined();
    expect(await reasonOf(store.commit([{ key: key("a"), value: {}, expected: first }], signal))).toBe("CONFLICT");
    const again = await store.commit([{ key: key("a"), value: { n: 2 }, expected: 0 }], signal);
    expect(again).toBeGreaterThan(gone);
  });

  test("can be made again after its tombstone was purged, also by a replica that did not purge it", async () => {
    await using other = await openStore(await server.connectCoordinator("other"), {}, signal);
    const names = ["a", "b"].map(key);
    for (const name of names) {
      const revision = await store.commit([{ key: name, value: {}, expected: 0 }], signal);
      await other.caughtUp(await store.commit([{ key: name, value: undefined, expected: revision }], signal), signal);
    }
    expect(await store.purgeTombstones(Date.now(), signal)).toBe(0);
    expect(await store.purgeTombstones(Date.now() + 3_700_000, signal)).toBeGreaterThanOrEqual(2);
    const query = { last_by_subj: `${resourcePrefix}${key("a")}` };
    expect(await link.jsm.streams.getMessage(streamNames.resources, query)).toBeNull();
    await store.commit([{ key: key("a"), value: { by: "purger" }, expected: 0 }], signal);
    await other.commit([{ key: key("b"), value: { by: "other" }, expected: 0 }], signal);
    expect(other.get(key("b"))?.value).toEqual({ by: "other" });
  });
});

describe("a batch", () => {
  test("changes all keys or none", async () => {
    const first = await store.commit([{ key: key("head"), value: { n: 1 }, expected: 0 }], signal);
    const writes = (expected: number) => [
      { key: key("head"), value: { n: 2 }, expected },
      { key: key("t1"), value: { done: true }, expected: 0 },
      { key: key("t2"), value: { done: true }, expected: 0 },
    ];
    // The mirror of a second store does not know the key: the server itself must refuse.
    expect(await reasonOf(store.commit(writes(first + 100), signal))).toBe("CONFLICT");
    expect(await store.read(key("t1"), signal)).toBeUndefined();
    const last = await store.commit(writes(first), signal);
    expect(store.get(key("t2"))?.revision).toBe(last);
    expect(store.get(key("head"))?.revision).toBe(last - 2);
    expect(await reasonOf(store.commit(writes(first), signal))).toBe("CONFLICT");
    expect(store.get(key("t1"))?.revision).toBe(last - 1);
  });

  test("is never seen by halves", async () => {
    const torn: string[] = [];
    const stop = store.onChange((change) => {
      if (!change.key.startsWith(`job.t${counter}.`)) return;
      const values = ["x", "y"].map((name) => (store.get(key(name))?.value as { n: number } | undefined)?.n);
      if (values[0] !== values[1]) torn.push(JSON.stringify(values));
    });
    let revisions = [0, 0];
    for (let n = 0; n < 20; n += 1) {
      const writes = ["x", "y"].map((name, index) => ({
        key: key(name),
        value: { n },
        expected: revisions[index] ?? 0,
      }));
      const last = await store.commit(writes, signal);
      revisions = [last - 1, last];
    }
    stop();
    expect(torn).toEqual([]);
  });

  test("is fenced by a key that it does not change", async () => {
    const head = await store.commit([{ key: key("head"), value: { open: true }, expected: 0 }], signal);
    const create = (name: string) => [{ key: key(name), value: {}, expected: 0 }];
    const fence = { key: key("head"), revision: head };
    await store.commit(create("t1"), signal, fence);
    await store.commit(create("t2"), signal, fence);
    expect(store.get(key("head"))?.revision).toBe(head);
    expect(store.list("fence.")).toEqual([]);
    const closed = await store.commit([{ key: key("head"), value: { open: false }, expected: head }], signal);
    expect(await reasonOf(store.commit(create("t3"), signal, fence))).toBe("CONFLICT");
    // The server refuses too when the mirror has no opinion.
    const ahead = { key: key("head"), revision: closed + 1_000 };
    expect(await reasonOf(store.commit(create("t3"), signal, ahead))).toBe("CONFLICT");
    expect(await store.read(key("t3"), signal)).toBeUndefined();
  });

  test("of 1,000 messages is taken, of 1,001 refused", async () => {
    const writes = (count: number) =>
      Array.from({ length: count }, (_, n) => ({ key: key(`m${n}`), value: { n }, expected: 0 }));
    expect(await reasonOf(store.commit(writes(1_001), signal))).toBe("LIMIT_EXCEEDED");
    await store.commit(writes(1_000), signal);
    expect(store.list(`job.t${counter}.`)).toHaveLength(1_000);
  });

  test("is written whole with 99 others at once", async () => {
    const many = Array.from({ length: 100 }, (_, n) =>
      store.commit(
        [
          { key: key(`a${n}`), value: { n }, expected: 0 },
          { key: key(`b${n}`), value: { n }, expected: 0 },
        ],
        signal,
      ),
    );
    await Promise.all(many);
    expect(store.list(`job.t${counter}.`)).toHaveLength(200);
  });
});

describe("when the server is killed", () => {
  test("nothing acknowledged is lost, nothing is torn, and the mirror goes on by itself", async () => {
    await using reader = await openStore(await server.connectCoordinator("reader"), {}, signal);
    const acknowledged = new Map<string, number>();
    for (let round = 0; round < 4; round += 1) {
      const writing = (async () => {
        for (let n = 0; n < 200; n += 1) {
          const names = [key(`r${round}-${n}-a`), key(`r${round}-${n}-b`)];
          const writes = names.map((name) => ({ key: name, value: { n }, expected: 0 }));
          try {
            const last = await store.commit(writes, signal);
            acknowledged.set(names[0] ?? "", last - 1);
            acknowledged.set(names[1] ?? "", last);
          } catch (error) {
            if (!isAgentdError(error, "STORE_UNAVAILABLE")) throw error;
            return;
          }
        }
      })();
      await until("some writes", () => acknowledged.size > round * 20 + 20);
      await server.kill();
      await writing;
      await server.restart();
      await until("the writer is back", () => link.isConnected);
    }
    await until("the store writes again", async () => {
      return (
        (await reasonOf(store.commit([{ key: key("end"), value: {}, expected: 0 }], signal))) !== "STORE_UNAVAILABLE"
      );
    });
    await reader.caughtUp(store.revision, signal);
    for (const [name, revision] of acknowledged) {
      expect(store.get(name)?.revision).toBe(revision);
      expect(reader.get(name)?.revision).toBe(revision);
    }
    const half = store.list(`job.t${counter}.r`).filter(({ key: name }) => {
      const twin = name.endsWith("-a") ? name.replace(/a$/, "b") : name.replace(/b$/, "a");
      return store.get(twin) === undefined;
    });
    expect(half).toEqual([]);
    expect(acknowledged.size).toBeGreaterThan(40);
  });

  test("a batch that the server has no room for says that nothing was written", async () => {
    // The server keeps at most 50 unfinished batches a stream.
    for (let n = 0; n < 50; n += 1) {
      const hdrs = headers();
      hdrs.set("Nats-Batch-Id", `unfinished-${n}`);
      hdrs.set("Nats-Batch-Sequence", "1");
      link.connection.publish(`${resourcePrefix}${key(`open${n}`)}`, "{}", { headers: hdrs });
    }
    const writes = ["a", "b"].map((name) => ({ key: key(name), value: {}, expected: 0 }));
    const error = await store.commit(writes, signal).catch((caught: unknown) => caught);
    expect(error).toMatchObject({ reason: "STORE_UNAVAILABLE", metadata: { outcome: "none" } });
    expect(await store.read(key("a"), signal)).toBeUndefined();
    await server.kill();
    await server.restart();
    await until("connected again", () => link.isConnected);
    await store.commit(writes, signal);
    expect(store.list(`job.t${counter}.`)).toHaveLength(2);
  });

  test("a write that was not sent says that nothing was written", async () => {
    await server.kill();
    await until("the loss is noticed", () => !link.isConnected);
    const error = await store.commit([{ key: key("a"), value: {}, expected: 0 }], signal).catch((e: unknown) => e);
    expect(error).toMatchObject({ reason: "STORE_UNAVAILABLE", metadata: { outcome: "none" }, retryAfterMs: 1_000 });
    await server.restart();
    await until("connected again", () => link.isConnected);
  });
});
