import { afterAll, beforeAll, expect, test } from "vitest";
import { startAgentd, type TestAgentd } from "../support/agentd.ts";
import { createRepository, type SampleRepository } from "../support/sample-repository.ts";

let agentd: TestAgentd;
let repository: SampleRepository;

const files = ["a", "b", "c", "d"];

function jobManifest(name: string, more = ""): string {
  return `
apiVersion: agentd/v1
kind: Job
metadata: { name: ${name}, labels: { team: web } }
spec:
  repository: { url: ., ref: main }
  plan:
    forEach: { glob: "src/*.js", exclude: ["**/*.skip.js"] }
  template:
    prompt: "Convert var to const or let in {{item}}"
    writes: ["{{item}}"]
    checks:
      - { name: syntax, run: "node --check {{item}}" }
      - { name: no-var, run: "! grep -nw var {{item}}" }
${more}`;
}

beforeAll(async () => {
  repository = createRepository({
    "src/never.skip.js": "var skipped = 1;\n",
    ...Object.fromEntries(files.map((name) => [`src/${name}.js`, `var ${name} = 1;\nmodule.exports = ${name};\n`])),
  });
  agentd = await startAgentd({ slots: 4 });
});

afterAll(async () => {
  await agentd?.[Symbol.asyncDispose]();
  repository?.[Symbol.dispose]();
});

test("a job applied with --wait lands one proven merge per task on its branch in the local repository", async () => {
  const applied = await agentd.ctl(["apply", "-f", "-", "--wait"], {
    cwd: repository.path,
    input: jobManifest("first"),
  });
  expect(applied).toMatchObject({ code: 0 });
  expect(applied.stdout).toContain("job/first created (4 tasks from src/*.js, base ");
  expect(applied.stdout).toContain("job/first Complete: 4 of 4 tasks succeeded");

  const merges = repository.git("log", "--first-parent", "--format=%H", "main..agentd/first").split("\n");
  expect(merges).toHaveLength(4);
  const trailers = repository.git(
    "log",
    "--first-parent",
    "--format=%(trailers:key=Agentd-Task,valueonly)",
    "main..agentd/first",
  );
  for (const name of files) expect(trailers).toMatch(new RegExp(`default/first/first-src-${name}-js@[0-9a-f-]{36}`));
  for (const name of files) {
    expect(repository.git("show", `agentd/first:src/${name}.js`)).toBe(`const ${name} = 1;\nmodule.exports = ${name};`);
  }
  expect(repository.git("show", "agentd/first:src/never.skip.js")).toBe("var skipped = 1;");
});

test("what a job did can be read afterwards", async () => {
  const jobs = await agentd.ctl(["get", "jobs"]);
  expect(jobs.stdout).toMatch(/^NAME +STATUS +MERGED +RUNNING +FAILED +TOKENS +AGE\nfirst +Complete +4\/4 /);
  const tasks = await agentd.ctl(["get", "tasks", "-l", "job=first", "-o", "name"]);
  expect(tasks.stdout.trim().split("\n").sort()).toEqual(files.map((name) => `task/first-src-${name}-js`));
  const json = JSON.parse((await agentd.ctl(["get", "task/first-src-a-js", "-o", "json"])).stdout);
  expect(json).toMatchObject({ job: "first", status: { state: "Succeeded", outcome: "Done", attempt: 1 } });
  expect(json.status.attempts[0].checks).toMatchObject([
    { name: "syntax", status: "Passed", exitCode: 0 },
    { name: "no-var", status: "Passed", exitCode: 0 },
  ]);
  const described = await agentd.ctl(["describe", "task/first-src-a-js"]);
  expect(described.stdout).toMatch(/Merged +True/);
  const diff = await agentd.ctl(["diff", "task/first-src-a-js"]);
  expect(diff.stdout).toContain("-var a = 1;\n+const a = 1;");
  const logs = await agentd.ctl(["logs", "task/first-src-a-js"]);
  expect(logs.stdout).toMatch(/attempt 1, turn 1/);
  expect(logs.stdout).toContain("src/a.js");
  expect((await agentd.ctl(["fsck"])).stdout).toContain("job/first sound: 4 tasks, 4 merge commits, 0 differences");
});

test("applying the same job again changes nothing, and says so", async () => {
  const again = await agentd.ctl(["apply", "-f", "-"], { cwd: repository.path, input: jobManifest("first") });
  expect(again).toMatchObject({ code: 0, stdout: "job/first unchanged\n" });
});

test("a dry run checks everything and creates nothing", async () => {
  const dry = await agentd.ctl(["apply", "-f", "-", "--dry-run"], { cwd: repository.path, input: jobManifest("dry") });
  expect(dry.code).toBe(0);
  expect(dry.stdout).toContain("job/dry created (dry run)");
  expect((await agentd.ctl(["get", "jobs", "-o", "name"])).stdout).toBe("job/first\n");
});

test("an agent that lies ends Failed, the job's wait ends with exit code 3, and nothing of it lands", async () => {
  const manifest = jobManifest("liar", "  backoffLimit: 1\n").replace("in {{item}}", "in {{item}}\\n[sim: lie]");
  const applied = await agentd.ctl(["apply", "-f", "-", "--wait"], { cwd: repository.path, input: manifest });
  expect(applied.code).toBe(3);
  const tasks = await agentd.ctl(["get", "tasks", "-l", "job=liar", "-o", "json"]);
  for (const task of JSON.parse(tasks.stdout).items) {
    expect(task.status).toMatchObject({ state: "Failed", attempt: 2 });
    expect(["GateFailed", "NoChange"]).toContain(task.status.outcome);
  }
  expect(repository.git("branch", "--list", "agentd/liar")).toBe("");
});

test("a job whose branch was merged into main can be deleted and applied again", async () => {
  repository.git("merge", "-q", "--no-edit", "agentd/first");
  repository.git("branch", "-D", "agentd/first");
  repository.write("src/e.js", "var e = 1;\nmodule.exports = e;\n");
  repository.commit("Add e");
  expect(await agentd.ctl(["delete", "job/first"])).toMatchObject({ code: 0, stdout: "job/first deleted\n" });
  const manifest = jobManifest("first", "  allowNoChange: true\n");
  const applied = await agentd.ctl(["apply", "-f", "-", "--wait"], { cwd: repository.path, input: manifest });
  expect(applied.stdout).toContain("job/first Complete: 5 of 5 tasks succeeded");
  expect(applied.code).toBe(0);
  expect(repository.git("log", "--first-parent", "--format=%s", "main..agentd/first").split("\n")).toHaveLength(1);
});
