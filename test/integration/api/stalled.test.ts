import { randomBytes } from "node:crypto";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { DownloadBundleRequestSchema } from "../../../services/gen/agentd/v1/repository_service_pb.ts";
import { TailTaskLogsRequestSchema } from "../../../services/gen/agentd/v1/task_service_pb.ts";
import { createTranscriptWriter } from "../../../services/platform/nats/messages/transcripts.ts";
import { jobOf, startTestApi, type TestApi } from "../../support/api/api-server.ts";
import { landTask, planTasks } from "../../support/api/api-tasks.ts";
import { bytesPerStalledReader, frameOf } from "../../support/api/stalled-reader.ts";
import { createRepository, type SampleRepository } from "../../support/sample-repository.ts";
import { until } from "../../support/until.ts";

const parent = "namespaces/default";
const call = { signal: AbortSignal.timeout(600_000) };
const megabyte = 1_048_576;
const stalledCount = 10;
let api: TestApi;
let repository: SampleRepository;
let task: string;

beforeAll(async () => {
  api = await startTestApi();
  repository = createRepository({ "src/a.ts": "a\n" });
  const job = await api.jobs.createJob({ parent, job: jobOf({ url: repository.path }, "stalled") }, call);
  const uid = job.metadata?.uid ?? "";
  const [planned] = await planTasks(api, uid, call.signal);
  task = planned?.metadata.name ?? "";
  const writer = createTranscriptWriter(api.link, { worker: "w-1", uid, task, attempt: 1 });
  for (let turn = 1; turn <= 160; turn += 1) {
    const calls = Array.from({ length: 4 }, () => ({ name: "bash", arguments: "{}", result: "x".repeat(16_000) }));
    await writer.append({ turn, atMs: turn, content: "c", calls }, call.signal);
  }
  // What cannot be compressed, so that the bundle is as large as the file.
  const content = randomBytes(5 * megabyte).toString("base64");
  await landTask(api, { uid, job: "stalled", task, content }, call.signal);
});
afterAll(async () => {
  repository?.[Symbol.dispose]();
  await api?.[Symbol.asyncDispose]();
});

describe("a client that stops reading", () => {
  it("costs kilobytes at TailTaskLogs, of the 10 MB that it asked for", async () => {
    const name = `${parent}/jobs/stalled/tasks/${task}`;
    for (const more of [{}, { follow: true }, { records: true }]) {
      const frame = frameOf(TailTaskLogsRequestSchema, { name, ...more });
      const each = await bytesPerStalledReader(api.address, "TaskService/TailTaskLogs", frame, stalledCount);
      expect(each).toBeLessThan(1.5 * megabyte);
    }
  });

  it("costs a message or two at DownloadBundle, of the 5 MB that it asked for", async () => {
    const frame = frameOf(DownloadBundleRequestSchema, { job: `${parent}/jobs/stalled` });
    const { repositories } = api.deps;
    const { withFile } = repositories;
    let packed = 0;
    const counted: typeof withFile = (use) => withFile(use).finally(() => (packed += 1));
    Object.assign(repositories, { withFile: counted });
    const isPacked = () => until("all bundles are packed", () => packed >= stalledCount);
    const method = "RepositoryService/DownloadBundle";
    const each = await bytesPerStalledReader(api.address, method, frame, stalledCount, isPacked);
    expect(each).toBeLessThan(1.5 * megabyte);
  });
});
