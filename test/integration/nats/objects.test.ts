import { createHash, randomBytes } from "node:crypto";
import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import type { NatsLink } from "../../../services/platform/nats/connect.ts";
import { metaSubject } from "../../../services/platform/nats/objects/object-format.ts";
import {
  copyObject,
  deleteObject,
  getObject,
  listObjects,
  putObject,
  readObject,
  statObject,
  sweepChunks,
} from "../../../services/platform/nats/objects/objects.ts";
import { defaultLimits } from "../../../services/platform/nats/stream-limits.ts";
import { ensureStreams } from "../../../services/platform/nats/streams.ts";
import { startTestServer, type TestServer } from "../../support/nats-server.ts";
import { until } from "../../support/until.ts";

let server: TestServer;
let link: NatsLink;
let worker: NatsLink;
let signal: AbortSignal;
let directory: string;

beforeAll(async () => {
  signal = AbortSignal.timeout(110_000);
  server = await startTestServer();
  link = await server.connectCoordinator();
  await ensureStreams(link, defaultLimits, signal);
  worker = await server.connectWorker("w1");
  directory = await mkdtemp(join(tmpdir(), "agentd-objects-"));
});
afterAll(async () => {
  await server[Symbol.asyncDispose]();
  await rm(directory, { recursive: true, force: true });
});
beforeEach(() => {
  signal = AbortSignal.timeout(110_000);
});

const sha256 = (data: Uint8Array): string => createHash("sha256").update(data).digest("hex");

test("a worker's file goes through the inbox into the bucket and back to a worker, byte for byte", async () => {
  const data = randomBytes(6 * 1_024 * 1_024 + 17);
  const file = join(directory, "result.bundle");
  await writeFile(file, data);
  const put = await putObject(worker, "inbox", { file }, signal);
  expect(put.name.split("/")[0]).toBe(sha256(data));
  expect(put.size).toBe(data.length);
  const copy = await copyObject(
    link,
    { bucket: "inbox", name: put.name },
    "agentd",
    join(directory, "via"),
    {},
    signal,
  );
  expect(copy.name).not.toBe(put.name);
  expect(copy.name.split("/")[0]).toBe(sha256(data));
  await getObject(worker, "agentd", copy.name, join(directory, "back"), {}, signal);
  expect(sha256(await readFile(join(directory, "back")))).toBe(sha256(data));
  expect((await readdir(directory)).sort()).toEqual(["back", "result.bundle"]);
});

test.each([0, 1, 128 * 1_024, 128 * 1_024 + 1])("an object of %d bytes comes back", async (size) => {
  const data = randomBytes(size);
  const { name } = await putObject(link, "agentd", data, signal);
  expect(Buffer.compare(await readObject(worker, "agentd", name, {}, signal), data)).toBe(0);
});

test("the same bytes put twice are two objects; deleting one leaves the other", async () => {
  const data = Buffer.from("same");
  const first = await putObject(link, "agentd", data, signal);
  const second = await putObject(link, "agentd", data, signal);
  expect(first.name).not.toBe(second.name);
  await deleteObject(link, "agentd", first.name, signal);
  await expect(readObject(link, "agentd", first.name, {}, signal)).rejects.toMatchObject({ reason: "OBJECT_MISSING" });
  expect((await readObject(link, "agentd", second.name, {}, signal)).toString()).toBe("same");
  const names = (await listObjects(link, "agentd", signal)).map((each) => each.name);
  expect(names).toContain(second.name);
  expect(names).not.toContain(first.name);
  await deleteObject(link, "agentd", first.name, signal);
});

test("an object that is not there, or whose parts are gone, is missing, and leaves no file", async () => {
  const target = join(directory, "none");
  const get = (name: string) => getObject(worker, "agentd", name, target, {}, signal);
  const never = `${"0".repeat(64)}/${"0".repeat(32)}`;
  await expect(get(never)).rejects.toMatchObject({ reason: "OBJECT_MISSING", retryAfterMs: 1_000 });
  await expect(get("../../etc/passwd")).rejects.toMatchObject({ reason: "OBJECT_MISSING" });
  const { name } = await putObject(link, "agentd", randomBytes(400_000), signal);
  const nuid = (await listObjects(link, "agentd", signal)).find((each) => each.name === name)?.nuid;
  const info = await link.jsm.streams.info("OBJ_agentd");
  // The description is the last message; the chunk before it goes.
  await link.jsm.streams.deleteMessage("OBJ_agentd", info.state.last_seq - 1);
  expect(nuid).toBeDefined();
  await expect(get(name)).rejects.toMatchObject({ reason: "OBJECT_MISSING" });
  expect((await readdir(directory)).filter((each) => each.startsWith("none"))).toEqual([]);
});

test("an object that is not what its name says is refused", async () => {
  const honest = await putObject(worker, "inbox", Buffer.from("honest"), signal);
  const stored = await link.jsm.streams.getMessage("OBJ_inbox", { last_by_subj: metaSubject("inbox", honest.name) });
  const meta = stored?.json<Record<string, unknown>>();
  const lie = `${"a".repeat(64)}/${"b".repeat(32)}`;
  await worker.js.publish(metaSubject("inbox", lie), JSON.stringify({ ...meta, name: lie }));
  await expect(readObject(link, "inbox", lie, {}, signal)).rejects.toMatchObject({ reason: "OBJECT_MISSING" });
  await worker.js.publish(metaSubject("inbox", lie), "no json");
  await expect(readObject(link, "inbox", lie, {}, signal)).rejects.toMatchObject({ reason: "OBJECT_MISSING" });
});

test("a read is bounded in bytes and in time", async () => {
  const { name } = await putObject(link, "agentd", randomBytes(300_000), signal);
  await expect(readObject(worker, "agentd", name, { bytesMax: 200_000 }, signal)).rejects.toMatchObject({
    reason: "LIMIT_EXCEEDED",
  });
  await expect(readObject(worker, "agentd", name, { timeoutMs: 0 }, signal)).rejects.toMatchObject({
    reason: "STORE_UNAVAILABLE",
  });
});

test("a worker cannot empty the inbox with a roll-up", async () => {
  const { name } = await putObject(worker, "inbox", Buffer.from("kept"), signal);
  const { headers } = await import("@nats-io/nats-core");
  const hdrs = headers();
  hdrs.set("Nats-Rollup", "all");
  await expect(worker.js.publish("$O.inbox.C.x", "x", { headers: hdrs, retries: 0 })).rejects.toThrow(/rollup/);
  expect((await readObject(link, "inbox", name, {}, signal)).toString()).toBe("kept");
});

test("a put over a killed server fails, and leaves no object", async () => {
  const before = (await listObjects(link, "inbox", signal)).length;
  const chunks = async (): Promise<number> => (await link.jsm.streams.info("OBJ_inbox")).state.messages;
  const stored = await chunks();
  const put = putObject(worker, "inbox", randomBytes(48 * 1_024 * 1_024), signal).catch((error: unknown) => error);
  await until("some parts are stored", async () => (await chunks()) > stored + 2);
  await server.kill();
  await server.restart();
  expect(await put).toMatchObject({ reason: "STORE_UNAVAILABLE" });
  await until("connected again", () => link.isConnected);
  expect(await listObjects(link, "inbox", signal)).toHaveLength(before);
  expect(await statObject(link, "inbox", `${"0".repeat(64)}/${"0".repeat(32)}`, signal)).toBeUndefined();
});

test("parts of failed puts are swept when they are old, objects never", async () => {
  const { name } = await putObject(link, "agentd", Buffer.from("whole"), signal);
  expect((await statObject(link, "agentd", name, signal))?.size).toBe(5);
  await link.js.publish("$O.agentd.C.abandoned", "part");
  const hasRested = (subject: string) => subject === "$O.agentd.C.abandoned";
  expect(await sweepChunks(link, "agentd", { olderThanMs: Date.now() - 60_000, hasRested }, signal)).toBe(0);
  expect(await sweepChunks(link, "agentd", { olderThanMs: Date.now() + 60_000, hasRested }, signal)).toBe(1);
  expect((await readObject(link, "agentd", name, {}, signal)).toString()).toBe("whole");
});
