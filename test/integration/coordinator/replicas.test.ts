import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { createJob } from "../../../services/coordinator/api/jobs/create-job.ts";
import { createGitWork } from "../../../services/coordinator/api/repositories/git-work.ts";
import { createSourceRepositories } from "../../../services/coordinator/api/repositories/source-repositories.ts";
import { findCondition } from "../../../services/core/resource.ts";
import type { ResourceStore } from "../../../services/platform/nats/store/store.ts";
import type { TestApi } from "../../support/api/api-server.ts";
import { startTestApi } from "../../support/api/api-server.ts";
import { sampleJobSpec } from "../../support/resource-samples.ts";
import { createRepository, type SampleRepository } from "../../support/sample-repository.ts";
import type { Stage } from "../../support/stage/coordinator-stage.ts";
import { openStage } from "../../support/stage/coordinator-stage.ts";
import { stageJob } from "../../support/stage/staged-job.ts";
import { until } from "../../support/until.ts";

describe("a replica that lags behind", () => {
  let api: TestApi;
  let repository: SampleRepository;
  beforeAll(async () => {
    api = await startTestApi();
    repository = createRepository({ "src/a.ts": "a" });
  });
  afterAll(async () => {
    repository[Symbol.dispose]();
    await api[Symbol.asyncDispose]();
  });

  /** The store as it looks to a replica that has not seen the last writes, until it waits for them. */
  function lagging(store: ResourceStore): ResourceStore {
    let isBehind = true;
    const more: Partial<ResourceStore> = {
      get: (key) => (isBehind ? undefined : store.get(key)),
      async caughtUp(revision, signal) {
        await store.caughtUp(revision, signal);
        isBehind = false;
      },
    };
    return Object.assign(Object.create(store) as ResourceStore, more);
  }

  it("finds the job of a repeated request, and does not call it deleted", async () => {
    const spec = sampleJobSpec({
      repository: { url: repository.path, ref: "main" },
      plan: { kind: "glob", glob: "src/*.ts", exclude: [] },
    });
    const admitted = { namespace: "default", name: "once", labels: {}, annotations: {}, spec };
    const sources = createSourceRepositories({ directory: `${api.deps.dataDirectory}/sources` });
    const deps = { ...api.deps, sources, gitWork: createGitWork() };
    const options = { requestId: "r-1", validateOnly: false, traceparent: undefined };
    const signal = AbortSignal.timeout(110_000);
    const first = await createJob(deps, admitted, options, signal);
    const again = await createJob({ ...deps, store: lagging(api.store) }, admitted, options, signal);
    expect(again.job.value.metadata.uid).toBe(first.job.value.metadata.uid);
  });
});

describe("the coordinator against a worker that says too little", () => {
  let stage: Stage;
  beforeEach(async () => {
    stage = await openStage();
  });
  afterEach(() => stage[Symbol.asyncDispose]());

  const checks = [
    { name: "types", run: "true", timeoutMs: 60_000 },
    { name: "test", run: "true", timeoutMs: 60_000 },
  ];

  it("takes no verify for green that leaves out a check", async () => {
    const replica = await stage.coordinator();
    const spec = { merge: { verify: checks, onConflict: "Reopen" as const } };
    const job = await stageJob(stage, replica, { files: { "a.txt": "a\n" }, tasks: { t1: {} }, spec });
    const worker = await stage.worker("w-1");
    const green = {
      name: "types",
      status: "Passed",
      exitCode: 0,
      durationMs: 1,
      outputDigest: "",
      outputTail: "",
    } as const;
    // Once, and once more: then the base is red.
    await worker.complete(await worker.next("verify"), { checks: [green] });
    await worker.complete(await worker.next("verify"), { checks: [green] });
    await until("the verdict", () => findCondition(job.job().status.conditions, "Failed")?.reason === "BaseRed");
    expect(findCondition(job.job().status.conditions, "Failed")?.message).toContain('check "test" has no green result');
  });

  it("takes no AlreadyDone for proven that leaves out a check", async () => {
    const replica = await stage.coordinator();
    const template = { prompt: "p", pool: "default", checks, limits: { turns: 1, tokens: 1_000, wallMs: 1_000 } };
    const spec = { template, allowNoChange: true, backoffLimit: 0 };
    const job = await stageJob(stage, replica, { files: { "a.txt": "a\n" }, tasks: { t1: {}, t2: {} }, spec });
    const worker = await stage.worker("w-1");
    const assignment = await worker.next();
    const [first] = assignment.checks;
    const green = { status: "Passed", exitCode: 0, durationMs: 1, outputDigest: "", outputTail: "" } as const;
    const half = [{ ...green, name: first?.name ?? "" }];
    expect(await worker.complete(assignment, { outcome: "AlreadyDone", checks: half })).toEqual({ state: "Failed" });
    expect(job.task(assignment.task).status.outcome).toBe("NoChange");
    expect(await worker.complete(await worker.next(), { outcome: "AlreadyDone" })).toEqual({ state: "Succeeded" });
  });
});
