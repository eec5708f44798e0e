import { randomUUID } from "node:crypto";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { EventChange } from "../../../services/gen/agentd/v1/event_service_pb.ts";
import { type AgentdEvent, appendEvent } from "../../../services/platform/nats/messages/events.ts";
import { streamNames } from "../../../services/platform/nats/subjects.ts";
import { jobOf, refusal, startTestApi, type TestApi } from "../../support/api/api-server.ts";
import { createRepository, type SampleRepository } from "../../support/sample-repository.ts";
import { until } from "../../support/until.ts";

const call = { signal: AbortSignal.timeout(600_000) };
const parent = "namespaces/default/jobs/told";
let api: TestApi;
let repository: SampleRepository;
let uid: string;

beforeAll(async () => {
  api = await startTestApi({ bookmarkMs: 100 });
  repository = createRepository({ "src/a.ts": "a" });
  const job = await api.jobs.createJob(
    { parent: "namespaces/default", job: jobOf({ url: repository.path }, "told") },
    call,
  );
  uid = job.metadata?.uid ?? "";
  await until(
    "the event of its creation",
    async () => (await api.events.listEvents({ parent }, call)).events.length === 1,
  );
  for (let at = 1; at <= 6; at += 1) await tell(`Reason${at}`, at % 2 === 0 ? "Warning" : "Normal");
});
afterAll(async () => {
  repository[Symbol.dispose]();
  await api[Symbol.asyncDispose]();
});

async function tell(reason: string, type: "Normal" | "Warning" = "Normal", of = uid): Promise<void> {
  const involved = { kind: "Job", name: "told", uid: of, namespace: "default", job: "told" };
  const event: AgentdEvent = { timeMs: Date.now(), type, reason, message: "m", involved, count: 1 };
  await appendEvent(api.link, { uid: of, task: undefined }, event, call.signal);
}

const reasonsOf = (events: readonly { readonly reason: string }[]) => events.map(({ reason }) => reason);

describe("events", () => {
  it("are listed oldest first in pages that end where the first one began", async () => {
    const first = await api.events.listEvents({ parent, pageSize: 4 }, call);
    expect(reasonsOf(first.events)).toEqual(["Created", "Reason1", "Reason2", "Reason3"]);
    await tell("Late");
    const second = await api.events.listEvents({ parent, pageSize: 4, pageToken: first.nextPageToken }, call);
    expect(reasonsOf(second.events)).toEqual(["Reason4", "Reason5", "Reason6"]);
    expect(second.nextPageToken).toBe("");
    expect(second.resourceVersion).toBe(first.resourceVersion);
    const watch = api.events.watchEvents({ parent, resourceVersion: second.resourceVersion }, call);
    for await (const { event } of watch) {
      expect(event?.reason).toBe("Late");
      break;
    }
  });

  it("are selected by type, reason and namespace, and by the newest", async () => {
    const warnings = await api.events.listEvents({ parent, fieldSelector: "type=Warning,reason!=Reason2" }, call);
    expect(reasonsOf(warnings.events)).toEqual(["Reason4", "Reason6"]);
    expect(reasonsOf((await api.events.listEvents({ parent, tail: 2 }, call)).events)).toEqual(["Reason6", "Late"]);
    const all = await api.events.listEvents({ parent: "namespaces/default" }, call);
    expect(all.events).toHaveLength(8);
    expect((await api.events.listEvents({ parent: "namespaces/other" }, call)).events).toEqual([]);
    expect((await api.events.listEvents({ parent: "namespaces/-" }, call)).events).toHaveLength(8);
  });

  it.each([
    ["a selector that cannot be read", { fieldSelector: "typ=x" }, "field_selector"],
    [
      "a page token of another list",
      { pageToken: Buffer.from('{"of":"jobs","revision":1,"after":""}').toString("base64url") },
      "page_token",
    ],
    ["a tail together with a page", { tail: -1 }, "tail"],
  ])("refuses %s", async (_, request, field) => {
    expect(await refusal(api.events.listEvents({ parent, ...request }, call))).toMatchObject({ fields: [field] });
  });

  it("are followed over a killed nats-server, none twice and none missing", async () => {
    const stop = new AbortController();
    const seen: EventChange[] = [];
    const following = (async () => {
      for await (const change of api.events.watchEvents({ parent }, { signal: stop.signal })) seen.push(change);
    })().catch(() => undefined);
    await expect.poll(() => seen.at(-1)?.type).toBe("BOOKMARK");
    const before = seen.filter(({ type }) => type === "ADDED").length;
    expect(before).toBe(8);
    await tell("BeforeKill");
    await expect.poll(() => seen.filter(({ type }) => type === "ADDED").length).toBe(9);
    await api.nats.kill();
    await api.nats.restart();
    await until("the reconnect", () => api.link.isConnected);
    await tell("AfterKill");
    await expect.poll(() => seen.findLast(({ type }) => type === "ADDED")?.event?.reason).toBe("AfterKill");
    const versions = seen.flatMap(({ type, resourceVersion }) => (type === "ADDED" ? [Number(resourceVersion)] : []));
    expect(versions).toEqual([...new Set(versions)].sort((a, b) => a - b));
    expect(versions).toHaveLength(10);
    stop.abort();
    await following;
  });

  it("that are no longer stored make a watch from before them OUT_OF_RANGE, and so does a version to come", async () => {
    const { resourceVersion } = await api.events.listEvents({ parent: "namespaces/-", pageSize: 1 }, call);
    const from = (version: string) =>
      api.events.watchEvents({ parent, resourceVersion: version }, call)[Symbol.asyncIterator]();
    expect(await refusal(from("999999").next())).toMatchObject({ reason: "WATCH_EXPIRED" });
    expect(await refusal(from("abc").next())).toMatchObject({ reason: "INVALID_SPEC", fields: ["resource_version"] });
    await api.link.jsm.streams.purge(streamNames.events, { seq: Number(resourceVersion) });
    expect(await refusal(from("1").next())).toMatchObject({ reason: "WATCH_EXPIRED" });
    await tell("Alone", "Normal", randomUUID());
    const watch = from(String(resourceVersion));
    expect((await watch.next()).value?.type).toBe("BOOKMARK");
    await watch.return?.();
  });
});
