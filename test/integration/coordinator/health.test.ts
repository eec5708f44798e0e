import { Client, credentials } from "@grpc/grpc-js";
import { afterAll, beforeAll, expect, it } from "vitest";
import { startTestServer, type TestServer } from "../../support/nats-server.ts";
import { openPartsStage, type PartsStage } from "../../support/part.ts";
import { until } from "../../support/until.ts";

let nats: TestServer;
let stage: PartsStage;
let client: Client;
let http: string;

beforeAll(async () => {
  nats = await startTestServer();
  stage = await openPartsStage(nats, "http://127.0.0.1:9/v1");
  const { listen = "", http: address = "" } = await stage.coordinator("a").ready();
  http = address;
  client = new Client(listen, credentials.createInsecure());
});
afterAll(async () => {
  client?.close();
  await stage?.[Symbol.asyncDispose]();
  await nats?.[Symbol.asyncDispose]();
});

const asIs = (bytes: Buffer): Buffer => bytes;

/** What `grpc.health.v1` says of a service: field 1 of its answer; 1 = SERVING, 2 = NOT_SERVING. */
async function healthOf(service: string): Promise<number | undefined> {
  const request =
    service === "" ? Buffer.alloc(0) : Buffer.concat([Buffer.from([10, service.length]), Buffer.from(service)]);
  const answer = await new Promise<Buffer | undefined>((resolve, reject) =>
    client.makeUnaryRequest("/grpc.health.v1.Health/Check", asIs, asIs, request, (error, bytes) =>
      error === null ? resolve(bytes) : reject(error),
    ),
  );
  return answer?.[1];
}

const everyService = ["", "agentd.v1.JobService", "agentd.v1.TaskService"];
async function becomes(status: number): Promise<void> {
  for (const service of everyService) {
    await until(`${service} has status ${status}`, async () => (await healthOf(service)) === status);
  }
}

it.each<[string, RegExp, () => Promise<void> | void, () => Promise<void> | void]>([
  ["is gone", /not connected to NATS/, () => nats.kill(), () => nats.restart()],
  [
    "hangs",
    /no answer within/,
    () => void process.kill(nats.process.pid, "SIGSTOP"),
    () => void process.kill(nats.process.pid, "SIGCONT"),
  ],
  [
    "came back with a storage that loses writes",
    /storage|disk|sync/i,
    async () => {
      await nats.kill();
      await nats.restart({ isSyncAlways: false });
    },
    async () => {
      await nats.kill();
      await nats.restart();
    },
  ],
])("gRPC health says NOT_SERVING of every service while NATS %s, and SERVING after", async (_, why, breakIt, mend) => {
  await becomes(1);
  await breakIt();
  try {
    await until("that reason", async () => why.test(await (await fetch(`${http}/readyz`)).text()));
    await becomes(2);
  } finally {
    await mend();
  }
  await becomes(1);
  expect(await healthOf("")).toBe(1);
});
