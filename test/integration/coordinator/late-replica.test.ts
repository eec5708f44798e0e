import { randomUUID } from "node:crypto";
import { afterEach, beforeEach, expect, it } from "vitest";
import { createAttemptTokens } from "../../../services/coordinator/lease/attempt-token.ts";
import { createClaims } from "../../../services/coordinator/lease/claims.ts";
import { createCompletion } from "../../../services/coordinator/lease/completion.ts";
import type { Replica } from "../../../services/coordinator/replica.ts";
import type { AgentdError } from "../../../services/core/errors.ts";
import type { Entry, ResourceStore } from "../../../services/platform/nats/store/store.ts";
import { keys } from "../../../services/platform/nats/subjects.ts";
import type { Stage } from "../../support/stage/coordinator-stage.ts";
import { openStage } from "../../support/stage/coordinator-stage.ts";
import { stageJob } from "../../support/stage/staged-job.ts";

let stage: Stage;

beforeEach(async () => {
  stage = await openStage();
});

afterEach(() => stage[Symbol.asyncDispose]());

const files = { "a.txt": "a\n" };
const tokens = createAttemptTokens(Buffer.alloc(32));

/** The claims of a replica that the test makes believe something. */
function claimsOf({ store, index, events }: Pick<Replica, "store" | "index" | "events">, isLeader: () => boolean) {
  return createClaims({
    store,
    index,
    events,
    tokens,
    memory: { shownTo: () => [] },
    resumePoints: { find: () => Promise.resolve({}) },
    isLeader,
    nowMs: () => Date.now(),
    random: () => 0,
  });
}

/** The store as it looks to a replica that has one key as it is now, until it writes or waits. */
function behind(store: ResourceStore, key: string): ResourceStore {
  const before = store.get(key);
  let isBehind = true;
  const look = (): void => {
    isBehind = false;
  };
  return {
    ...store,
    get: <T>(wanted: string) => (isBehind && wanted === key ? (before as Entry<T>) : store.get<T>(wanted)),
    commit(...args) {
      look();
      return store.commit(...args);
    },
    caughtUp(...args) {
      look();
      return store.caughtUp(...args);
    },
  };
}

it("a claim that waited while the lead was lost is not granted: at most the one being written is", async () => {
  const replica = await stage.coordinator();
  const { store } = replica;
  const job = await stageJob(stage, replica, { files, tasks: { t1: {}, t2: {}, t3: {} } });
  let isLeader = true;
  const commit: typeof store.commit = (...args) => {
    isLeader = false;
    return store.commit(...args);
  };
  const claim = claimsOf({ ...replica, store: { ...store, commit } }, () => isLeader);
  const replies = await Promise.allSettled(
    ["t1", "t2", "t3"].map((task) =>
      claim("w-1", { claimId: randomUUID(), worker: "w-1", uid: job.uid, task }, AbortSignal.timeout(60_000)),
    ),
  );
  expect(
    replies.map((reply) => (reply.status === "rejected" ? (reply.reason as AgentdError).reason : "granted")),
  ).toEqual(["granted", "NOT_LEADER", "NOT_LEADER"]);
  expect(job.tasks().filter(({ status }) => status.attempt > 0)).toHaveLength(1);
});

it("a claim that was granted is granted again by a replica that has not seen it yet", async () => {
  const replica = await stage.coordinator();
  const { store } = replica;
  const job = await stageJob(stage, replica, { files, tasks: { t1: {} } });
  const worker = await stage.worker("w-1");
  const late = behind(store, keys.task(job.uid, "t1"));
  const claimId = randomUUID();
  expect(await worker.claim(job.uid, "t1", claimId)).toMatchObject({ granted: true });
  const claim = claimsOf({ ...replica, store: late }, () => true);
  const request = { claimId, worker: "w-1", uid: job.uid, task: "t1" };
  expect(await claim("w-1", request, AbortSignal.timeout(60_000))).toMatchObject({
    granted: true,
    assignment: { task: "t1", attempt: 1 },
  });
  expect(job.task("t1").status).toMatchObject({ state: "Running", attempt: 1, lease: { claimId } });
});

it("an end is taken by a replica that has not seen the claim yet", async () => {
  const replica = await stage.coordinator();
  const { store } = replica;
  const job = await stageJob(stage, replica, { files, tasks: { t1: {} } });
  const late = behind(store, keys.task(job.uid, "t1"));
  const request = { claimId: randomUUID(), worker: "w-1", uid: job.uid, task: "t1" };
  const reply = await claimsOf(replica, () => true)("w-1", request, AbortSignal.timeout(60_000));
  if (!reply.granted) throw new Error(reply.message);
  const unused = (): never => {
    throw new Error("not asked for");
  };
  const complete = createCompletion({
    ...{ store: late, events: replica.events, memory: { keep: unused }, tokens },
    ...{ results: { receiveResult: unused, receiveOutput: unused }, isLeader: () => true },
    ...{ nowMs: () => Date.now(), random: () => 0 },
  });
  const { token } = reply.assignment;
  const end = {
    uid: job.uid,
    task: "t1",
    attempt: 1,
    token,
    outcome: "Blocked",
    claimed: "",
    message: "no",
  } as const;
  const usage = { inputTokens: 0, cachedTokens: 0, outputTokens: 0, turns: 1, seconds: 1 };
  const ended = await complete("w-1", { ...end, usage, checks: [] }, AbortSignal.timeout(60_000));
  expect(ended).toEqual({ state: "Failed" });
  expect(job.task("t1").status).toMatchObject({ state: "Failed", outcome: "Blocked", attempt: 1 });
});
