import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { createPlanner } from "../../../services/coordinator/planner/planner.ts";
import { AgentdError } from "../../../services/core/errors.ts";
import type { Job } from "../../../services/core/job/job.ts";
import type { Task } from "../../../services/core/task/task.ts";
import type { JobChange } from "../../../services/gen/agentd/v1/job_service_pb.ts";
import { keyPrefixes } from "../../../services/platform/nats/subjects.ts";
import { jobOf, refusal, startTestApi, type TestApi } from "../../support/api/api-server.ts";
import { createRepository, type SampleRepository } from "../../support/sample-repository.ts";

const parent = "namespaces/default";
const call = { signal: AbortSignal.timeout(600_000) };
let api: TestApi;
let repository: SampleRepository;

beforeAll(async () => {
  api = await startTestApi();
  repository = createRepository({ "src/a.ts": "a", "src/b.ts": "b" });
});
afterAll(async () => {
  repository[Symbol.dispose]();
  await api[Symbol.asyncDispose]();
});
afterEach(async () => {
  for (const { value } of api.store.list<Job>(keyPrefixes.jobs)) {
    await api.jobs.deleteJob({ name: `${parent}/jobs/${value.metadata.name}` }, call);
  }
});

const create = (name: string, spec = {}) =>
  api.jobs.createJob({ parent, job: jobOf({ url: repository.path }, name, spec) }, call);
const update = (name: string, paths: string[], spec = {}, metadata = {}) =>
  api.jobs.updateJob({ job: { metadata: { name, ...metadata }, spec }, updateMask: { paths } }, call);

describe("updating a job", () => {
  it("changes what the mask names and nothing else, and applying the same says unchanged", async () => {
    await create("up", { parallelism: 4 });
    const job = await update(
      "up",
      ["spec.priority", "metadata.labels"],
      { priority: 7, parallelism: 9 },
      { labels: { team: "web" } },
    );
    expect(job).toMatchObject({
      spec: { priority: 7, parallelism: 4 },
      metadata: { labels: { team: "web" }, generation: 2n },
    });
    const suspended = await update("up", ["spec.suspend"], { suspend: true });
    expect(suspended).toMatchObject({ spec: { suspend: true, priority: 7 }, metadata: { generation: 3n } });
    const wanted = jobOf({ url: repository.path }, "up", { parallelism: 4, priority: 7, suspend: true });
    const applied = await api.jobs.applyJob(
      { parent, job: { ...wanted, metadata: { name: "up", labels: { team: "web" } } } },
      call,
    );
    expect(applied.result).toBe("unchanged");
  });

  it("of nothing new writes nothing, and one that only validates neither", async () => {
    const { metadata } = await create("same");
    expect((await update("same", ["spec.priority"])).metadata?.resourceVersion).toBe(metadata?.resourceVersion);
    const request = {
      job: { metadata: { name: "same" }, spec: { priority: 3 } },
      updateMask: { paths: ["spec.priority"] },
    };
    expect((await api.jobs.updateJob({ ...request, validateOnly: true }, call)).spec?.priority).toBe(3);
    expect((await api.jobs.getJob({ name: `${parent}/jobs/same` }, call)).spec?.priority).toBe(0);
  });

  it("lets one of two clients that saw the same version win, and tells the other the current one", async () => {
    const { metadata } = await create("two");
    const { resourceVersion = "" } = metadata ?? {};
    const race = [1, 2].map((priority) => update("two", ["spec.priority"], { priority }, { resourceVersion }));
    const results = await Promise.allSettled(race);
    const won = results.find((each) => each.status === "fulfilled");
    const lost = results.find((each) => each.status === "rejected");
    const error: unknown = lost?.reason;
    expect(error).toBeInstanceOf(AgentdError);
    expect(error).toMatchObject({
      reason: "CONFLICT",
      metadata: { job: "two", resource_version: won?.value.metadata?.resourceVersion },
    });
    const current = (error as AgentdError).metadata["resource_version"] ?? "";
    expect((await update("two", ["spec.priority"], { priority: 5 }, { resourceVersion: current })).spec?.priority).toBe(
      5,
    );
  });

  it.each([
    ["an empty mask", [], {}, {}, ["update_mask"]],
    ["what cannot be changed", ["spec.template.prompt", "spec.plan"], {}, {}, ["spec.template.prompt", "spec.plan"]],
    [
      "bad values",
      ["spec.priority", "spec.parallelism"],
      { priority: 1e9, parallelism: -1 },
      {},
      ["spec.parallelism", "spec.priority"],
    ],
    ["bad labels", ["metadata.labels"], {}, { labels: { "a b": "x" } }, ["metadata.labels.a b"]],
    ["a job without a name", ["spec.priority"], {}, { name: "" }, ["job.metadata"]],
  ])("refuses %s with the fields", async (_, paths, spec, metadata, fields) => {
    await create("bad");
    expect(await refusal(update("bad", paths, spec, metadata))).toMatchObject({ reason: "INVALID_SPEC", fields });
  });

  it("of a job that is not there says NOT_FOUND", async () => {
    expect(await refusal(update("none", ["spec.priority"]))).toMatchObject({ reason: "NOT_FOUND" });
  });
});

describe("selecting by fields", () => {
  it("lists jobs and tasks, page by page, and refuses a page token of another selection", async () => {
    for (const name of ["f-1", "f-2", "f-3"]) await create(name, { priority: name === "f-2" ? 5 : 0 });
    const low = { parent, fieldSelector: "spec.priority=0", pageSize: 1 };
    const first = await api.jobs.listJobs(low, call);
    const second = await api.jobs.listJobs({ ...low, pageToken: first.nextPageToken }, call);
    expect([...first.jobs, ...second.jobs].map((job) => job.metadata?.name)).toEqual(["f-1", "f-3"]);
    const other = { parent, fieldSelector: "spec.priority=5", pageToken: first.nextPageToken };
    expect(await refusal(api.jobs.listJobs(other, call))).toMatchObject({
      reason: "INVALID_SPEC",
      fields: ["page_token"],
    });
    const planner = createPlanner({ ...api.deps });
    const uid = first.jobs[0]?.metadata?.uid ?? "";
    await planner.reconcile(uid, call.signal);
    const [task] = api.store.list<Task>(keyPrefixes.tasksOf(uid));
    if (task === undefined) throw new Error("no task");
    const value: Task = { ...task.value, status: { ...task.value.status, state: "Failed" } };
    await api.store.commit([{ key: task.key, value, expected: task.revision }], call.signal);
    const failed = await api.tasks.listTasks(
      { parent: `${parent}/jobs/-`, fieldSelector: "status.state=Failed" },
      call,
    );
    expect(failed.tasks.map(({ metadata }) => metadata?.name)).toEqual([value.metadata.name]);
    const rest = await api.tasks.listTasks({ parent: `${parent}/jobs/-`, fieldSelector: "status.state!=Failed" }, call);
    expect(rest.tasks).toHaveLength(1);
  });

  it.each([
    ["a label selector with a syntax error", { labelSelector: "a in (b" }, "label_selector"],
    ["a field selector with a syntax error", { fieldSelector: "spec.priority>3" }, "field_selector"],
    ["a field that is not selectable", { fieldSelector: "status.stat=x" }, "field_selector"],
  ])("refuses %s, in lists and in watches", async (_, selector, field) => {
    const refused = { reason: "INVALID_SPEC", fields: [field] };
    expect(await refusal(api.jobs.listJobs({ parent, ...selector }, call))).toMatchObject(refused);
    expect(await refusal(api.tasks.listTasks({ parent: `${parent}/jobs/-`, ...selector }, call))).toMatchObject(
      refused,
    );
    const watch = api.jobs.watchJobs({ parent, ...selector }, call)[Symbol.asyncIterator]();
    expect(await refusal(watch.next())).toMatchObject(refused);
  });

  it("watches what comes into the selection and what leaves it, from the present and from a version", async () => {
    await create("s-1");
    const stop = new AbortController();
    const request = { parent, fieldSelector: "spec.priority=9" };
    const live = api.jobs.watchJobs(request, { signal: stop.signal })[Symbol.asyncIterator]();
    const bookmark = await nextOf(live);
    expect(bookmark.type).toBe("BOOKMARK");
    await update("s-1", ["spec.priority"], { priority: 9 });
    expect(await nextOf(live)).toMatchObject({ type: "ADDED", job: { metadata: { name: "s-1" } } });
    await update("s-1", ["metadata.labels"], {}, { labels: { a: "b" } });
    expect(await nextOf(live)).toMatchObject({ type: "MODIFIED" });
    await update("s-1", ["spec.priority"], { priority: 1 });
    expect(await nextOf(live)).toMatchObject({ type: "DELETED", job: { metadata: { name: "s-1" } } });
    await create("s-2", { priority: 9 });
    expect(await nextOf(live)).toMatchObject({ type: "ADDED", job: { metadata: { name: "s-2" } } });
    const { resourceVersion } = bookmark;
    const again = api.jobs.watchJobs({ ...request, resourceVersion }, { signal: stop.signal })[Symbol.asyncIterator]();
    const seen: string[] = [];
    while (seen.length < 4) {
      const { type, job } = await nextOf(again);
      seen.push(`${type} ${job?.metadata?.name}`);
    }
    expect(seen).toEqual(["ADDED s-1", "MODIFIED s-1", "DELETED s-1", "ADDED s-2"]);
    stop.abort();
  });
});

async function nextOf(watch: AsyncIterator<JobChange>): Promise<JobChange> {
  const { value } = await watch.next();
  if (value === undefined) throw new Error("the watch has ended");
  return value as JobChange;
}
