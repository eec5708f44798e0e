import { execFileSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createHistorySweep } from "../../../services/coordinator/reconcile/sweep.ts";
import type { Job } from "../../../services/core/job/job.ts";
import { listObjects } from "../../../services/platform/nats/objects/objects.ts";
import { openStore } from "../../../services/platform/nats/store/store.ts";
import { defaultLimits } from "../../../services/platform/nats/stream-limits.ts";
import { streamUsage } from "../../../services/platform/nats/streams.ts";
import { keys, streamNames } from "../../../services/platform/nats/subjects.ts";
import { bundleOf, chunksOf, jobOf, refusal, startTestApi } from "../../support/api/api-server.ts";
import type { SampleRepository } from "../../support/sample-repository.ts";
import { createRepository } from "../../support/sample-repository.ts";

const parent = "namespaces/default";
const call = { signal: AbortSignal.timeout(600_000) };
const { signal } = call;
let origin: SampleRepository;

beforeAll(() => {
  origin = createRepository({ "src/a.ts": "one\n", "src/b.ts": "b\n" });
});
afterAll(() => origin[Symbol.dispose]());

describe("a store with little room", () => {
  it("refuses a whole plan that would fill it, and takes a small one", async () => {
    await using small = await startTestApi({}, { ...defaultLimits, resourceBytes: 1_024 * 1_024 });
    const lines = (count: number) => ({
      plan: { forEach: { lines: Array.from({ length: count }, (_, at) => `item ${at}`) } },
    });
    const create = (name: string, count: number) =>
      small.jobs.createJob({ parent, job: jobOf({ url: origin.path }, name, lines(count)) }, call);
    const refused = await refusal(create("big", 100));
    expect(refused).toMatchObject({ reason: "LIMIT_EXCEEDED", message: expect.stringContaining("KV_agentd") });
    expect((await create("little", 5)).status?.total).toBe(5);
  });

  it("counts what accepted jobs have yet to write, though they have written nothing", async () => {
    await using small = await startTestApi({}, { ...defaultLimits, resourceBytes: 1_024 * 1_024 });
    const items = { plan: { forEach: { lines: Array.from({ length: 15 }, (_, at) => `item ${at}`) } } };
    const create = (name: string) =>
      small.jobs.createJob({ parent, job: jobOf({ url: origin.path }, name, items) }, call);
    expect((await create("one")).status?.total).toBe(15);
    expect((await refusal(create("two"))).reason).toBe("LIMIT_EXCEEDED");
  });

  it("refuses an upload that would take the room of results, and keeps nothing of it", async () => {
    await using small = await startTestApi({}, { ...defaultLimits, objectBytes: 1_024 });
    const { bytes, digest } = await bundleOf(origin);
    const sent = small.repositories.uploadBundle(chunksOf(bytes), call);
    expect(await refusal(sent)).toMatchObject({ reason: "STORE_FULL" });
    expect((await small.repositories.hasUpload({ digest }, call)).exists).toBe(false);
    expect(await listObjects(small.link, "agentd", signal)).toEqual([]);
  });

  it("deletes and cancels at the fullest state at which work is accepted", async () => {
    await using small = await startTestApi({}, { ...defaultLimits, resourceBytes: 1_024 * 1_024 });
    const create = (name: string) => small.jobs.createJob({ parent, job: jobOf({ url: origin.path }, name) }, call);
    for (const name of ["one", "two"]) await create(name);
    const share = async () => {
      const { bytes, bytesMax } = await streamUsage(small.link, streamNames.resources, signal);
      return bytes / bytesMax;
    };
    // What work writes until creation refuses more: a Job at its largest, again and again.
    const entry = small.store.get<Job>(keys.job("default", "one"));
    if (entry === undefined) throw new Error("no job");
    let { revision } = entry;
    const annotations = { note: "x".repeat(16_384) };
    while ((await share()) < 0.7) {
      const value = { ...entry.value, metadata: { ...entry.value.metadata, annotations } };
      revision = await small.store.commit([{ key: entry.key, value, expected: revision }], signal);
    }
    expect((await refusal(create("three"))).reason).toBe("LIMIT_EXCEEDED");
    await small.jobs.cancelJob({ name: `${parent}/jobs/two` }, call);
    await small.jobs.deleteJob({ name: `${parent}/jobs/one` }, call);
    await small.jobs.deleteJob({ name: `${parent}/jobs/two` }, call);
    expect((await small.jobs.listJobs({ parent }, call)).jobs).toEqual([]);
    expect(await share()).toBeLessThan(0.8);
  });

  it("that is full to the last byte has room again once its history is removed, and a watch misses nothing", async () => {
    await using small = await startTestApi({}, { ...defaultLimits, resourceBytes: 1_024 * 1_024 });
    const create = (name: string) => small.jobs.createJob({ parent, job: jobOf({ url: origin.path }, name) }, call);
    await create("kept");
    await create("one");
    const entry = small.store.get<Job>(keys.job("default", "one"));
    if (entry === undefined) throw new Error("no job");
    let { revision } = entry;
    const write = async (characters: number) => {
      const annotations = { note: "x".repeat(characters) };
      const value = { ...entry.value, metadata: { ...entry.value.metadata, annotations } };
      revision = await small.store.commit([{ key: entry.key, value, expected: revision }], signal);
    };
    const watch = small.jobs.watchJobs({ parent, job: "one", resourceVersion: String(revision) }, call);
    const versions: string[] = [];
    const written: string[] = [];
    const watched = (async () => {
      for await (const { type, resourceVersion } of watch) {
        if (type !== "BOOKMARK") versions.push(resourceVersion);
        if (type === "DELETED") return;
      }
    })();
    for (const characters of [16_384, 64]) {
      let refused: unknown;
      while (refused === undefined) {
        refused = await write(characters).catch((error: unknown) => error);
        if (refused === undefined) written.push(String(revision));
      }
      expect(refused).toMatchObject({ reason: "STORE_FULL" });
    }
    const remove = () => small.jobs.deleteJob({ name: `${parent}/jobs/one` }, call);
    await expect(remove()).rejects.toMatchObject({
      reason: "STORE_FULL",
      message: expect.stringContaining("the store is full") as string,
    });
    const sweep = createHistorySweep({ link: small.link, store: small.store, log: small.deps.log });
    // The first look removes nothing: what was written since the last one stays.
    await sweep(signal);
    expect(await refusal(remove())).toMatchObject({ reason: "STORE_FULL" });
    await sweep(signal);
    await remove();
    await watched;
    expect(versions.slice(0, written.length)).toEqual(written);
    await using again = await openStore(small.link, {}, signal);
    expect(again.list<Job>("job.").map(({ value }) => value.metadata.name)).toEqual(["kept"]);
    expect(again.list("").map(({ key }) => key)).toEqual(small.store.list("").map(({ key }) => key));
    expect((await create("two")).metadata?.name).toBe("two");
  });
});

/** Puts a tiny file system over a folder; undefined where this user may not. */
function mountTiny(directory: string, sizeKib: number): Disposable | undefined {
  mkdirSync(directory, { recursive: true });
  try {
    execFileSync("/bin/mount", ["-t", "tmpfs", "-o", `size=${sizeKib}k`, "agentd-test", directory], {
      stdio: "ignore",
    });
  } catch {
    return undefined;
  }
  return { [Symbol.dispose]: () => execFileSync("/bin/umount", ["-l", directory]) };
}

describe("a full disk of the coordinator", () => {
  it.each([
    ["where uploads are written", "tmp"],
    ["where git unpacks them", "sources"],
  ])("%s is said to the caller, and the call works again when there is room", async (_where, folder) => {
    await using api = await startTestApi();
    const big = createRepository({ "big.bin": randomBytes(400_000).toString("base64") });
    using _big = { [Symbol.dispose]: () => big[Symbol.dispose]() };
    const { bytes, digest } = await bundleOf(big);
    const send = () => api.repositories.uploadBundle(chunksOf(bytes), call);
    {
      using mounted = mountTiny(join(api.deps.dataDirectory, folder), 192);
      if (mounted === undefined) {
        process.stderr.write("SKIPPED: a full disk over the API: this user cannot mount a tmpfs\n");
        return;
      }
      expect(await refusal(send())).toMatchObject({ reason: "DISK_FULL" });
      expect((await api.repositories.hasUpload({ digest }, call)).exists).toBe(false);
    }
    await send();
    expect((await api.repositories.hasUpload({ digest }, call)).exists).toBe(true);
  });
});
