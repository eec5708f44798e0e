import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from "vitest";
import type { NatsLink } from "../../../services/platform/nats/connect.ts";
import { loadSigningKey, readControl } from "../../../services/platform/nats/messages/control.ts";
import { createLeaderElection, type LeaderElection } from "../../../services/platform/nats/messages/leader.ts";
import { defaultLimits } from "../../../services/platform/nats/stream-limits.ts";
import { ensureStreams } from "../../../services/platform/nats/streams.ts";
import { streamNames } from "../../../services/platform/nats/subjects.ts";
import { startTestServer, type TestServer } from "../../support/nats-server.ts";
import { until } from "../../support/until.ts";

let server: TestServer;
let link: NatsLink;
let signal: AbortSignal;
const open: LeaderElection[] = [];

beforeAll(async () => {
  server = await startTestServer();
  link = await server.connectCoordinator();
});
afterAll(() => server[Symbol.asyncDispose]());
beforeEach(async () => {
  signal = AbortSignal.timeout(110_000);
  await ensureStreams(link, defaultLimits, signal);
});
afterEach(async () => {
  await Promise.all(open.splice(0).map((each) => each.close()));
  await link.jsm.streams.purge(streamNames.control);
});

/** A replica with a clock that a test can push forward, as if the process had been stopped. */
function replica(
  id: string,
  over: NatsLink = link,
  ttlMs = 1_000,
): { election: LeaderElection; sleep: (ms: number) => void } {
  let slept = 0;
  const monotonicMs = (): number => performance.now() + slept;
  const election = createLeaderElection(over, { id, ttlMs, renewMs: 100, monotonicMs });
  open.push(election);
  return {
    election,
    sleep: (ms) => {
      slept += ms;
    },
  };
}

const nextTurn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

test("of three replicas exactly one leads", async () => {
  const elections = ["a", "b", "c"].map((id) => replica(id).election);
  await until("somebody leads", () => elections.some((each) => each.isLeader()));
  for (let n = 0; n < 20; n += 1) {
    expect(elections.filter((each) => each.isLeader()).length).toBeLessThanOrEqual(1);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  await until("all know it", () => new Set(elections.map((each) => each.leaderId)).size === 1);
});

test("who resigns is followed at once by another, in a higher epoch", async () => {
  const ttlMs = 100_000;
  const first = replica("a", link, ttlMs).election;
  await until("a leads", () => first.isLeader());
  const second = replica("b", link, ttlMs).election;
  const told: boolean[] = [];
  second.onChange((isLeader) => told.push(isLeader));
  await first.close();
  expect(first.isLeader()).toBe(false);
  // By silence alone it would take longer than the time to live, for which this does not wait.
  await until("b leads", () => second.isLeader());
  // By one, or more where a slow answer was given up and asked for again.
  expect(second.epoch).toBeGreaterThan(first.epoch);
  expect(told).toEqual([true]);
});

test("who leaves while an answer is on its way gives away the lead that it does not know of", async () => {
  let isAnswerLost = true;
  const publish: NatsLink["js"]["publish"] = async (...message) => {
    const answer = await link.js.publish(...message);
    return isAnswerLost ? await new Promise(() => {}) : answer;
  };
  const js = new Proxy(link.js, { get: (of, key) => (key === "publish" ? publish : Reflect.get(of, key)) });
  const first = createLeaderElection({ ...link, js }, { id: "a", ttlMs: 100_000, renewMs: 30_000 });
  open.push(first);
  const leader = async () => (await readControl<{ id: string }>(link, "leader", signal))?.value.id;
  await until("a's lead is written", async () => (await leader()) === "a");
  expect(first.isLeader()).toBe(false);
  const second = replica("b", link, 100_000).election;
  await until("b sees a", () => second.leaderId === "a");
  isAnswerLost = false;
  await first.close();
  await until("b leads", () => second.isLeader());
});

test("who leaves before its first write has come to the server gives away what that brings", async () => {
  const way = Promise.withResolvers<void>();
  const answers: Promise<unknown>[] = [];
  const publish: NatsLink["js"]["publish"] = (...message) => {
    // The first one is overtaken by the read of who leaves, but not by a later write.
    if (answers.length > 0) way.resolve();
    const answer = (answers.length === 0 ? way.promise : nextTurn()).then(() => link.js.publish(...message));
    answers.push(answer);
    return answer;
  };
  const js = new Proxy(link.js, { get: (of, key) => (key === "publish" ? publish : Reflect.get(of, key)) });
  const first = createLeaderElection({ ...link, js }, { id: "a", ttlMs: 100_000, renewMs: 30_000 });
  open.push(first);
  await until("a's lead is on its way", () => answers.length === 1);
  await first.close();
  way.resolve();
  await Promise.allSettled(answers);
  expect((await readControl<{ id: string }>(link, "leader", signal))?.value.id).toBe("");
  const second = replica("b", link, 100_000).election;
  await until("b leads", () => second.isLeader());
});

test("a leader whose connection is lost stops leading by itself before another starts", async () => {
  const away = await server.connectCoordinator("away");
  const first = replica("a", away).election;
  await until("a leads", () => first.isLeader());
  const second = replica("b").election;
  await until("b knows", () => second.leaderId === "a");
  await away.close();
  await until("b leads", () => {
    expect(first.isLeader() && second.isLeader()).toBe(false);
    return second.isLeader();
  });
  expect(first.isLeader()).toBe(false);
});

test("a process that was stopped and woken does not believe that it still leads", async () => {
  const first = replica("a", link, 30_000);
  await until("a leads", () => first.election.isLeader());
  const told: boolean[] = [];
  first.election.onChange((isLeader) => told.push(isLeader));
  const { epoch } = first.election;
  first.sleep(60_000);
  expect(first.election.isLeader()).toBe(false);
  await until("the loss is told, then the new term", () => told.length === 2);
  expect(told).toEqual([false, true]);
  expect(first.election.epoch).toBeGreaterThan(epoch);
});

test("a lead whose holder is known to be gone is taken at once, and only once should it live after all", async () => {
  const ttlMs = 100_000;
  const first = replica("a", link, ttlMs).election;
  await until("a leads", () => first.isLeader());
  const second = createLeaderElection(link, { id: "b", predecessor: "a", ttlMs, renewMs: 100 });
  open.push(second);
  await until("b leads", () => second.isLeader());
  await until("a knows", () => !first.isLeader() && first.leaderId === "b");
  await second.close();
  await until("a leads again", () => first.isLeader());
  const third = createLeaderElection(link, { id: "c", predecessor: "b", ttlMs, renewMs: 100 });
  open.push(third);
  await until("c sees a", () => third.leaderId === "a");
  expect(third.isLeader()).toBe(false);
});

test("a leader goes on after the server was killed and started again", async () => {
  const first = replica("a").election;
  await until("a leads", () => first.isLeader());
  await server.kill();
  await server.restart();
  await until("connected again", () => link.isConnected);
  const revision = async () => (await readControl<{ id: string }>(link, "leader", signal))?.revision ?? 0;
  const before = await revision();
  await until("it renews again", async () => (await revision()) > before);
  await until("a leads again", () => first.isLeader());
  expect((await readControl<{ id: string }>(link, "leader", signal))?.value.id).toBe("a");
});

test("all coordinators have the same signing key, made once", async () => {
  const other = await server.connectCoordinator("other");
  const keys = await Promise.all([link, other, link, other].map((each) => loadSigningKey(each, signal)));
  const texts = new Set(keys.map((key) => Buffer.from(key).toString("hex")));
  expect(texts.size).toBe(1);
  expect(keys[0]).toHaveLength(32);
});
