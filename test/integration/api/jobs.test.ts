import { execFileSync } from "node:child_process";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { newTask } from "../../../services/coordinator/planner/new-task.ts";
import { createPlanner } from "../../../services/coordinator/planner/planner.ts";
import type { Job, JobHead } from "../../../services/core/job/job.ts";
import type { Task } from "../../../services/core/task/task.ts";
import type { JobChange } from "../../../services/gen/agentd/v1/job_service_pb.ts";
import { keyPrefixes, keys } from "../../../services/platform/nats/subjects.ts";
import type { TestApi } from "../../support/api/api-server.ts";
import { bundleOf, chunksOf, jobOf, refusal, startTestApi } from "../../support/api/api-server.ts";
import type { SampleRepository } from "../../support/sample-repository.ts";
import { createRepository } from "../../support/sample-repository.ts";

const parent = "namespaces/default";
const nameOf = (job: string): string => `${parent}/jobs/${job}`;

let api: TestApi;
let repository: SampleRepository;
const call = { signal: AbortSignal.timeout(600_000) };
const { signal } = call;

beforeAll(async () => {
  api = await startTestApi();
  repository = createRepository({ "src/a.ts": "a", "src/b.ts": "b", "README.md": "x" });
});
afterAll(async () => {
  repository[Symbol.dispose]();
  await api[Symbol.asyncDispose]();
});
afterEach(async () => {
  for (const { value } of api.store.list<Job>(keyPrefixes.jobs)) {
    await api.jobs.deleteJob({ name: `namespaces/${value.metadata.namespace}/jobs/${value.metadata.name}` }, call);
  }
});

const create = (name: string, spec = {}, url = repository.path) =>
  api.jobs.createJob({ parent, job: jobOf({ url }, name, spec) }, call);

async function plan(uid: string): Promise<void> {
  const planner = createPlanner({ ...api.deps });
  await planner.reconcile(uid, signal);
  await planner.reconcile(uid, signal);
}

describe("creating jobs", () => {
  it("resolves the ref, fixes the items and writes job, head and reservation together", async () => {
    const job = await create("zod-4");
    expect(job.status?.baseCommit).toBe(repository.git("rev-parse", "main"));
    expect(job.status?.total).toBe(2);
    expect(job.metadata?.uid).toMatch(/^[0-9a-f-]{36}$/);
    const uid = job.metadata?.uid ?? "";
    const head = api.store.get<JobHead>(keys.head(uid))?.value;
    expect(head).toMatchObject({ base: job.status?.baseCommit, branch: "agentd/zod-4", closed: false, landed: 0 });
    expect((await api.jobs.getJob({ name: nameOf("zod-4") }, call)).metadata?.resourceVersion).toBe(
      job.metadata?.resourceVersion,
    );
  });

  it("refuses bad specs with every problem and its field", async () => {
    const job = jobOf({ url: "", upload: "x" }, "Bad Name", {
      template: { prompt: "Do {{itme}}", checks: [{ name: "a", run: 'echo "{{item}}"' }], limits: { turns: -1 } },
      merge: { onConflict: "Ignore" },
    });
    const { reason, fields } = await refusal(api.jobs.createJob({ parent, job }, call));
    expect(reason).toBe("INVALID_SPEC");
    expect(fields).toEqual(
      expect.arrayContaining([
        "metadata.name",
        "spec.repository.upload",
        "spec.template.prompt",
        "spec.template.checks[0].run",
        "spec.template.limits.turns",
        "spec.merge.onConflict",
      ]),
    );
  });

  it.each([
    ["a missing repository", "REPOSITORY_UNREACHABLE", "spec.repository.url", () => create("x", {}, "/nowhere/at/all")],
    ["a relative path", "INVALID_SPEC", "spec.repository.url", () => create("x", {}, "../x")],
    [
      "a glob without a match",
      "GLOB_NO_MATCH",
      "spec.plan.forEach.glob",
      () => create("x", { plan: { forEach: { glob: "srcc/**" } } }),
    ],
    [
      "a missing ref",
      "REF_NOT_FOUND",
      "spec.repository.ref",
      () => api.jobs.createJob({ parent, job: jobOf({ url: repository.path, ref: "nope" }, "x") }, call),
    ],
    [
      "another namespace in the job than in the parent",
      "INVALID_SPEC",
      "metadata.namespace",
      () =>
        api.jobs.createJob(
          { parent, job: { ...jobOf({ url: repository.path }, "x"), metadata: { name: "x", namespace: "other" } } },
          call,
        ),
    ],
    [
      "a job that is too large",
      "INVALID_SPEC",
      "spec",
      () =>
        create("x", {
          template: {
            prompt: "p".repeat(16_000),
            checks: [1, 2, 3].map((n) => ({ name: `c${n}`, run: `true ${"x".repeat(3_900)}` })),
          },
        }),
    ],
  ])("refuses %s", async (_, reason, field, attempt) => {
    const refused = await refusal(attempt());
    expect(refused.reason).toBe(reason);
    expect(refused.fields).toEqual([field]);
    expect(api.store.list(keyPrefixes.jobs)).toEqual([]);
  });

  it("refuses an empty repository", async () => {
    using empty = createRepository({});
    expect((await refusal(create("x", {}, empty.path))).reason).toBe("REF_NOT_FOUND");
  });

  it("refuses a glob that matches a name which no task can say, until it is left out", async () => {
    using odd = createRepository({ "src/a.ts": "a" });
    const blob = odd.git("rev-parse", "main:src/a.ts");
    const entry = Buffer.from(`100644 ${blob}\tsrc/b\xff.ts\0`, "latin1");
    execFileSync("git", ["-C", odd.path, "update-index", "-z", "--index-info"], { input: entry });
    odd.git("commit", "-q", "-m", "Add a name that is not UTF-8");
    const on = (exclude: readonly string[]) =>
      create("x", { plan: { forEach: { glob: "src/*.ts", exclude } } }, odd.path);
    expect(await refusal(on([]))).toMatchObject({ reason: "INVALID_SPEC", fields: ["spec.plan.forEach.glob"] });
    expect((await on(["src/b*"])).status?.total).toBe(1);
  });

  it("refuses a taken name and a reserved branch, and frees both with the delete", async () => {
    await create("one", { target: { branch: "topic" } });
    expect(await refusal(create("one"))).toMatchObject({ reason: "NAME_TAKEN", fields: ["metadata.name"] });
    const second = () => create("two", { target: { branch: "topic" } });
    expect(await refusal(second())).toMatchObject({ reason: "BRANCH_RESERVED", fields: ["spec.target.branch"] });
    await api.jobs.deleteJob({ name: nameOf("one") }, call);
    expect((await second()).metadata?.name).toBe("two");
  });

  it("lets one of two creations at the same time win", async () => {
    const results = await Promise.allSettled([create("race"), create("race"), create("race")]);
    expect(results.filter(({ status }) => status === "fulfilled")).toHaveLength(1);
    const refused = results.filter((result) => result.status === "rejected").map(({ reason }) => reason.reason);
    expect(refused).toEqual(["NAME_TAKEN", "NAME_TAKEN"]);
  });

  it("refuses a target branch with commits of its own, and takes one that was merged", async () => {
    using origin = createRepository({ "src/a.ts": "a" });
    origin.git("checkout", "-q", "-b", "agentd/x");
    origin.write("src/c.ts", "c");
    origin.commit("Work");
    origin.git("checkout", "-q", "main");
    expect(await refusal(create("x", {}, origin.path))).toMatchObject({
      reason: "BRANCH_DIVERGED",
      fields: ["spec.target.branch"],
    });
    origin.git("merge", "-q", "--no-ff", "-m", "Merge", "agentd/x");
    expect((await create("x", {}, origin.path)).status?.total).toBe(2);
  });

  it("gives the same job for the same request id, and refuses another body", async () => {
    const job = jobOf({ url: repository.path }, "idem");
    const first = await api.jobs.createJob({ parent, job, requestId: "r-1" }, call);
    const again = await api.jobs.createJob({ parent, job, requestId: "r-1" }, call);
    expect(again.metadata?.uid).toBe(first.metadata?.uid);
    const other = jobOf({ url: repository.path }, "idem", { priority: 5 });
    expect((await refusal(api.jobs.createJob({ parent, job: other, requestId: "r-1" }, call))).reason).toBe(
      "REQUEST_ID_REUSED",
    );
    await api.jobs.deleteJob({ name: nameOf("idem") }, call);
    expect((await refusal(api.jobs.createJob({ parent, job, requestId: "r-1" }, call))).reason).toBe("NOT_FOUND");
  });

  it("writes nothing when it only validates", async () => {
    const job = jobOf({ url: repository.path }, "dry");
    const result = await api.jobs.createJob({ parent, job, validateOnly: true }, call);
    expect(result.status?.total).toBe(2);
    expect(api.store.list(keyPrefixes.jobs)).toEqual([]);
    expect(api.store.list(keyPrefixes.branches)).toEqual([]);
  });

  it("keeps long lists out of the job and gives them back", async () => {
    const lines = Array.from({ length: 3_000 }, (_, at) => `item number ${at}`);
    const job = await create("long", { plan: { forEach: { lines } } });
    expect(job.spec?.plan?.forEach?.lines).toEqual(lines);
    const stored = api.store.get<Job>(keys.job("default", "long"))?.value;
    expect(JSON.stringify(stored).length).toBeLessThan(4_096);
    const got = await api.jobs.getJob({ name: nameOf("long") }, call);
    expect(got.spec?.plan?.forEach?.lines).toEqual(lines);
    const uid = job.metadata?.uid ?? "";
    await plan(uid);
    expect(api.store.list(keyPrefixes.tasksOf(uid))).toHaveLength(3_000);
    const first = await api.tasks.listTasks({ parent: nameOf("long") }, call);
    expect(first.tasks).toHaveLength(1_000);
    const second = await api.tasks.listTasks({ parent: nameOf("long"), pageToken: first.nextPageToken }, call);
    expect(second.tasks[0]?.spec?.item).toBe("item number 1000");
    expect(second.resourceVersion).toBe(first.resourceVersion);
    expect((await refusal(api.tasks.listTasks({ parent: nameOf("long"), pageToken: "nonsense" }, call))).reason).toBe(
      "INVALID_SPEC",
    );
  });
});

describe("applying jobs", () => {
  const apply = (spec = {}, more = {}) =>
    api.jobs.applyJob({ parent, job: { ...jobOf({ url: repository.path }, "app", spec), ...more } }, call);

  it("creates, finds unchanged, configures, and refuses what is fixed by name", async () => {
    expect((await apply()).result).toBe("created");
    expect((await apply()).result).toBe("unchanged");
    const configured = await apply({ priority: 3, suspend: true });
    expect(configured.result).toBe("configured");
    expect(configured.job?.spec?.suspend).toBe(true);
    expect(configured.job?.metadata?.generation).toBe(2n);
    expect((await apply({ priority: 3, suspend: true })).result).toBe("unchanged");
    const refused = await refusal(apply({ backoffLimit: 7, plan: { forEach: { glob: "**/*.ts" } } }));
    expect(refused).toMatchObject({ reason: "INVALID_SPEC", fields: ["spec.plan.forEach.glob", "spec.backoffLimit"] });
  });

  it("refuses annotations that would leave no room for the job's status", async () => {
    const writes = Array.from({ length: 100 }, (_, at) => `${"w".repeat(45)}-${at}`);
    const template = { prompt: "p".repeat(15_000), writes, checks: [{ name: "test", run: "true" }] };
    expect((await apply({ template })).result).toBe("created");
    const annotations = { note: "n".repeat(3_900) };
    const refused = await refusal(apply({ template }, { metadata: { name: "app", annotations } }));
    expect(refused).toMatchObject({ reason: "INVALID_SPEC", fields: ["spec"] });
  });

  it("is unchanged for an upload that was packed anew, and made again after a delete", async () => {
    const send = async () => {
      const { bytes, digest } = await bundleOf(repository);
      await api.repositories.uploadBundle(chunksOf(bytes), call);
      return await api.jobs.applyJob({ parent, job: jobOf({ upload: digest }, "up") }, call);
    };
    expect((await send()).result).toBe("created");
    repository.write("src/new.ts", "n");
    repository.commit("More");
    expect((await send()).result).toBe("unchanged");
    await api.jobs.deleteJob({ name: nameOf("up") }, call);
    const again = await send();
    expect(again.result).toBe("created");
    expect(again.job?.status?.total).toBe(3);
  });

  it("says what it would do when it only validates", async () => {
    const job = jobOf({ url: repository.path }, "app");
    expect((await api.jobs.applyJob({ parent, job, validateOnly: true }, call)).result).toBe("created");
    expect(api.store.list(keyPrefixes.jobs)).toEqual([]);
  });
});

describe("reading and ending jobs", () => {
  it("lists by namespace and label, and pages", async () => {
    for (const name of ["l-1", "l-2", "l-3"]) await create(name);
    const job = { ...jobOf({ url: repository.path }, "l-4"), metadata: { name: "l-4", labels: { team: "web" } } };
    await api.jobs.createJob({ parent: "namespaces/other", job }, call);
    const page = await api.jobs.listJobs({ parent, pageSize: 2 }, call);
    expect(page.jobs.map((each) => each.metadata?.name)).toEqual(["l-1", "l-2"]);
    const rest = await api.jobs.listJobs({ parent, pageSize: 2, pageToken: page.nextPageToken }, call);
    expect(rest.jobs.map((each) => each.metadata?.name)).toEqual(["l-3"]);
    expect(rest.nextPageToken).toBe("");
    const web = await api.jobs.listJobs({ parent: "namespaces/-", labelSelector: "team in (web)" }, call);
    expect(web.jobs.map((each) => each.metadata?.namespace)).toEqual(["other"]);
    expect((await refusal(api.jobs.listJobs({ parent, labelSelector: "a=b=c" }, call))).reason).toBe("INVALID_SPEC");
    expect((await refusal(api.jobs.listJobs({ parent, pageSize: -1 }, call))).reason).toBe("INVALID_SPEC");
    expect((await refusal(api.jobs.getJob({ name: nameOf("none") }, call))).reason).toBe("NOT_FOUND");
  });

  it("watches from the present and from a version, with the last state of what is deleted", async () => {
    await create("w-1");
    const { resourceVersion } = await api.jobs.listJobs({ parent }, call);
    await create("w-2");
    await api.jobs.deleteJob({ name: nameOf("w-1") }, call);
    const stop = new AbortController();
    const changes: JobChange[] = [];
    const watch = api.jobs.watchJobs({ parent, resourceVersion }, { signal: stop.signal });
    const read = async (): Promise<void> => {
      for await (const change of watch) changes.push(change);
    };
    const reading = read().catch(() => undefined);
    await expect.poll(() => changes.length).toBe(2);
    expect(changes.map(({ type, job }) => `${type} ${job?.metadata?.name}`)).toEqual(["ADDED w-2", "DELETED w-1"]);
    const fresh = api.jobs.watchJobs({ parent }, { signal: stop.signal })[Symbol.asyncIterator]();
    expect((await fresh.next()).value).toMatchObject({ type: "ADDED", resourceVersion: "" });
    const bookmark = (await fresh.next()).value;
    expect(bookmark?.type).toBe("BOOKMARK");
    await create("w-3");
    expect((await fresh.next()).value).toMatchObject({ type: "ADDED", job: { metadata: { name: "w-3" } } });
    await api.jobs.applyJob({ parent, job: jobOf({ url: repository.path }, "w-3", { priority: 1 }) }, call);
    expect((await fresh.next()).value).toMatchObject({ type: "MODIFIED", job: { spec: { priority: 1 } } });
    await api.jobs.deleteJob({ name: nameOf("w-3") }, call);
    expect((await fresh.next()).value).toMatchObject({ type: "DELETED", job: { metadata: { name: "w-3" } } });
    stop.abort();
    await reading;
  });

  it("answers OUT_OF_RANGE for a version that does not exist yet", async () => {
    const watch = api.jobs.watchJobs({ parent, resourceVersion: "99999999" }, call)[Symbol.asyncIterator]();
    expect((await refusal(watch.next())).reason).toBe("WATCH_EXPIRED");
  });

  it("closes the head before a cancel returns, for good", async () => {
    const job = await create("stop");
    const uid = job.metadata?.uid ?? "";
    await plan(uid);
    await api.jobs.cancelJob({ name: nameOf("stop") }, call);
    expect(api.store.get<JobHead>(keys.head(uid))?.value.closed).toBe(true);
    await api.jobs.cancelJob({ name: nameOf("stop") }, call);
    const task = api.store.list<Task>(keyPrefixes.tasksOf(uid))[0]?.value.metadata.name ?? "";
    await api.tasks.cancelTask({ name: `${nameOf("stop")}/tasks/${task}` }, call);
    expect((await refusal(api.tasks.retryTask({ name: `${nameOf("stop")}/tasks/${task}` }, call))).reason).toBe(
      "JOB_CLOSED",
    );
  });

  it("deletes the job with its head and tasks", async () => {
    const uid = (await create("gone")).metadata?.uid ?? "";
    await plan(uid);
    await api.jobs.deleteJob({ name: nameOf("gone") }, call);
    for (const prefix of [keyPrefixes.tasksOf(uid), "head.", "job.", "branch."])
      expect(api.store.list(prefix)).toEqual([]);
    expect((await refusal(api.jobs.deleteJob({ name: nameOf("gone") }, call))).reason).toBe("NOT_FOUND");
  });

  it("finds nothing wrong with a new job, and a lost task where one is", async () => {
    const uid = (await create("check")).metadata?.uid ?? "";
    await plan(uid);
    expect((await api.jobs.fsckJob({ name: nameOf("check") }, call)).differences).toEqual([]);
    const [task] = api.store.list<Task>(keyPrefixes.tasksOf(uid));
    if (task === undefined) throw new Error("no task");
    await api.store.commit([{ key: task.key, value: undefined, expected: task.revision }], signal);
    const { differences } = await api.jobs.fsckJob({ name: nameOf("check") }, call);
    expect(differences).toMatchObject([{ invariant: "I4", subject: task.value.metadata.name }]);
  });
});

describe("planning", () => {
  it("makes nothing twice and goes on where it was cut off", async () => {
    const uid = (await create("plan")).metadata?.uid ?? "";
    const job = api.store.get<Job>(keys.job("default", "plan"));
    if (job === undefined) throw new Error("no job");
    const one = newTask(job.value, { name: "plan-src-a-ts", index: 0, item: "src/a.ts" }, 1);
    await api.store.commit([{ key: keys.task(uid, "plan-src-a-ts"), value: one, expected: 0 }], signal);
    await plan(uid);
    await plan(uid);
    const tasks = await api.tasks.listTasks({ parent: nameOf("plan") }, call);
    expect(tasks.tasks.map((each) => each.spec?.item)).toEqual(["src/a.ts", "src/b.ts", "src/new.ts"]);
    expect(tasks.tasks[1]?.spec?.checks[0]?.run).toBe("test -f 'src/b.ts'");
    const conditions = (await api.jobs.getJob({ name: nameOf("plan") }, call)).status?.conditions;
    expect(conditions?.find(({ type }) => type === "Planned")?.status).toBe("True");
  });

  it("creates nothing for a closed job", async () => {
    const uid = (await create("shut")).metadata?.uid ?? "";
    await api.jobs.cancelJob({ name: nameOf("shut") }, call);
    await plan(uid);
    expect(api.store.list(keyPrefixes.tasksOf(uid))).toEqual([]);
  });

  it("plans a command through a hidden task, which is in no list", async () => {
    const uid = (await create("cmd", { plan: { forEach: { command: "ls" } } })).metadata?.uid ?? "";
    await plan(uid);
    expect((await api.tasks.listTasks({ parent: nameOf("cmd") }, call)).tasks).toEqual([]);
    await finishPlan(uid, "one\ntwo\n");
    await plan(uid);
    const { tasks } = await api.tasks.listTasks({ parent: nameOf("cmd") }, call);
    expect(tasks.map((each) => each.metadata?.name)).toEqual(["cmd-one", "cmd-two"]);
  });

  it("fails a job whose command prints nothing", async () => {
    const uid = (await create("nil", { plan: { forEach: { command: "true" } } })).metadata?.uid ?? "";
    await plan(uid);
    await finishPlan(uid, "\n\n");
    await plan(uid);
    const conditions = (await api.jobs.getJob({ name: nameOf("nil") }, call)).status?.conditions;
    expect(conditions?.find(({ type }) => type === "Failed")).toMatchObject({ status: "True", reason: "PlanFailed" });
  });
});

async function finishPlan(uid: string, output: string): Promise<void> {
  const { putObject } = await import("../../../services/platform/nats/objects/objects.ts");
  const { name } = await putObject(api.link, "agentd", Buffer.from(output), signal);
  const [entry] = api.store.list<Task>(keyPrefixes.tasksOf(uid));
  if (entry === undefined) throw new Error("no plan task");
  const value: Task = { ...entry.value, status: { ...entry.value.status, state: "Succeeded", output: name } };
  await api.store.commit([{ key: entry.key, value, expected: entry.revision }], signal);
}
