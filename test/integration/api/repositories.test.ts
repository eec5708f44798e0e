import { execFileSync } from "node:child_process";
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Job } from "../../../services/core/job/job.ts";
import { setCondition } from "../../../services/core/resource.ts";
import type { LogEntry } from "../../../services/gen/agentd/v1/task_service_pb.ts";
import { createTranscriptWriter } from "../../../services/platform/nats/messages/transcripts.ts";
import { keys } from "../../../services/platform/nats/subjects.ts";
import type { TestApi } from "../../support/api/api-server.ts";
import { bundleOf, chunksOf, digestOf, jobOf, refusal, startTestApi } from "../../support/api/api-server.ts";
import { landTask, planTasks } from "../../support/api/api-tasks.ts";
import type { SampleRepository } from "../../support/sample-repository.ts";
import { createRepository } from "../../support/sample-repository.ts";

const parent = "namespaces/default";
const nameOf = (job: string): string => `${parent}/jobs/${job}`;
const hostile = [
  "app/[id]/page.tsx",
  "$(touch pwned).tsx",
  'it\'s "q".tsx',
  "two\nlines.tsx",
  "-rf.tsx",
  "ünï 日本.tsx",
  "a{b,c}.tsx",
];

let api: TestApi;
let origin: SampleRepository;
const call = { signal: AbortSignal.timeout(600_000) };
const { signal } = call;

beforeAll(async () => {
  api = await startTestApi({ uploadBytesMax: 1_000_000 });
  origin = createRepository({
    "src/a.ts": "one\n",
    "src/b.ts": "b\n",
    ...Object.fromEntries(hostile.map((name) => [name, "x\n"])),
  });
});
afterAll(async () => {
  origin[Symbol.dispose]();
  await api[Symbol.asyncDispose]();
});

const upload = (bytes: Buffer, digest = digestOf(bytes), size?: number) =>
  api.repositories.uploadBundle(chunksOf(bytes, digest, size), call);

const plan = (uid: string) => planTasks(api, uid, signal);
const land = (uid: string, job: string, task: string) => landTask(api, { uid, job, task }, signal);

async function finish(job: string): Promise<void> {
  const entry = api.store.get<Job>(keys.job("default", job));
  if (entry === undefined) throw new Error("no job");
  const done = {
    type: "Complete",
    status: "True",
    reason: "AllSucceeded",
    message: "",
    observedGeneration: 1,
    lastTransitionAtMs: 1,
  } as const;
  const status = {
    ...entry.value.status,
    finishedAtMs: Date.now(),
    conditions: setCondition(entry.value.status.conditions, done),
  };
  await api.store.commit([{ key: entry.key, value: { ...entry.value, status }, expected: entry.revision }], signal);
}

async function download(job: string): Promise<{ bytes: Buffer; commit: string; branch: string; isFinal: boolean }> {
  const chunks: Uint8Array[] = [];
  let first = { commit: "", branch: "", isFinal: false };
  for await (const { commit, branch, isFinal, chunk } of api.repositories.downloadBundle({ job: nameOf(job) }, call)) {
    if (commit !== "") first = { commit, branch, isFinal };
    chunks.push(chunk);
  }
  return { ...first, bytes: Buffer.concat(chunks) };
}

describe("uploads", () => {
  it("takes a bundle once, starts a job from it and gives hostile names as items", async () => {
    const { bytes, digest } = await bundleOf(origin);
    expect((await api.repositories.hasUpload({ digest }, call)).exists).toBe(false);
    expect((await upload(bytes, digest, 100)).digest).toBe(digest);
    expect((await api.repositories.hasUpload({ digest }, call)).exists).toBe(true);
    const spec = {
      plan: { forEach: { glob: "**/*.tsx" } },
      template: { prompt: "{{item}}", writes: ["{{item}}"], checks: [{ name: "t", run: "test -f {{item}}" }] },
    };
    const job = await api.jobs.createJob({ parent, job: jobOf({ upload: digest }, "odd", spec) }, call);
    await plan(job.metadata?.uid ?? "");
    const { tasks } = await api.tasks.listTasks({ parent: nameOf("odd") }, call);
    expect(tasks.map((task) => task.spec?.item)).toEqual([...hostile].sort());
    using checkout = temporaryCheckout(origin.path);
    for (const task of tasks) {
      const check = task.spec?.checks[0]?.run ?? "";
      execFileSync("/bin/sh", ["-c", check], { cwd: checkout.path });
      expect(task.spec?.writes).toEqual([task.spec?.item]);
    }
    expect(readdirSync(checkout.path)).not.toContain("pwned");
  });

  it("knows a repository again by its first commit, for what agents learn of it", async () => {
    using grown = createRepository({ "src/a.ts": "one\n" });
    using other = createRepository({ "src/a.ts": "other\n" });
    const keyOf = async (repository: SampleRepository, name: string) => {
      const { bytes, digest } = await bundleOf(repository);
      await upload(bytes);
      await api.jobs.createJob({ parent, job: jobOf({ upload: digest }, name) }, call);
      return api.store.get<Job>(keys.job("default", name))?.value.status.memoryKey;
    };
    const first = await keyOf(grown, "before");
    grown.write("src/a.ts", "two\n");
    grown.commit("Grow");
    expect(first).toMatch(/^[0-9a-f]{32}$/);
    expect(await keyOf(grown, "after")).toBe(first);
    expect(await keyOf(other, "stranger")).not.toBe(first);
  });

  it("has the repository again when the disk is empty", async () => {
    const { bytes, digest } = await bundleOf(origin, ["main"]);
    await upload(bytes);
    rmSync(join(api.deps.dataDirectory, "sources"), { recursive: true, force: true });
    const job = await api.jobs.createJob({ parent, job: jobOf({ upload: digest, ref: "main" }, "cold") }, call);
    expect(job.status?.baseCommit).toBe(origin.git("rev-parse", "main"));
  });

  it.each<[string, string, () => Promise<unknown>]>([
    ["bytes that are no bundle", "BUNDLE_INVALID", () => upload(Buffer.from("hello"))],
    [
      "another digest than said",
      "BUNDLE_INVALID",
      async () => upload((await bundleOf(origin)).bytes, digestOf(Buffer.from("x"))),
    ],
    ["a digest that is none", "INVALID_SPEC", async () => upload((await bundleOf(origin)).bytes, "md5:1")],
    ["nothing", "BUNDLE_INVALID", () => upload(Buffer.alloc(0))],
    ["too many bytes", "UPLOAD_TOO_LARGE", () => upload(Buffer.alloc(3_000_000))],
    ["a chunk that is too large", "INVALID_SPEC", () => upload(Buffer.alloc(2_000_000), undefined, 2_000_000)],
    [
      "a broken pack",
      "BUNDLE_INVALID",
      async () => {
        const { bytes } = await bundleOf(origin);
        bytes.fill(0, bytes.length - 60, bytes.length - 20);
        return await upload(bytes);
      },
    ],
    [
      "a bundle that needs other commits",
      "BUNDLE_INVALID",
      async () => {
        using other = createRepository({ a: "1" });
        other.write("a", "2");
        other.commit("Two");
        return await upload((await bundleOf(other, ["main~1..main"])).bytes);
      },
    ],
  ])("refuses %s", async (_, reason, attempt) => {
    expect((await refusal(attempt())).reason).toBe(reason);
  });

  it("refuses an upload that was never sent, and a ref that it lacks", async () => {
    const missing = jobOf({ upload: `sha256:${"0".repeat(64)}` }, "none");
    expect(await refusal(api.jobs.createJob({ parent, job: missing }, call))).toMatchObject({
      fields: ["spec.repository.upload"],
    });
    const { bytes, digest } = await bundleOf(origin, ["main"]);
    await upload(bytes);
    const noRef = jobOf({ upload: digest, ref: "nope" }, "none");
    expect((await refusal(api.jobs.createJob({ parent, job: noRef }, call))).reason).toBe("REF_NOT_FOUND");
  });

  it("refuses a target branch in the bundle that holds other commits", async () => {
    using repository = createRepository({ "src/a.ts": "a" });
    repository.git("checkout", "-q", "-b", "agentd/mine");
    repository.write("x", "x");
    repository.commit("Mine");
    const { bytes, digest } = await bundleOf(repository);
    await upload(bytes);
    expect((await refusal(api.jobs.createJob({ parent, job: jobOf({ upload: digest }, "mine") }, call))).reason).toBe(
      "BRANCH_DIVERGED",
    );
  });
});

describe("downloads", () => {
  it("gives the branch as a bundle on the base, and publishes the final head of an upload", async () => {
    const { bytes, digest } = await bundleOf(origin, ["main"]);
    await upload(bytes);
    const job = await api.jobs.createJob({ parent, job: jobOf({ upload: digest }, "down") }, call);
    const uid = job.metadata?.uid ?? "";
    const [task] = await plan(uid);
    expect(await download("down")).toMatchObject({
      commit: job.status?.baseCommit,
      branch: "agentd/down",
      isFinal: false,
      bytes: Buffer.alloc(0),
    });
    const commit = await land(uid, "down", task?.metadata.name ?? "");
    const early = await download("down");
    expect(early).toMatchObject({ commit, isFinal: false });
    await finish("down");
    const final = await download("down");
    expect(final.isFinal).toBe(true);
    const file = join(origin.path, ".git", "down.bundle");
    writeFileSync(file, final.bytes);
    origin.git("fetch", "-q", file, "refs/heads/agentd/down:refs/heads/taken");
    expect(origin.git("rev-parse", "taken")).toBe(commit);
    const conditions = (await api.jobs.getJob({ name: nameOf("down") }, call)).status?.conditions;
    expect(conditions?.find(({ type }) => type === "Published")).toMatchObject({
      status: "True",
      reason: "Downloaded",
    });
  });
});

describe("tasks", () => {
  it("shows an attempt's diff, also from an empty disk", async () => {
    const job = await api.jobs.createJob({ parent, job: jobOf({ url: origin.path }, "diff") }, call);
    const uid = job.metadata?.uid ?? "";
    const [task] = await plan(uid);
    const name = task?.metadata.name ?? "";
    const full = `${nameOf("diff")}/tasks/${name}`;
    expect((await refusal(api.tasks.getTaskDiff({ name: full }, call))).reason).toBe("NOT_FOUND");
    const commit = await land(uid, "diff", name);
    rmSync(join(api.deps.dataDirectory, "repos"), { recursive: true, force: true });
    const answer = await api.tasks.getTaskDiff({ name: full }, call);
    expect(answer).toMatchObject({ attempt: 1, commit, isTruncated: false });
    expect(Buffer.from(answer.diff).toString()).toContain(`+changed by ${name}`);
    expect((await api.tasks.getTask({ name: `${parent}/jobs/-/tasks/${name}` }, call)).status?.landedCommit).toBe(
      commit,
    );
    expect((await api.jobs.fsckJob({ name: nameOf("diff") }, call)).differences).toEqual([]);
  });

  it("tails a transcript and ends with the task", async () => {
    const job = await api.jobs.createJob({ parent, job: jobOf({ url: origin.path }, "logs") }, call);
    const uid = job.metadata?.uid ?? "";
    const [task] = await plan(uid);
    const name = task?.metadata.name ?? "";
    const writer = createTranscriptWriter(api.link, { worker: "w-1", uid, task: name, attempt: 1 });
    const calls = [{ name: "bash", arguments: '{"command":"ls"}', result: "a.ts", durationMs: 1, isError: false }];
    await writer.append({ turn: 1, atMs: 1_000, content: "Looking.", calls }, signal);
    const lines: LogEntry[] = [];
    const tail = async (): Promise<void> => {
      for await (const line of api.tasks.tailTaskLogs({ name: `${nameOf("logs")}/tasks/${name}`, follow: true }, call))
        lines.push(line);
    };
    const reading = tail();
    await expect.poll(() => lines.length).toBe(3);
    expect(lines.map(({ source, text }) => `${source}: ${text}`)).toEqual([
      "assistant: Looking.",
      'assistant: bash {"command":"ls"}',
      "tool: a.ts",
    ]);
    await writer.append({ turn: 2, content: "Done.", calls: "not a list" }, signal);
    await land(uid, "logs", name);
    await reading;
    expect(lines[3]).toMatchObject({ turn: 2, text: "Done." });
  });

  it("says why a task waits, and lists what happened", async () => {
    const job = await api.jobs.createJob({ parent, job: jobOf({ url: origin.path }, "why", { suspend: true }) }, call);
    const [task] = await plan(job.metadata?.uid ?? "");
    const name = `${nameOf("why")}/tasks/${task?.metadata.name}`;
    const why = await api.tasks.explainTask({ name }, call);
    expect(why.summary).toContain("suspended");
    expect((await api.tasks.getTask({ name }, call)).status?.waitingFor).toBe("Suspended");
    const cancelled = await api.tasks.cancelTask({ name }, call);
    expect(cancelled.status?.state).toBe("Cancelled");
    expect((await api.tasks.retryTask({ name }, call)).status?.state).toBe("Pending");
    expect((await refusal(api.tasks.retryTask({ name }, call))).reason).toBe("STATE_CONFLICT");
    const reasons = async () =>
      (await api.events.listEvents({ parent: name }, call)).events.map(({ reason }) => reason);
    await expect.poll(reasons).toEqual(["Cancelled", "Retried"]);
    const ofJob = await api.events.listEvents({ parent: nameOf("why") }, call);
    expect(ofJob.events.map(({ reason }) => reason)).toContain("Created");
  });
});

// Last: it takes the server away.
describe("without NATS", () => {
  it("answers UNAVAILABLE with a hint when to come back, and works again after the restart", async () => {
    await api.nats.kill();
    await expect.poll(() => api.link.isConnected).toBe(false);
    const refused = await api.jobs.listJobs({ parent }, call).catch((error: unknown) => error);
    expect(refused).toMatchObject({ reason: "STORE_UNAVAILABLE", retryAfterMs: 1_000 });
    const create = api.jobs.createJob({ parent, job: jobOf({ url: origin.path }, "later") }, call);
    expect((await refusal(create)).reason).toBe("STORE_UNAVAILABLE");
    await api.nats.restart();
    await expect.poll(() => api.link.isConnected).toBe(true);
    const job = await api.jobs.createJob({ parent, job: jobOf({ url: origin.path }, "later") }, call);
    expect(job.status?.total).toBe(2);
  });
});

function temporaryCheckout(from: string): Disposable & { readonly path: string } {
  const path = mkdtempSync(join(tmpdir(), "agentd-checkout-"));
  execFileSync("git", ["clone", "-q", from, path]);
  return { path, [Symbol.dispose]: () => rmSync(path, { recursive: true, force: true }) };
}
