import { afterAll, beforeAll, expect, it } from "vitest";
import type { MemoryNote } from "../../../services/core/job/repository-memory.ts";
import { keys } from "../../../services/platform/nats/subjects.ts";
import { startTestApi, type TestApi } from "../../support/api/api-server.ts";
import { sampleJob } from "../../support/resource-samples.ts";
import { runInProcess } from "../../support/run-in-process.ts";

let api: TestApi;
const call = { signal: AbortSignal.timeout(60_000) };
const repository = "0123456789abcdef0123456789abcdef";
const uploaded = "fedcba9876543210fedcba9876543210";
const hash = (digit: string) => digit.repeat(32);

const note = (text: string, createdAtMs: number): MemoryNote => ({ kind: "Memory", text, task: "web-a", createdAtMs });

beforeAll(async () => {
  api = await startTestApi();
  const job = sampleJob({
    uid: "11111111-1111-4111-8111-111111111111",
    name: "web",
    status: { memoryKey: repository },
  });
  await api.store.commit(
    [
      { key: keys.job("default", "web"), value: job, expected: 0 },
      { key: keys.memory("default", repository, hash("a")), value: note("Tests need TZ=UTC", 2_000), expected: 0 },
      { key: keys.memory("default", repository, hash("b")), value: note("Older \u001b[2J", 1_000), expected: 0 },
      { key: keys.memory("default", uploaded, hash("c")), value: note("x".repeat(200), 3_000), expected: 0 },
      { key: keys.memory("other", repository, hash("d")), value: note("Elsewhere", 4_000), expected: 0 },
    ],
    call.signal,
  );
});
afterAll(() => api[Symbol.asyncDispose]());

const ctl = (...words: string[]) => runInProcess(words, { AGENTD_SERVER: api.address });

it("notes are listed by repository, oldest first, in pages, by field, and never of another namespace", async () => {
  const list = async (more: { parent?: string; pageSize?: number; pageToken?: string; fieldSelector?: string }) =>
    await api.memory.listMemoryNotes({ parent: "namespaces/default", ...more }, call);
  const all = await list({});
  expect(all.memoryNotes.map(({ metadata }) => metadata?.name)).toEqual([
    "012345-bbbbbbbbbb",
    "012345-aaaaaaaaaa",
    "fedcba-cccccccccc",
  ]);
  expect(all.memoryNotes[1]?.spec).toMatchObject({ text: "Tests need TZ=UTC", repository, task: "web-a" });
  expect(all.memoryNotes.map(({ spec }) => spec?.url)).toEqual(["/tmp/origin", "/tmp/origin", ""]);
  const first = await list({ pageSize: 2 });
  const second = await list({ pageSize: 2, pageToken: first.nextPageToken });
  expect([...first.memoryNotes, ...second.memoryNotes]).toEqual(all.memoryNotes);
  expect(second.nextPageToken).toBe("");
  expect((await list({ fieldSelector: `spec.repository=${uploaded}` })).memoryNotes).toHaveLength(1);
  expect((await list({ parent: "namespaces/-" })).memoryNotes).toHaveLength(4);
  await expect(list({ fieldSelector: "spec.txt=x" })).rejects.toMatchObject({ reason: "INVALID_SPEC" });
  await expect(list({ pageToken: "x" })).rejects.toMatchObject({ reason: "INVALID_SPEC" });
  await expect(api.memory.getMemoryNote({ name: "namespaces/default/notes/a" }, call)).rejects.toMatchObject({
    message: expect.stringContaining("namespaces/NAMESPACE/memoryNotes/MEMORYNOTE") as string,
  });
});

it("agentctl shows them with control characters made visible, and deletes them by name, by field or all", async () => {
  const table = await ctl("get", "memory");
  expect(table.out).toMatch(
    /^NAME +REPOSITORY +TASK +AGE +TEXT\n012345-bbbbbbbbbb +origin +web-a +\S+ +Older \\e\[2J\n/,
  );
  expect(table.out).toMatch(/fedcba-cccccccccc +\(uploaded\) .*x…\n$/);
  expect((await ctl("get", "notes", "-A", "-o", "name")).out.split("\n")).toHaveLength(5);
  expect(JSON.parse((await ctl("get", "memory/012345-aaaaaaaaaa", "-o", "json")).out)).toMatchObject({
    spec: { text: "Tests need TZ=UTC" },
  });
  expect((await ctl("describe", "memory/012345-aaaaaaaaaa")).out).toContain("Text:        Tests need TZ=UTC\n");
  expect((await ctl("get", "memory", "-l", "a=b")).err).toContain("have no labels");

  expect(await ctl("delete", "memory/012345-aaaaaaaaaa")).toMatchObject({
    code: 0,
    out: "memory/012345-aaaaaaaaaa deleted\n",
  });
  expect(await ctl("delete", "memory", "012345-aaaaaaaaaa")).toMatchObject({
    code: 1,
    err: "error: there is no note 012345-aaaaaaaaaa in the memory of namespace default\n",
  });
  expect((await ctl("delete", "memory", "--field-selector", `spec.repository=${uploaded}`)).out).toBe(
    "memory/fedcba-cccccccccc deleted\n",
  );
  expect((await ctl("delete", "memory", "--all")).out).toBe("memory/012345-bbbbbbbbbb deleted\n");
  expect((await ctl("get", "memory")).err).toBe("No notes found in namespace default.\n");
  expect((await ctl("get", "memory", "-n", "other", "-o", "name")).out).toBe("memory/012345-dddddddddd\n");
  expect(api.store.get(keys.job("default", "web"))).toBeDefined();
});

it("several kinds are shown below each other, names with their kinds; as JSON each has its kind", async () => {
  const both = await ctl("get", "jobs,memory", "-n", "other");
  expect(both.out).toMatch(/^NAME +REPOSITORY[^\n]*\nmemory\/012345-dddddddddd [^\n]*\n$/);
  expect((await ctl("get", "all")).out).toMatch(/^NAME +STATUS[^\n]*\njob\/web +\S+/);
  expect((await ctl("get", "all", "-l", "job=x")).err).toBe("No resources found in namespace default.\n");
  const { items } = JSON.parse((await ctl("get", "jobs,notes", "-A", "-o", "json")).out) as {
    items: { kind: string }[];
  };
  expect(items.map(({ kind }) => kind)).toEqual(["Job", "MemoryNote"]);
  expect((await ctl("get", "jobs,memory", "-A", "-o", "name")).out).toBe("job/web\nmemory/012345-dddddddddd\n");
  expect(await ctl("get", "jobs,tsks")).toMatchObject({ code: 2 });
  expect((await ctl("get", "all", "-w")).err).toBe("error: watch one kind at a time\n");
});
