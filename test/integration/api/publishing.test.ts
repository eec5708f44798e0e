import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createPublisher } from "../../../services/coordinator/publisher/publisher.ts";
import type { TestApi } from "../../support/api/api-server.ts";
import { jobOf, startTestApi } from "../../support/api/api-server.ts";
import { landTask, planTasks } from "../../support/api/api-tasks.ts";
import type { SampleRepository } from "../../support/sample-repository.ts";
import { createRepository } from "../../support/sample-repository.ts";

const parent = "namespaces/default";
const nameOf = (job: string): string => `${parent}/jobs/${job}`;
const call = { signal: AbortSignal.timeout(600_000) };
const { signal } = call;
let api: TestApi;
let origin: SampleRepository;

beforeAll(async () => {
  api = await startTestApi();
  origin = createRepository({ "src/a.ts": "one\n", "src/b.ts": "b\n" });
});
afterAll(async () => {
  origin[Symbol.dispose]();
  await api[Symbol.asyncDispose]();
});

const plan = (uid: string) => planTasks(api, uid, signal);
const land = (uid: string, job: string, task: string) => landTask(api, { uid, job, task }, signal);

describe("publishing", () => {
  const publisher = () =>
    createPublisher({
      ...api.deps,
      monotonicMs: () => performance.now(),
      gitEnvironment: {},
      pushEveryMs: 0,
      attemptsMax: 2,
    });
  const published = async (job: string) =>
    (await api.jobs.getJob({ name: nameOf(job) }, call)).status?.conditions.find(({ type }) => type === "Published");

  it("pushes the branch, follows it, and sees a branch with other commits", async () => {
    const job = await api.jobs.createJob({ parent, job: jobOf({ url: origin.path }, "push") }, call);
    const uid = job.metadata?.uid ?? "";
    const [a, b] = await plan(uid);
    const first = await land(uid, "push", a?.metadata.name ?? "");
    await publisher().reconcile(uid, signal);
    expect(origin.git("rev-parse", "agentd/push")).toBe(first);
    expect(await published("push")).toMatchObject({ status: "True", reason: "Pushed" });
    const second = await land(uid, "push", b?.metadata.name ?? "");
    origin.git("branch", "-f", "agentd/push", "main");
    await publisher().reconcile(uid, signal);
    expect(origin.git("rev-parse", "agentd/push")).toBe(second);
    origin.git("checkout", "-q", "--orphan", "strange");
    const strange = origin.commit("Strange");
    origin.git("checkout", "-q", "main");
    const job2 = await api.jobs.createJob({ parent, job: jobOf({ url: origin.path }, "push-2") }, call);
    const uid2 = job2.metadata?.uid ?? "";
    const [c] = await plan(uid2);
    await land(uid2, "push-2", c?.metadata.name ?? "");
    origin.git("branch", "agentd/push-2", strange);
    await publisher().reconcile(uid2, signal);
    expect(await published("push-2")).toMatchObject({ status: "False", reason: "Diverged" });
    expect(origin.git("rev-parse", "agentd/push-2")).toBe(strange);
  });

  it("gives up after its attempts, and says so", async () => {
    const gone = createRepository({ "src/a.ts": "a" });
    const job = await api.jobs.createJob({ parent, job: jobOf({ url: gone.path }, "gone") }, call);
    const uid = job.metadata?.uid ?? "";
    const [task] = await plan(uid);
    await land(uid, "gone", task?.metadata.name ?? "");
    gone[Symbol.dispose]();
    expect(await publisher().reconcile(uid, signal)).toMatchObject({ afterMs: expect.any(Number) });
    expect(await published("gone")).toMatchObject({ status: "False", reason: "Retrying" });
    expect(await publisher().reconcile(uid, signal)).toBeUndefined();
    expect(await published("gone")).toMatchObject({ status: "False", reason: "GaveUp" });
    expect(await publisher().reconcile(uid, signal)).toBeUndefined();
  });
});
