import { afterAll, beforeAll, expect, it } from "vitest";
import type { Attempt, Task } from "../../../services/core/task/task.ts";
import { createTranscriptWriter } from "../../../services/platform/nats/messages/transcripts.ts";
import { putObject } from "../../../services/platform/nats/objects/objects.ts";
import { keys } from "../../../services/platform/nats/subjects.ts";
import { jobOf, refusal, startTestApi, type TestApi } from "../../support/api/api-server.ts";
import { planTasks } from "../../support/api/api-tasks.ts";
import { createRepository, type SampleRepository } from "../../support/sample-repository.ts";

const call = { signal: AbortSignal.timeout(120_000) };
const { signal } = call;
const parent = "namespaces/default";
let api: TestApi;
let origin: SampleRepository;

beforeAll(async () => {
  api = await startTestApi();
  origin = createRepository({ "src/a.ts": "one\n" });
});
afterAll(async () => {
  origin[Symbol.dispose]();
  await api[Symbol.asyncDispose]();
});

/** A failed task with one attempt whose turns are recorded. @returns its full name */
async function failedTask(job: string, turns: readonly object[]): Promise<string> {
  const made = await api.jobs.createJob({ parent, job: jobOf({ url: origin.path }, job) }, call);
  const uid = made.metadata?.uid ?? "";
  const [task] = await planTasks(api, uid, signal);
  const name = task?.metadata.name ?? "";
  const entry = api.store.get<Task>(keys.task(uid, name));
  if (entry === undefined) throw new Error("no task");
  const { status } = entry.value;
  const base = origin.git("rev-parse", "HEAD");
  const ended = { startedAtMs: 1, endedAtMs: 2, outcome: "Blocked", base, checks: [], usage: status.usage } as const;
  const attempt: Attempt = { attempt: 1, worker: "w-1", ...ended };
  const value: Task = {
    ...entry.value,
    status: { ...status, state: "Failed", outcome: "Blocked", attempt: 1, attempts: [attempt], finishedAtMs: 2 },
  };
  await api.store.commit([{ key: entry.key, value, expected: entry.revision }], signal);
  const writer = createTranscriptWriter(api.link, { worker: "w-1", uid, task: name, attempt: 1 });
  const header = { kind: "session", version: 1, attempt: 1, atMs: 0, model: "m", base, toolsDigest: "t" };
  await writer.append({ ...header, opening: [{ role: "user", content: "go" }] }, signal);
  for (const [index, turn] of turns.entries()) await writer.append({ turn: index + 1, calls: [], ...turn }, signal);
  return `${parent}/jobs/${job}/tasks/${name}`;
}

const gone = `${"0".repeat(64)}/${"0".repeat(32)}`;
const edit = { name: "edit", arguments: "{}", changed: [{ path: "a.ts", before: "d" }] };

it("refuses turns whose files were never kept or are gone, and tells which can be gone on from", async () => {
  const kept = (await putObject(api.link, "inbox", Buffer.from("x"), signal)).name;
  const name = await failedTask("rewinds", [
    { checkpoint: { commit: "c", object: kept } },
    { checkpoint: { commit: "d", object: gone } },
    {},
    { checkpoint: { commit: "e", object: kept }, calls: [edit, edit] },
    { checkpoint: { commit: "f", object: kept }, calls: [edit, edit], images: gone },
    { checkpoint: { commit: "f", object: kept }, whole: gone },
  ]);
  const rewind = (turn: number, files: { readonly filesTurn?: number; readonly filesCall?: number } = {}) =>
    api.tasks.rewindTask({ name, turn, attempt: 0, ...files }, call);
  const problem = async (...of: Parameters<typeof rewind>) => (await refusal(rewind(...of))).message;
  expect(await problem(2)).toContain("what was kept of it is gone: files and long turns are kept for 24 hours");
  expect(await problem(3)).toContain("the files after it were not kept; they were after the turns 1, 2, 4, 5, 6");
  expect(await problem(6)).toContain("what was kept of it is gone");
  expect(await problem(0)).toContain("turns are counted from 1");
  expect(await problem(4, { filesTurn: 3 })).toContain("what was kept of it is gone");
  expect(await problem(4, { filesTurn: 4, filesCall: 3 })).toContain("turn 4 has 2 calls");
  expect(await problem(4, { filesTurn: 4, filesCall: 2 })).toContain("were not kept as they were before");
  expect(await problem(5, { filesTurn: 5, filesCall: 2 })).toContain("what was kept of it is gone");
  expect(await problem(5, { filesTurn: 4 })).toContain("the files after turn 3 were not kept");
  expect(await problem(1, { filesTurn: 2 })).toContain("turn 2 is not one of those that stay");
  expect((await rewind(1)).status?.state).toBe("Pending");
});
