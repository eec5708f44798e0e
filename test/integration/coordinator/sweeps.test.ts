import { randomUUID } from "node:crypto";
import { pino } from "pino";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { UploadRecord } from "../../../services/coordinator/api/repositories/uploads.ts";
import { sweepUploads } from "../../../services/coordinator/api/repositories/uploads.ts";
import { deleteJob } from "../../../services/coordinator/reconcile/delete-job.ts";
import { purgeTombstones, sweepObjects, sweepOrphans } from "../../../services/coordinator/reconcile/sweep.ts";
import type { Replica } from "../../../services/coordinator/replica.ts";
import type { Job } from "../../../services/core/job/job.ts";
import { chunkSubject } from "../../../services/platform/nats/objects/object-format.ts";
import { listObjects, putObject, readObject } from "../../../services/platform/nats/objects/objects.ts";
import { openStore } from "../../../services/platform/nats/store/store.ts";
import { keyPrefixes, keys, objectStream, streamNames } from "../../../services/platform/nats/subjects.ts";
import { sampleCheck } from "../../support/resource-samples.ts";
import type { Stage } from "../../support/stage/coordinator-stage.ts";
import { openStage } from "../../support/stage/coordinator-stage.ts";
import { stageJob } from "../../support/stage/staged-job.ts";
import { until } from "../../support/until.ts";

const log = pino({ level: "silent" });
const hourMs = 3_600_000;
const files = { "a.txt": "a\n" };
const verify = [{ name: "all", run: "make test", timeoutMs: 60_000 }];
let stage: Stage;
let signal: AbortSignal;

beforeEach(async () => {
  stage = await openStage();
  signal = AbortSignal.timeout(110_000);
});

afterEach(async () => {
  await stage[Symbol.asyncDispose]();
});

/** Sweeps as if it were so many hours later. */
function sweepAfter(replica: Replica, hours: number): Promise<number> {
  const { link, store } = replica;
  return sweepObjects({ link, store, log, nowMs: () => Date.now() + hours * hourMs, hasRested: () => true }, signal);
}

async function names(replica: Replica): Promise<readonly string[]> {
  return (await listObjects(replica.link, "agentd", signal)).map(({ name }) => name).sort();
}

const put = async (replica: Replica, text: string): Promise<string> =>
  (await putObject(replica.link, "agentd", Buffer.from(text), signal)).name;

describe("the sweep of objects", () => {
  it("keeps for ever what any resource refers to, and deletes the rest after 24 hours, not before", async () => {
    const replica = await stage.coordinator();
    const { store } = replica;
    const job = await stageJob(stage, replica, {
      files,
      tasks: { t1: {}, t2: {}, t3: {} },
      spec: { merge: { verify, onConflict: "Reopen" } },
    });
    const worker = await stage.worker("w-1");
    await worker.complete(await worker.next("verify"), {});
    // One result landed, one that is kept for people only, one that waits in a candidate that is being verified.
    await worker.finish(await worker.next("run"), { "one.txt": "1\n" });
    await worker.complete(await worker.next("verify"), {});
    await until("the landing", () => job.head().landed === 1);
    const red = { outcome: "GateFailed" as const, checks: [sampleCheck("Failed", "boom")] };
    await worker.finish(await worker.next("run"), { "two.txt": "2\n" }, red);
    await worker.finish(await worker.next("run"), { "three.txt": "3\n" });
    await worker.next("verify");
    const itemsObject = await put(replica, "[]");
    await until("the job stands still", () => {
      const entry = store.get<Job>(keys.job("default", job.name));
      return entry?.value.status.counts.merging === 1;
    });
    for (;;) {
      const entry = store.get<Job>(keys.job("default", job.name));
      if (entry === undefined) throw new Error("there is no job");
      const value = { ...entry.value, status: { ...entry.value.status, itemsObject } };
      const isWritten = await store.commit([{ key: entry.key, value, expected: entry.revision }], signal).then(
        () => true,
        () => false,
      );
      if (isWritten) break;
    }
    const digest = `sha256:${"0".repeat(64)}`;
    const object = await put(replica, "an upload");
    const upload: UploadRecord = { kind: "Upload", digest, object, size: 9, createdAtMs: Date.now() };
    await store.commit([{ key: `upload.${"0".repeat(64)}`, value: upload, expected: 0 }], signal);
    const referred = await names(replica);
    expect(referred.length).toBeGreaterThanOrEqual(7);
    const stray = await put(replica, "nobody's");
    await replica.link.js.publish(chunkSubject("agentd", "a".repeat(32)), "a part of a put that failed");

    expect(await sweepAfter(replica, 23)).toBe(0);
    expect(await names(replica)).toContain(stray);
    expect(await sweepAfter(replica, 25)).toBe(1);
    expect(await names(replica)).toEqual(referred);
    for (const name of referred) await readObject(replica.link, "agentd", name, {}, signal);
    const info = await replica.link.jsm.streams.info(objectStream("agentd"), {
      subjects_filter: chunkSubject("agentd", "*"),
    });
    expect(Object.keys(info.state.subjects ?? {})).toHaveLength(referred.length);

    expect(await sweepUploads(store, Date.now() + 23 * hourMs, signal)).toBe(0);
    expect(await sweepUploads(store, Date.now() + 25 * hourMs, signal)).toBe(1);
    expect(await sweepAfter(replica, 25)).toBe(1);
    await deleteJob(store, job.uid, signal);
    expect(await sweepAfter(replica, 25)).toBe(referred.length - 1);
    expect(await names(replica)).toEqual([]);
  });
});

describe("the sweep of orphans", () => {
  it("removes what a crashed delete left, and a request id a day later", async () => {
    const replica = await stage.coordinator({ orphansEveryMs: hourMs });
    const { store } = replica;
    const job = await stageJob(stage, replica, { files, tasks: { t1: {} } });
    const others = await stageJob(stage, replica, { name: "other", files, tasks: { t1: {} } });
    const request = { kind: "Request", bodyDigest: "", commit: "", job: job.name, uid: job.uid, createdAtMs: 1 };
    await store.commit([{ key: keys.request("default", "hash"), value: request, expected: 0 }], signal);
    await store.commit([{ key: keys.branch("hash"), value: { uid: job.uid }, expected: 0 }], signal);
    const entry = store.get<Job>(keys.job("default", job.name));
    await store.commit([{ key: entry?.key ?? "", value: undefined, expected: entry?.revision ?? 0 }], signal);

    expect(await sweepOrphans(store, Date.now(), signal)).toBe(3);
    expect(store.list(keyPrefixes.tasksOf(job.uid))).toEqual([]);
    expect(store.get(keys.head(job.uid))).toBeUndefined();
    expect(store.get(keys.branch("hash"))).toBeUndefined();
    expect(store.get(keys.request("default", "hash"))).toBeDefined();
    expect(others.task("t1").status.state).toBe("Pending");
    expect(await sweepOrphans(store, Date.now() + 25 * hourMs, signal)).toBe(1);
    expect(store.get(keys.request("default", "hash"))).toBeUndefined();
  });
});

describe("the purge of tombstones", () => {
  it("waits an hour, takes all of them, expires watches from before, and lets keys be made again anywhere", async () => {
    // No sweep of orphans comes in between: the tasks have no job.
    const replica = await stage.coordinator({ orphansEveryMs: hourMs });
    const { store, link } = replica;
    // The other one learns of the deletions, but not that their tombstones were purged.
    await using other = await openStore(link, {}, signal);
    const uid = randomUUID();
    const all = Array.from({ length: 1_200 }, (_, at) => keys.task(uid, `t${at}`));
    const parts = [all.slice(0, 600), all.slice(600)];
    const before = store.revision;
    for (const part of parts) {
      await store.commit(
        part.map((key) => ({ key, value: { kind: "Task" }, expected: 0 })),
        signal,
      );
      const writes = part.map((key) => ({ key, value: undefined, expected: store.get(key)?.revision ?? 0 }));
      await store.commit(writes, signal);
    }
    await other.caughtUp(store.revision, signal);
    const stored = async (): Promise<number> => {
      const filter = `$KV.agentd.task.${uid}.>`;
      const info = await link.jsm.streams.info(streamNames.resources, { subjects_filter: filter });
      return Object.keys(info.state.subjects ?? {}).length;
    };
    await purgeTombstones(store, Date.now() + 0.9 * hourMs, signal);
    expect(await stored()).toBe(1_200);
    expect(await purgeTombstones(store, Date.now() + 1.1 * hourMs, signal)).toBeGreaterThanOrEqual(1_200);
    expect(await stored()).toBe(0);

    const key = keys.task(uid, "t7");
    await other.commit([{ key, value: { kind: "Task", again: true }, expected: 0 }], signal);
    await store.caughtUp(other.revision, signal);
    expect(store.get(key)?.value).toEqual({ kind: "Task", again: true });
    await using fresh = await openStore(link, { bufferedChanges: 1 }, signal);
    await expect(fresh.watch(before, signal)[Symbol.asyncIterator]().next()).rejects.toMatchObject({
      reason: "WATCH_EXPIRED",
    });
  });
});
