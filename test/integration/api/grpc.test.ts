import { execFile } from "node:child_process";
import { once } from "node:events";
import { createServer } from "node:net";
import { join } from "node:path";
import { promisify } from "node:util";
import { create, toBinary } from "@bufbuild/protobuf";
import { Client, credentials, Metadata, status } from "@grpc/grpc-js";
import { pino } from "pino";
import { afterEach, describe, expect, it } from "vitest";
import { AgentdError } from "../../../services/core/errors.ts";
import { GetJobRequestSchema, JobChangeSchema, JobService } from "../../../services/gen/agentd/v1/job_service_pb.ts";
import { RepositoryService } from "../../../services/gen/agentd/v1/repository_service_pb.ts";
import type { GrpcChannel } from "../../../services/platform/grpc/client.ts";
import { createGrpcChannel } from "../../../services/platform/grpc/client.ts";
import type { GrpcServer } from "../../../services/platform/grpc/server.ts";
import { createGrpcServer, serve } from "../../../services/platform/grpc/server.ts";
import type { ServiceImpl } from "../../../services/platform/grpc/service-definition.ts";
import { CallError } from "../../../services/platform/grpc/status.ts";
import { withEnoughTime } from "../../support/enough-time.ts";

const closers: AsyncDisposable[] = [];
afterEach(async () => {
  for (const closer of closers.splice(0).reverse()) await closer[Symbol.asyncDispose]();
});

const unimplemented = (): never => {
  throw new Error("a secret that must not leave: hunter2");
};
const jobs: ServiceImpl<typeof JobService> = {
  createJob: unimplemented,
  applyJob: unimplemented,
  getJob: ({ name }) => Promise.resolve({ metadata: { name } }),
  listJobs: unimplemented,
  updateJob: unimplemented,
  watchJobs: unimplemented,
  cancelJob: unimplemented,
  deleteJob: unimplemented,
  fsckJob: unimplemented,
};
const repositories: ServiceImpl<typeof RepositoryService> = {
  hasUpload: unimplemented,
  uploadBundle: unimplemented,
  downloadBundle: unimplemented,
};

async function start(
  impl: Partial<ServiceImpl<typeof JobService>> = {},
  repository: Partial<ServiceImpl<typeof RepositoryService>> = {},
  bounds: { callsMax?: number; requestStreamsMax?: number } = {},
): Promise<{ server: GrpcServer; channel: GrpcChannel; lines: string[] }> {
  const lines: string[] = [];
  const log = pino({ level: "error" }, { write: (line: string) => void lines.push(line) });
  const services = [
    serve(JobService, { ...jobs, ...impl }),
    serve(RepositoryService, { ...repositories, ...repository }),
  ];
  const server = await createGrpcServer({ log, services, host: "127.0.0.1", port: 0, graceMs: 500, ...bounds });
  const channel = createGrpcChannel(`127.0.0.1:${server.port}`);
  closers.push(server, channel);
  return { server, channel, lines };
}

const signal = AbortSignal.timeout(600_000);

async function failure(promise: Promise<unknown>): Promise<unknown> {
  return await promise.then(
    () => new Error("it succeeded"),
    (error: unknown) => error,
  );
}

describe("the gRPC door", () => {
  it("answers calls, and gives an AgentdError back with reason, problems, metadata and retry hint", async () => {
    const problems = [{ field: "spec.template.check", message: 'unknown field; did you mean "checks"?' }];
    const { channel } = await start({
      createJob: () => {
        throw new AgentdError("INVALID_SPEC", "ünwrong", { problems, metadata: { job: "x" } });
      },
      cancelJob: () => Promise.reject(new AgentdError("STORE_UNAVAILABLE", "NATS is away", { retryAfterMs: 2_500 })),
    });
    const client = channel.client(JobService);
    expect((await client.getJob({ name: "namespaces/a/jobs/b" }, { signal })).metadata?.name).toBe(
      "namespaces/a/jobs/b",
    );
    const invalid = await failure(client.createJob({}, { signal }));
    expect(invalid).toMatchObject({ reason: "INVALID_SPEC", message: "ünwrong", problems, metadata: { job: "x" } });
    expect(await failure(client.cancelJob({}, { signal }))).toMatchObject({
      reason: "STORE_UNAVAILABLE",
      retryAfterMs: 2_500,
    });
  });

  it("keeps a great many problems below what clients take as headers, and counts the rest", async () => {
    const problems = Array.from({ length: 100 }, (_, at) => ({ field: `spec.a[${at}]`, message: "m".repeat(250) }));
    const { channel } = await start({
      createJob: () => Promise.reject(new AgentdError("INVALID_SPEC", "w".repeat(5_000), { problems })),
    });
    const error = await failure(channel.client(JobService).createJob({}, { signal }));
    expect(error).toBeInstanceOf(AgentdError);
    const known = error as AgentdError;
    expect(known.problems.length).toBeLessThan(30);
    expect(known.problems[known.problems.length - 1]?.message).toBe(`and ${101 - known.problems.length} more problems`);
  });

  it("answers an unexpected error as INTERNAL without its text, and logs it once", async () => {
    const { channel, lines } = await start();
    const error = await failure(channel.client(JobService).listJobs({}, { signal }));
    expect(error).toMatchObject({ reason: "INTERNAL" });
    expect(String(error)).not.toContain("hunter2");
    expect(lines).toHaveLength(1);
    expect(lines[0]).toContain("hunter2");
  });

  it("refuses fields that it does not know, and bytes that are no message", async () => {
    const { server } = await start();
    const raw = new Client(`127.0.0.1:${server.port}`, credentials.createInsecure());
    const send = (bytes: Buffer): Promise<number | undefined> =>
      new Promise((resolve) => {
        const asIs = (value: Buffer): Buffer => value;
        raw.makeUnaryRequest("/agentd.v1.JobService/GetJob", asIs, asIs, bytes, (error) => resolve(error?.code));
      });
    const known = Buffer.from(toBinary(GetJobRequestSchema, create(GetJobRequestSchema, { name: "x" })));
    expect(await send(known)).toBeUndefined();
    expect(await send(Buffer.concat([known, Buffer.from([0x9a, 0x06, 0x01, 0x41])]))).toBe(status.INVALID_ARGUMENT);
    expect(await send(Buffer.from([0xff, 0xff, 0xff]))).toBe(status.INVALID_ARGUMENT);
    raw.close();
  });

  it("holds a stream back when its reader stalls, and ends the source when the reader goes", async () => {
    let made = 0;
    let isClosed = false;
    const { channel } = await start({
      async *watchJobs(_, context) {
        try {
          while (!context.signal.aborted) {
            made += 1;
            yield create(JobChangeSchema, { type: "ADDED", resourceVersion: "x".repeat(16_384) });
          }
        } finally {
          isClosed = true;
        }
      },
    });
    const stream = channel.client(JobService).watchJobs({}, { signal });
    for await (const change of stream) {
      expect(change.type).toBe("ADDED");
      let before = -1;
      while (before !== made) {
        before = made;
        await new Promise((resolve) => setTimeout(resolve, 100));
      }
      break;
    }
    expect(made).toBeLessThan(200);
    await expect.poll(() => isClosed).toBe(true);
  });

  it("ends streams first when it stops, with a hint to connect again", async () => {
    const { channel, server } = await start({
      async *watchJobs(_, context) {
        yield { type: "BOOKMARK" };
        await once(context.signal, "abort");
        throw context.signal.reason;
      },
    });
    const stream = channel.client(JobService).watchJobs({}, { signal })[Symbol.asyncIterator]();
    await stream.next();
    const end = failure(stream.next());
    await server.close();
    await server.close();
    expect(await end).toMatchObject({ reason: "NOT_LEADER" });
  });

  it("passes deadlines and cancels to the handler", async () => {
    const [started, aborted]: [string[], string[]] = [[], []];
    const { channel } = await start({
      getJob: async ({ name }, context) => {
        started.push(name);
        if (name === "first") return {};
        await once(context.signal, "abort");
        aborted.push(name);
        return {};
      },
    });
    const client = channel.client(JobService);
    await client.getJob({ name: "first" }, { signal });
    const late = await withEnoughTime(
      (timeoutMs) => failure(client.getJob({ name: "late" }, { signal, timeoutMs })),
      () => started.includes("late"),
    );
    expect(late.result).toMatchObject({ status: "DEADLINE_EXCEEDED" });
    const controller = new AbortController();
    const call = failure(client.getJob({ name: "cancelled" }, { signal: controller.signal }));
    await expect.poll(() => started).toContain("cancelled");
    controller.abort(new Error("enough"));
    expect(await call).toMatchObject({ message: "enough" });
    await expect.poll(() => aborted).toEqual(["late", "cancelled"]);
  });

  it("takes a stream of requests, and stops the sender when it has seen enough", async () => {
    const { channel } = await start(
      {},
      {
        uploadBundle: async (requests) => {
          let bytes = 0;
          for await (const { chunk } of requests) {
            bytes += chunk.byteLength;
            if (bytes > 5_000_000) throw new AgentdError("UPLOAD_TOO_LARGE", "too large");
          }
          return { digest: String(bytes) };
        },
      },
    );
    const client = channel.client(RepositoryService);
    let sent = 0;
    async function* chunks(count: number): AsyncGenerator<{ chunk: Uint8Array<ArrayBuffer> }> {
      for (; sent < count; sent += 1) yield await Promise.resolve({ chunk: new Uint8Array(100_000) });
    }
    expect((await client.uploadBundle(chunks(30), { signal })).digest).toBe("3000000");
    expect(await failure(client.uploadBundle(chunks(100_000), { signal }))).toMatchObject({
      reason: "UPLOAD_TOO_LARGE",
    });
    expect(sent).toBeLessThan(1_000);
  });

  it("refuses what is above its bounds with a hint to come back, and takes it when the others have gone", async () => {
    const entered: string[] = [];
    const wait = async (what: string, end: AbortSignal): Promise<void> => {
      entered.push(what);
      await new Promise<void>((resolve) => end.addEventListener("abort", () => resolve(), { once: true }));
    };
    const { channel } = await start(
      {
        async *watchJobs(_, context) {
          yield { type: "BOOKMARK" };
          await wait("watch", context.signal);
        },
      },
      {
        uploadBundle: async (_, context) => {
          await wait("upload", context.signal);
          return { digest: "" };
        },
      },
      { callsMax: 3, requestStreamsMax: 1 },
    );
    const [client, uploads] = [channel.client(JobService), channel.client(RepositoryService)];
    const stop = new AbortController();
    const all = AbortSignal.any([signal, stop.signal]);
    async function* nothing(): AsyncGenerator<{ chunk: Uint8Array<ArrayBuffer> }> {
      yield { chunk: new Uint8Array(1) };
      await new Promise((resolve) => all.addEventListener("abort", resolve, { once: true }));
    }
    const watching = client.watchJobs({}, { signal: all })[Symbol.asyncIterator]();
    await watching.next();
    const uploading = failure(uploads.uploadBundle(nothing(), { signal: all }));
    await expect.poll(() => entered.length).toBe(2);
    expect(await failure(uploads.uploadBundle(nothing(), { signal }))).toMatchObject({
      reason: "STORE_UNAVAILABLE",
      retryAfterMs: 1_000,
    });
    const second = client.watchJobs({}, { signal: all })[Symbol.asyncIterator]();
    await second.next();
    expect(await failure(client.getJob({}, { signal }))).toMatchObject({ reason: "STORE_UNAVAILABLE" });
    expect(await failure(client.watchJobs({}, { signal })[Symbol.asyncIterator]().next())).toMatchObject({
      reason: "STORE_UNAVAILABLE",
    });
    stop.abort();
    await uploading;
    await expect.poll(async () => (await failure(client.getJob({}, { signal }))) instanceof AgentdError).toBe(false);
  });

  it("says in one sentence that its port is in use", async () => {
    const blocker = createServer();
    blocker.listen(0, "127.0.0.1");
    await once(blocker, "listening");
    const address = blocker.address();
    const port = typeof address === "object" && address !== null ? address.port : 0;
    const opening = createGrpcServer({ log: pino({ level: "silent" }), services: [], host: "127.0.0.1", port });
    expect(String(await failure(opening))).toContain(`cannot listen on 127.0.0.1:${port}: the port is in use`);
    blocker.close();
  });

  it("says UNAVAILABLE where nobody listens", async () => {
    const channel = createGrpcChannel("127.0.0.1:1");
    closers.push(channel);
    const error = await failure(channel.client(JobService).getJob({}, { signal }));
    expect(error).toBeInstanceOf(CallError);
    expect(error).toMatchObject({ status: "UNAVAILABLE" });
  });

  it("describes itself well enough for a client that knows nothing", async () => {
    const { server } = await start();
    const buf = join(import.meta.dirname, "..", "..", "..", "node_modules", ".bin", "buf");
    const ask = async (method: string, body: string): Promise<unknown> => {
      const url = `http://127.0.0.1:${server.port}/${method}`;
      const args = ["curl", "--protocol", "grpc", "--http2-prior-knowledge", "-d", body, url];
      return JSON.parse((await promisify(execFile)(buf, args)).stdout);
    };
    expect(await ask("grpc.health.v1.Health/Check", "{}")).toEqual({ status: "SERVING" });
    expect(await ask("agentd.v1.JobService/GetJob", '{"name":"x"}')).toEqual({ metadata: { name: "x" } });
  });

  it("offers health and reflection to any client", async () => {
    const { server } = await start();
    const raw = new Client(`127.0.0.1:${server.port}`, credentials.createInsecure());
    const asIs = (value: Buffer): Buffer => value;
    const health = new Promise<Buffer | undefined>((resolve) => {
      raw.makeUnaryRequest(
        "/grpc.health.v1.Health/Check",
        asIs,
        asIs,
        Buffer.alloc(0),
        new Metadata(),
        {},
        (_, answer) => resolve(answer),
      );
    });
    expect(await health).toEqual(Buffer.from([8, 1]));
    for (const symbol of ["agentd.v1.JobService", "grpc.health.v1.Health"]) {
      const call = raw.makeBidiStreamRequest("/grpc.reflection.v1.ServerReflection/ServerReflectionInfo", asIs, asIs);
      call.write(Buffer.concat([Buffer.from([0x22, symbol.length]), Buffer.from(symbol)]));
      const [answer] = (await once(call, "data")) as [Buffer];
      // Field 4 is a file descriptor, field 7 an error.
      expect(answer.includes(symbol.split(".").slice(0, -1).join("."))).toBe(true);
      expect(answer.includes("Symbol not found")).toBe(false);
      call.end();
    }
    raw.close();
  });
});
