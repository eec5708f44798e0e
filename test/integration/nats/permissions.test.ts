import { mkdtemp, readdir, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInbox } from "@nats-io/nats-core";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import type { NatsLink } from "../../../services/platform/nats/connect.ts";
import { loadSigningKey } from "../../../services/platform/nats/messages/control.ts";
import { publishHint, pullHints } from "../../../services/platform/nats/messages/hints.ts";
import { request, serve } from "../../../services/platform/nats/messages/requests.ts";
import { createTranscriptWriter } from "../../../services/platform/nats/messages/transcripts.ts";
import { putObject, readObject } from "../../../services/platform/nats/objects/objects.ts";
import { loadOrCreateAuthority } from "../../../services/platform/nats/server/credentials.ts";
import { streamNames, subjects } from "../../../services/platform/nats/subjects.ts";
import { startTestStreams, type TestStreams } from "../../support/nats-server.ts";
import { until } from "../../support/until.ts";

const uid = "6f1b6a3e-0c52-4c0e-9a53-3f6d7c1b2a90";
let streams: TestStreams;
let link: NatsLink;
let worker: NatsLink;
let signal: AbortSignal;

beforeAll(async () => {
  signal = AbortSignal.timeout(110_000);
  streams = await startTestStreams();
  ({ link, worker } = streams);
  await loadSigningKey(link, signal);
});
afterAll(() => streams[Symbol.asyncDispose]());
beforeEach(() => {
  signal = AbortSignal.timeout(110_000);
});

/** Sequences of all streams: what a refused message must not move. */
async function sequences(): Promise<readonly number[]> {
  const names = [...Object.values(streamNames), "OBJ_agentd", "OBJ_inbox"];
  return await Promise.all(names.map(async (name) => (await link.jsm.streams.info(name)).state.last_seq));
}

describe("a worker's credentials", () => {
  test("are enough for a worker's life", async () => {
    await using _claims = serve(link, subjects.allClaims, async ({ subject, body }) => ({ subject, body }));
    await link.connection.flush();
    const answer = await request(worker, subjects.claim("w1"), { claimId: "c" }, { timeoutMs: 45_000 }, signal);
    expect(answer).toEqual({ subject: subjects.claim("w1"), body: { claimId: "c" } });

    await publishHint(link, "run", uid, "t1", signal);
    const [hint] = await pullHints(worker, { kind: "run", max: 4, expiresMs: 1_000 }, signal);
    expect(hint).toMatchObject({ kind: "run", uid, task: "t1", deliveries: 1 });
    hint?.ack();
    await until("the hint is gone", async () => (await link.jsm.streams.info(streamNames.hints)).state.messages === 0);

    const put = await putObject(worker, "inbox", Buffer.from("result"), signal);
    expect((await readObject(link, "inbox", put.name, {}, signal)).toString()).toBe("result");
    const base = await putObject(link, "agentd", Buffer.from("base"), signal);
    expect((await readObject(worker, "agentd", base.name, {}, signal)).toString()).toBe("base");

    const of = { worker: "w1", uid, task: "t1", attempt: 1 };
    await createTranscriptWriter(worker, of).append({ turn: 1 }, signal);
    const heard: string[] = [];
    link.connection.subscribe("agentd.v1.*.w1.>", { callback: (_, msg) => void heard.push(msg.subject) });
    link.connection.subscribe(subjects.allHeartbeats, { callback: (_, msg) => void heard.push(msg.subject) });
    worker.connection.subscribe(subjects.signal("w1"), { callback: (_, msg) => void heard.push(msg.subject) });
    await Promise.all([link.connection.flush(), worker.connection.flush()]);
    worker.connection.publish(subjects.heartbeat("w1"), "{}");
    worker.connection.publish(subjects.live(of), "line");
    link.connection.publish(subjects.signal("w1"), "{}");
    await until("all were heard", () => heard.length === 3);
  });

  test.each([
    "$KV.agentd.job.default.a",
    "$KV.agentd-control.signing-key",
    "$KV.agentd-control.leader",
    subjects.hint("run", uid, "t1"),
    subjects.event(uid, "t1"),
    "agentd.v1.claim.w2",
    "agentd.v1.complete.w2",
    "agentd.v1.heartbeat.w2",
    "agentd.v1.signal.w2",
    `agentd.v1.transcript.w2.${uid}.t1.1`,
    `agentd.v1.live.w2.${uid}.t1.1`,
    "$O.agentd.M.x",
    "$O.agentd.C.x",
    "$JS.API.STREAM.PURGE.OBJ_inbox",
    "$JS.API.STREAM.DELETE.HINTS",
    "$JS.API.STREAM.UPDATE.HINTS",
    "$JS.API.STREAM.CREATE.mine",
    "$JS.API.STREAM.INFO.KV_agentd",
    "$JS.API.STREAM.MSG.GET.KV_agentd-control",
    "$JS.API.STREAM.MSG.GET.KV_agentd",
    "$JS.API.DIRECT.GET.KV_agentd-control",
    "$JS.API.DIRECT.GET.OBJ_inbox",
    "$JS.API.CONSUMER.CREATE.OBJ_agentd",
    "$JS.API.CONSUMER.CREATE.KV_agentd",
    "$JS.API.CONSUMER.DELETE.HINTS.run",
    "$SYS.REQ.SERVER.PING.JSZ",
  ])("do not allow to publish %s", async (subject) => {
    const before = await sequences();
    const heard: string[] = [];
    const spy = link.connection.subscribe("agentd.v1.>", { callback: (_, msg) => void heard.push(msg.subject) });
    await link.connection.flush();
    await expect(worker.connection.request(subject, "{}", { timeout: 45_000 })).rejects.toThrow(/permission/i);
    await worker.connection.flush();
    await link.connection.flush();
    expect(heard).toEqual([]);
    expect(await sequences()).toEqual(before);
    spy.unsubscribe();
  });

  test.each(["$KV.>", "agentd.v1.signal.w2", "agentd.v1.>", "_INBOX.>", "_INBOX_w2.>", ">", "$JS.>"])(
    "do not allow to listen to %s",
    async (subject) => {
      const refused = new Promise<Error | null>((resolve) => {
        worker.connection.subscribe(subject, { callback: (error) => resolve(error) });
      });
      expect((await refused)?.message).toMatch(/permission/i);
    },
  );

  test("do not let an answer be sent to where the worker may not write", async () => {
    // JetStream would publish an object's bytes to any reply subject: inside one account, into the resource stream.
    const { name } = await putObject(link, "agentd", Buffer.from(JSON.stringify({ forged: true })), signal);
    const info = await link.jsm.streams.info("OBJ_agentd", { subjects_filter: "$O.agentd.C.*" });
    const chunk = Object.keys(info.state.subjects ?? {}).at(-1);
    await publishHint(link, "verify", uid, "bait", signal);
    const before = await sequences();
    const heard: string[] = [];
    const spy = link.connection.subscribe("agentd.v1.heartbeat.w2", {
      callback: (_, msg) => void heard.push(msg.subject),
    });
    await link.connection.flush();
    for (const reply of ["$KV.agentd.job.default.forged", "agentd.v1.heartbeat.w2", "$O.agentd.M.forged"]) {
      const query = JSON.stringify({ seq: 1, next_by_subj: chunk });
      worker.connection.publish("$JS.API.DIRECT.GET.OBJ_agentd", query, { reply });
      worker.connection.publish("$JS.API.CONSUMER.MSG.NEXT.HINTS.verify", JSON.stringify({ batch: 1, no_wait: true }), {
        reply,
      });
      worker.connection.publish(subjects.heartbeat("w1"), "{}", { reply });
    }
    // An honest read behind them: once it is answered, so were those.
    await worker.connection.flush();
    expect((await readObject(worker, "agentd", name, {}, signal)).length).toBeGreaterThan(0);
    await link.connection.flush();
    expect(heard).toEqual([]);
    expect(await sequences()).toEqual(before);
    spy.unsubscribe();
  });

  test("do not show it another worker's answers", async () => {
    const other = await streams.server.connectWorker("w2");
    const inbox = createInbox(other.inboxPrefix);
    expect(inbox.startsWith("_INBOX_w2.")).toBe(true);
    const refused = new Promise<Error | null>((resolve) => {
      worker.connection.subscribe(inbox, { callback: (error) => resolve(error) });
    });
    expect((await refused)?.message).toMatch(/permission/i);
  });
});

test("the identities are kept in files that only their owner can read, and give the same authority again", async () => {
  const directory = await mkdtemp(join(tmpdir(), "agentd-authority-"));
  try {
    const folder = join(directory, "identities");
    const first = await loadOrCreateAuthority(folder);
    const second = await loadOrCreateAuthority(folder);
    expect(second.files).toEqual(first.files);
    expect(second.account).toEqual(first.account);
    for (const name of await readdir(folder)) expect((await stat(join(folder, name))).mode & 0o077).toBe(0);
    await rm(join(folder, "account.seed"));
    await expect(loadOrCreateAuthority(folder)).rejects.toThrow(/account\.seed missing/);
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
});
