import { mkdtemp, rm } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { createAuthority } from "../../../services/platform/nats/server/credentials.ts";
import { startNatsServer } from "../../../services/platform/nats/server/server.ts";
import { checkStorageSafety } from "../../../services/platform/nats/server/storage-safety.ts";
import { defaultLimits } from "../../../services/platform/nats/stream-limits.ts";
import { ensureStreams, streamUsage } from "../../../services/platform/nats/streams.ts";
import { streamNames } from "../../../services/platform/nats/subjects.ts";
import { startTestServer } from "../../support/nats-server.ts";

const signal = (): AbortSignal => AbortSignal.timeout(110_000);

test("a server that writes to disk before it acknowledges is accepted", async () => {
  await using server = await startTestServer();
  await expect(checkStorageSafety(await server.connectSystem(), signal())).resolves.toBeUndefined();
});

test("a server with the default setting is refused as unsafe", async () => {
  await using server = await startTestServer({ isSyncAlways: false });
  const check = checkStorageSafety(await server.connectSystem(), signal());
  await expect(check).rejects.toMatchObject({ reason: "STORE_UNSAFE" });
});

test("who may not ask how the server writes is told that nobody says", async () => {
  await using server = await startTestServer();
  const check = checkStorageSafety(await server.connectCoordinator(), signal());
  await expect(check).rejects.toMatchObject({ reason: "STORE_UNSAFE" });
});

test("streams are made once and brought to new limits later", async () => {
  await using server = await startTestServer();
  const link = await server.connectCoordinator();
  await ensureStreams(link, defaultLimits, signal());
  const before = await link.jsm.streams.info(streamNames.resources);
  expect(before.config).toMatchObject({
    subjects: ["$KV.agentd.>"],
    allow_atomic: true,
    allow_direct: false,
    discard: "new",
    storage: "file",
    max_msgs_per_subject: 1_024,
  });
  const hints = await link.jsm.streams.info(streamNames.hints);
  expect(hints.config).toMatchObject({
    max_msgs_per_subject: 1,
    discard_new_per_subject: true,
    retention: "workqueue",
  });
  await ensureStreams(link, { ...defaultLimits, resourceBytes: 64 * 1_024 ** 2, hintAckWaitMs: 5_000 }, signal());
  const after = await link.jsm.streams.info(streamNames.resources);
  expect(after.created).toBe(before.created);
  expect(await streamUsage(link, streamNames.resources, signal())).toEqual({
    bytes: 0,
    bytesMax: 64 * 1_024 ** 2,
    messages: 0,
    messagesMax: -1,
  });
  const consumer = await link.jsm.consumers.info(streamNames.hints, "run");
  expect(consumer.config.ack_wait).toBe(5_000 * 1e6);
});

test("a port that is taken is one clear sentence", async () => {
  const other = createServer().listen(0, "127.0.0.1");
  await new Promise((resolve) => other.once("listening", resolve));
  const address = other.address();
  const port = typeof address === "object" && address !== null ? address.port : 0;
  const directory = await mkdtemp(join(tmpdir(), "agentd-nats-"));
  try {
    const options = { binary: "/nonexistent/nats-server", directory, port, authority: await createAuthority() };
    await expect(startNatsServer(options, signal())).rejects.toThrow(`port ${port} is already in use`);
    await expect(startNatsServer({ ...options, port: 0 }, signal())).rejects.toThrow(/nats-server/);
  } finally {
    other.close();
    await rm(directory, { recursive: true, force: true });
  }
});
