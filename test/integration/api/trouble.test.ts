import { randomUUID } from "node:crypto";
import { once } from "node:events";
import { connect as connectHttp2 } from "node:http2";
import { connect as connectTcp } from "node:net";
import { create, toBinary } from "@bufbuild/protobuf";
import { Client, credentials, status } from "@grpc/grpc-js";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type WatchEvent, watchChanges } from "../../../services/coordinator/api/listing/watch-changes.ts";
import { newTask } from "../../../services/coordinator/planner/new-task.ts";
import type { Job } from "../../../services/core/job/job.ts";
import type { Worker } from "../../../services/core/worker.ts";
import { WatchEventsRequestSchema } from "../../../services/gen/agentd/v1/event_service_pb.ts";
import { CreateJobRequestSchema, WatchJobsRequestSchema } from "../../../services/gen/agentd/v1/job_service_pb.ts";
import { UploadBundleRequestSchema } from "../../../services/gen/agentd/v1/repository_service_pb.ts";
import { WatchTasksRequestSchema } from "../../../services/gen/agentd/v1/task_service_pb.ts";
import { WatchWorkersRequestSchema } from "../../../services/gen/agentd/v1/worker_service_pb.ts";
import { appendEvent } from "../../../services/platform/nats/messages/events.ts";
import { keys, resourcePrefix, streamNames } from "../../../services/platform/nats/subjects.ts";
import { bundleOf, jobOf, refusal, startTestApi, type TestApi } from "../../support/api/api-server.ts";
import { bytesPerStalledReader, frameOf, openCall } from "../../support/api/stalled-reader.ts";
import { createRepository, type SampleRepository } from "../../support/sample-repository.ts";

const parent = "namespaces/default";
const call = { signal: AbortSignal.timeout(600_000) };
let skewMs = 0;
let api: TestApi;
let repository: SampleRepository;
beforeAll(async () => {
  api = await startTestApi({ nowMs: () => Date.now() + skewMs });
  repository = createRepository({ "src/a.ts": "a" });
});
afterAll(async () => {
  repository[Symbol.dispose]();
  await api[Symbol.asyncDispose]();
});

async function fill(): Promise<void> {
  const job = await api.jobs.createJob({ parent, job: jobOf({ url: repository.path }, "seed") }, call);
  const seed = api.store.get<Job>(keys.job("default", "seed"))?.value;
  if (seed === undefined) throw new Error("no job");
  const nowMs = Date.now();
  for (let at = 0; at < 10; at += 1) {
    const jobs = Array.from({ length: 20 }, (_, index) => {
      const name = `big-${at}-${index}`;
      const metadata = { ...seed.metadata, name, uid: randomUUID(), annotations: { big: "x".repeat(16_000) } };
      return { key: keys.job("default", name), value: { ...seed, metadata }, expected: 0 };
    });
    const workers = Array.from({ length: 20 }, (_, index) => {
      const name = `w-${at}-${index}`;
      const metadata = {
        name,
        namespace: "",
        uid: randomUUID(),
        labels: { big: "x".repeat(16_000) },
        annotations: {},
        generation: 1,
        createdAtMs: nowMs,
      };
      const state = {
        hostname: "h",
        pid: 1,
        version: "0",
        sandbox: "none",
        state: "Ready",
        startedAtMs: nowMs,
        busy: 0,
        lastHeartbeatAtMs: nowMs,
      } as const;
      const value: Worker = { kind: "Worker", metadata, spec: { slots: 1 }, status: state };
      return { key: keys.worker(name), value, expected: 0 };
    });
    const tasks = Array.from({ length: 20 }, (_, index) => {
      const name = `t-${at}-${index}`;
      const value = newTask(seed, { name, index: 20 * at + index, item: "x".repeat(4_000) }, 1);
      return { key: keys.task(seed.metadata.uid, name), value, expected: 0 };
    });
    await api.store.commit([...jobs, ...workers, ...tasks], call.signal);
  }
  const uid = job.metadata?.uid ?? "";
  const involved = { kind: "Job", name: "seed", uid, namespace: "default", job: "seed" };
  const event = {
    timeMs: nowMs,
    type: "Normal",
    reason: "Told",
    message: "m".repeat(1_000),
    involved,
    count: 1,
  } as const;
  for (let at = 0; at < 20; at += 1) {
    await Promise.all(
      Array.from({ length: 100 }, () => appendEvent(api.link, { uid, task: undefined }, event, call.signal)),
    );
  }
}

describe("a client that stops reading", () => {
  const stalledCount = 40;
  beforeAll(fill);

  // What each of them is owed: 200 jobs, tasks or workers of 16 KB, 2,000 events of 1 KB.
  it.each([
    ["WatchJobs", "JobService/WatchJobs", frameOf(WatchJobsRequestSchema, { parent })],
    ["WatchTasks", "TaskService/WatchTasks", frameOf(WatchTasksRequestSchema, { parent: `${parent}/jobs/-` })],
    ["WatchWorkers", "WorkerService/WatchWorkers", frameOf(WatchWorkersRequestSchema, {})],
    ["WatchEvents", "EventService/WatchEvents", frameOf(WatchEventsRequestSchema, { parent })],
  ])("costs kilobytes at %s, and is gone with its connection", async (_, method, frame) => {
    const each = await bytesPerStalledReader(api.address, method, frame, stalledCount);
    expect(each).toBeLessThan(512 * 1_024);
  });

  it("keeps no other from being served", async () => {
    const session = connectHttp2(`http://${api.address}`);
    const stalled = openCall(session, "JobService/WatchJobs");
    stalled.end(frameOf(WatchJobsRequestSchema, { parent }));
    await once(stalled, "response");
    expect((await api.jobs.listJobs({ parent, pageSize: 5 }, call)).jobs).toHaveLength(5);
    session.destroy();
  });
});

describe("a stream that is cut", () => {
  it("at any byte of an upload leaves nothing behind and a server that takes the next one", async () => {
    const { bytes, digest } = await bundleOf(repository);
    const whole = frameOf(UploadBundleRequestSchema, { digest, chunk: bytes });
    const cuts = [0, 1, 4, 5, 6, 80, Math.floor(whole.length / 2), whole.length - 1];
    for (const cut of cuts) {
      const session = connectHttp2(`http://${api.address}`);
      session.on("error", () => undefined);
      const stream = openCall(session, "RepositoryService/UploadBundle");
      stream.write(whole.subarray(0, cut));
      await new Promise((resolve) => setTimeout(resolve, 20));
      session.destroy();
      expect((await api.repositories.hasUpload({ digest }, call)).exists).toBe(false);
    }
    // Ended in order, but in the middle of a message.
    const session = connectHttp2(`http://${api.address}`);
    const stream = openCall(session, "RepositoryService/UploadBundle");
    // A refusal without an answer comes as headers alone.
    const statusOf = Promise.race([once(stream, "trailers"), once(stream, "response")]);
    stream.end(whole.subarray(0, whole.length - 1));
    stream.resume();
    const [headers] = (await statusOf) as [Record<string, string>];
    expect(headers["grpc-status"]).toBe(String(status.INVALID_ARGUMENT));
    session.destroy();
    expect((await api.repositories.hasUpload({ digest }, call)).exists).toBe(false);
    async function* one(): AsyncGenerator<{ digest: string; chunk: Uint8Array }> {
      yield await Promise.resolve({ digest, chunk: bytes });
    }
    await api.repositories.uploadBundle(one(), call);
    expect((await api.repositories.hasUpload({ digest }, call)).exists).toBe(true);
  });

  it("in the middle of HTTP/2 itself, or is none at all, does not harm the server", async () => {
    const [host = "", port = ""] = api.address.split(":");
    for (const noise of [
      "GET / HTTP/1.1\r\n\r\n",
      "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
      "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\u00ff\u0004",
      "\u0016\u0003\u0001",
    ]) {
      const socket = connectTcp(Number(port), host);
      socket.on("error", () => undefined);
      socket.write(noise, "latin1");
      socket.resume();
      await new Promise((resolve) => setTimeout(resolve, 20));
      socket.destroy();
    }
    expect((await api.jobs.listJobs({ parent, pageSize: 1 }, call)).jobs).toHaveLength(1);
  });
});

describe("what a server cannot do", () => {
  const raw = async (path: string, body: Buffer): Promise<number | undefined> => {
    const client = new Client(api.address, credentials.createInsecure());
    const asIs = (bytes: Buffer): Buffer => bytes;
    try {
      return await new Promise((resolve) =>
        client.makeUnaryRequest(path, asIs, asIs, body, (error) => resolve(error?.code)),
      );
    } finally {
      client.close();
    }
  };

  it("is UNIMPLEMENTED for another version of the API, and for a method that it does not have", async () => {
    expect(await raw("/agentd.v2.JobService/GetJob", Buffer.alloc(0))).toBe(status.UNIMPLEMENTED);
    expect(await raw("/agentd.v1.JobService/Frobnicate", Buffer.alloc(0))).toBe(status.UNIMPLEMENTED);
  });

  it("is RESOURCE_EXHAUSTED for a field of 100 MB, and INVALID_SPEC for one that fits but is too long", async () => {
    const job = (characters: number) => ({
      ...jobOf({ url: repository.path }, "big"),
      metadata: { name: "big", annotations: { a: "x".repeat(characters) } },
    });
    const huge = Buffer.from(
      toBinary(CreateJobRequestSchema, create(CreateJobRequestSchema, { parent, job: job(100_000_000) })),
    );
    expect(await raw("/agentd.v1.JobService/CreateJob", huge)).toBe(status.RESOURCE_EXHAUSTED);
    expect(await refusal(api.jobs.createJob({ parent, job: job(7_000_000) }, call))).toMatchObject({
      reason: "INVALID_SPEC",
      fields: ["metadata.annotations"],
    });
  });
});

describe("a watch from a version that was compacted away", () => {
  it("is OUT_OF_RANGE, and goes on from a new list", async () => {
    // Another replica, with none of the changes in memory: it has to replay them.
    await using other = await startTestApi();
    const entry = { kind: "Fake" };
    for (let at = 0; at < 3; at += 1) {
      await other.store.commit([{ key: keys.job("default", `c-${at}`), value: entry, expected: 0 }], call.signal);
    }
    await other.link.jsm.streams.purge(streamNames.resources, { filter: `${resourcePrefix}job.default.c-0` });
    const { openStore } = await import("../../../services/platform/nats/store/store.ts");
    await using fresh = await openStore(other.link, {}, call.signal);
    const show = (event: WatchEvent<object>) => event;
    const scope = { prefix: "job.", isInScope: () => true, isNew: () => true, show, bookmarkMs: 1_000 };
    const old = watchChanges(fresh, { ...scope, resourceVersion: "0" }, call.signal);
    expect(await refusal(old.next())).toMatchObject({ reason: "WATCH_EXPIRED" });
    const again = watchChanges(fresh, { ...scope, resourceVersion: "" }, call.signal);
    expect((await again.next()).value).toMatchObject({ type: "ADDED", entry: { key: "job.default.c-1" } });
    await again.return();
  });
});

describe("a clock that jumps", () => {
  it("changes neither what is listed and watched nor the order of changes", async () => {
    const { resourceVersion } = await api.jobs.listJobs({ parent, pageSize: 1 }, call);
    const watch = api.jobs.watchJobs({ parent, resourceVersion }, call)[Symbol.asyncIterator]();
    const versions: number[] = [];
    for (const [at, skew] of [86_400_000, -86_400_000, 0].entries()) {
      skewMs = skew;
      const name = `jump-${at}`;
      const job = jobOf({ url: repository.path }, name);
      const made = await api.jobs.createJob({ parent, job, requestId: name }, call);
      // A repeat from another time is still the same job.
      skewMs = -skew;
      expect((await api.jobs.createJob({ parent, job, requestId: name }, call)).metadata?.uid).toBe(made.metadata?.uid);
      const change = (await watch.next()).value;
      expect(change).toMatchObject({ type: "ADDED", job: { metadata: { name } } });
      versions.push(Number(change?.resourceVersion));
    }
    skewMs = 0;
    expect(versions).toEqual([...versions].sort((a, b) => a - b));
    await watch.return?.();
  });
});
