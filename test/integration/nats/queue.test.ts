import { nanos } from "@nats-io/nats-core";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { AgentdError } from "../../../services/core/errors.ts";
import type { NatsLink } from "../../../services/platform/nats/connect.ts";
import { type AgentdEvent, appendEvent, readEvents } from "../../../services/platform/nats/messages/events.ts";
import { countHints, publishHint, pullHints, removeHint } from "../../../services/platform/nats/messages/hints.ts";
import { request, serve } from "../../../services/platform/nats/messages/requests.ts";
import { createTranscriptWriter, readTranscripts } from "../../../services/platform/nats/messages/transcripts.ts";
import { type HintKind, streamNames, subjects } from "../../../services/platform/nats/subjects.ts";
import { startTestStreams, type TestStreams } from "../../support/nats-server.ts";
import { until } from "../../support/until.ts";

const uid = "6f1b6a3e-0c52-4c0e-9a53-3f6d7c1b2a90";
let streams: TestStreams;
let link: NatsLink;
let worker: NatsLink;
let signal: AbortSignal;

beforeAll(async () => {
  streams = await startTestStreams({ hintAckWaitMs: 1_000 });
  ({ link, worker } = streams);
});
afterAll(() => streams[Symbol.asyncDispose]());
beforeEach(async () => {
  signal = AbortSignal.timeout(110_000);
  await link.jsm.streams.purge(streamNames.hints);
});

const queued = async (kind: HintKind): Promise<number> => (await countHints(link, kind, signal)).queued;

describe("hints", () => {
  test("one that is already there is present, also while a worker holds it, and can be given again after its ack", async () => {
    expect(await publishHint(link, "run", uid, "t1", signal)).toBe("published");
    expect(await publishHint(link, "run", uid, "t1", signal)).toBe("present");
    expect(await publishHint(link, "verify", uid, "t1", signal)).toBe("published");
    const [hint] = await pullHints(worker, { kind: "run", max: 1, expiresMs: 2_000 }, signal);
    expect(await publishHint(link, "run", uid, "t1", signal)).toBe("present");
    expect(await countHints(link, "run", signal)).toEqual({ queued: 1, handedOut: 1 });
    hint?.ack();
    await until("it is gone", async () => (await countHints(link, "run", signal)).queued === 0);
    expect(await publishHint(link, "run", uid, "t1", signal)).toBe("published");
  });

  test("several are taken at once, those of the other kind are not", async () => {
    for (const task of ["a", "b", "c"]) await publishHint(link, "run", uid, task, signal);
    await publishHint(link, "verify", uid, "v", signal);
    await until("they can be taken", async () => (await queued("run")) === 3 && (await queued("verify")) === 1);
    const verify = await pullHints(worker, { kind: "verify", max: 8, expiresMs: 0 }, signal);
    const run = await pullHints(worker, { kind: "run", max: 8, expiresMs: 0 }, signal);
    expect(verify.map((hint) => hint.task)).toEqual(["v"]);
    expect(run.map((hint) => hint.task)).toEqual(["a", "b", "c"]);
    expect(await pullHints(worker, { kind: "run", max: 8, expiresMs: 0 }, signal)).toEqual([]);
  });

  test("a pull that waits is answered when a hint comes, and ends empty when none does", async () => {
    const waiting = pullHints(worker, { kind: "run", max: 4, expiresMs: 5_000 }, signal);
    await until("it waits", async () => (await link.jsm.consumers.info(streamNames.hints, "run")).num_waiting > 0);
    await publishHint(link, "run", uid, "late", signal);
    const found = await waiting;
    expect(found.map((hint) => hint.task)).toEqual(["late"]);
    found[0]?.ack();
    expect(await pullHints(worker, { kind: "run", max: 4, expiresMs: 50 }, signal)).toEqual([]);
  });

  test("one that was given back, or whose worker died, is handed out again", async () => {
    await publishHint(link, "run", uid, "t1", signal);
    const pull = () => pullHints(worker, { kind: "run", max: 1, expiresMs: 3_000 }, signal);
    (await pull())[0]?.release();
    const second = await pull();
    expect(second[0]?.deliveries).toBe(2);
    // Not acknowledged: after the ack wait it comes again, and again.
    expect((await pull())[0]?.deliveries).toBe(3);
  });

  test("a waiting pull of a worker that is gone swallows no hint", async () => {
    const gone = await streams.server.connectWorker("w9");
    const waiting = pullHints(gone, { kind: "run", max: 1, expiresMs: 10_000 }, signal).catch(() => []);
    await until("it waits", async () => (await link.jsm.consumers.info(streamNames.hints, "run")).num_waiting > 0);
    await gone.close();
    await waiting;
    await publishHint(link, "run", uid, "t1", signal);
    const found = await pullHints(worker, { kind: "run", max: 1, expiresMs: 500 }, signal);
    expect(found[0]?.deliveries).toBe(1);
  });

  test("one that arrives when its pull was given up goes back at once", async () => {
    // Long enough that the test would fail if it were waited for.
    await link.jsm.consumers.update(streamNames.hints, "run", { ack_wait: nanos(600_000) });
    const stop = new AbortController();
    const late: NatsLink["connection"]["subscribe"] = (subject, options = {}) =>
      worker.connection.subscribe(subject, {
        ...options,
        callback(error, message) {
          const isHint = message.subject !== subject;
          if (isHint) stop.abort(new Error("given up"));
          setImmediate(() => void options.callback?.(error, message));
        },
      });
    const connection = new Proxy(worker.connection, {
      get: (of, key) => (key === "subscribe" ? late : Reflect.get(of, key)),
    });
    await publishHint(link, "run", uid, "t1", signal);
    await expect(
      pullHints({ ...worker, connection }, { kind: "run", max: 2, expiresMs: 45_000 }, stop.signal),
    ).rejects.toThrow("given up");
    const [again] = await pullHints(worker, { kind: "run", max: 1, expiresMs: 45_000 }, signal);
    expect(again).toMatchObject({ task: "t1", deliveries: 2 });
    again?.ack();
    await link.jsm.consumers.update(streamNames.hints, "run", { ack_wait: nanos(1_000) });
  });

  test("can be removed", async () => {
    await publishHint(link, "run", uid, "t1", signal);
    await removeHint(link, "run", uid, "t1", signal);
    expect(await pullHints(worker, { kind: "run", max: 1, expiresMs: 0 }, signal)).toEqual([]);
  });
});

describe("requests", () => {
  test("an error comes out as it went in, an unknown one without its text", async () => {
    await using _serving = serve(link, subjects.allCompletes, async ({ body }) => {
      if ((body as { kind: string }).kind === "stale") {
        throw new AgentdError("ATTEMPT_STALE", "attempt 2 of t1 is over", { metadata: { attempt: "2" } });
      }
      throw new Error("secret path /x");
    });
    await link.connection.flush();
    const ask = (kind: string) => request(worker, subjects.complete("w1"), { kind }, { timeoutMs: 45_000 }, signal);
    await expect(ask("stale")).rejects.toMatchObject({
      reason: "ATTEMPT_STALE",
      message: "attempt 2 of t1 is over",
      metadata: { attempt: "2" },
    });
    await expect(ask("bug")).rejects.toMatchObject({ reason: "INTERNAL", message: "internal error" });
  });

  test("without a coordinator, or without an answer, the store counts as unavailable", async () => {
    const ask = () => request(worker, subjects.claim("w1"), {}, { timeoutMs: 200 }, signal);
    await expect(ask()).rejects.toMatchObject({ reason: "STORE_UNAVAILABLE" });
    const hanging = Promise.withResolvers<object>();
    const serving = serve(link, subjects.allClaims, () => hanging.promise);
    await link.connection.flush();
    await expect(ask()).rejects.toMatchObject({ reason: "STORE_UNAVAILABLE", metadata: { outcome: "unknown" } });
    hanging.resolve({});
    await serving.close();
  });

  test("more calls at once than allowed are refused at once", async () => {
    const hanging = Promise.withResolvers<object>();
    const serving = serve(link, subjects.allClaims, () => hanging.promise, { concurrent: 2 });
    await link.connection.flush();
    const ask = () => request(worker, subjects.claim("w1"), {}, { timeoutMs: 45_000 }, signal);
    const taken = [ask(), ask()];
    await expect(ask()).rejects.toMatchObject({ reason: "STORE_UNAVAILABLE", metadata: { outcome: "none" } });
    hanging.resolve({ done: true });
    expect(await Promise.all(taken)).toEqual([{ done: true }, { done: true }]);
    await serving.close();
  });
});

describe("transcripts and events", () => {
  test("a transcript is read from its start and followed, whatever worker wrote it, over a killed server", async () => {
    const of = { worker: "w1", uid, task: "t1", attempt: 1 };
    const writer = createTranscriptWriter(worker, of);
    await writer.append({ turn: 1 }, signal);
    await createTranscriptWriter(worker, { ...of, task: "other" }).append({ turn: 99 }, signal);
    const other = createTranscriptWriter(await streams.server.connectWorker("w2"), { ...of, worker: "w2", attempt: 2 });
    await other.append({ turn: 2 }, signal);
    const stored: unknown[] = [];
    for await (const item of readTranscripts(link, { uid, task: "t1", follow: false }, signal)) {
      stored.push([item.worker, item.attempt, item.value]);
    }
    expect(stored).toEqual([
      ["w1", 1, { turn: 1 }],
      ["w2", 2, { turn: 2 }],
    ]);
    const followed: unknown[] = [];
    const following = (async () => {
      for await (const item of readTranscripts(link, { uid, task: "t1", attempt: 1, follow: true }, signal)) {
        followed.push(item.value);
        if (followed.length === 4) return;
      }
    })();
    await until("the first is read", () => followed.length === 1);
    await writer.append({ turn: 3 }, signal);
    await streams.server.kill();
    const written = writer.append({ turn: 4 }, signal);
    await streams.server.restart();
    await written;
    await writer.append({ turn: 5 }, signal);
    await following;
    expect(followed).toEqual([{ turn: 1 }, { turn: 3 }, { turn: 4 }, { turn: 5 }]);
  });

  test("a reader slower than the server loses nothing", async () => {
    const of = { worker: "w1", uid, task: "long", attempt: 1 };
    const text = "x".repeat(16 * 1_024);
    const subject = subjects.transcript(of);
    const count = 1_000;
    for (let n = 0; n < count; n += 100) {
      const page = Array.from({ length: 100 }, (_, i) => link.js.publish(subject, JSON.stringify({ n: n + i, text })));
      await Promise.all(page);
    }
    let next = 0;
    for await (const item of readTranscripts<{ n: number }>(link, { uid, task: "long", follow: false }, signal)) {
      expect(item.value.n).toBe(next);
      next += 1;
      if (next % 200 === 0) await new Promise((resolve) => setImmediate(resolve));
    }
    expect(next).toBe(count);
  });

  test("events of a job include its tasks'; an empty list ends", async () => {
    const event = (reason: string): AgentdEvent => ({
      timeMs: 1,
      type: "Normal",
      reason,
      message: "m",
      involved: { kind: "Job", name: "j", uid },
      count: 1,
    });
    const read = async (task?: string): Promise<string[]> => {
      const found: string[] = [];
      const query = { uid, follow: false, ...(task === undefined ? {} : { task }) };
      for await (const each of readEvents(link, query, signal)) found.push(each.event.reason);
      return found;
    };
    expect(await read()).toEqual([]);
    await appendEvent(link, { uid, task: undefined }, event("Created"), signal);
    await appendEvent(link, { uid, task: "t1" }, { ...event("Started"), message: "x".repeat(5_000) }, signal);
    expect(await read()).toEqual(["Created", "Started"]);
    expect(await read("t1")).toEqual(["Started"]);
    expect(await read("_")).toEqual(["Created"]);
  });
});
