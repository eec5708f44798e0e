import { chmodSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { afterAll, beforeAll, expect, test } from "vitest";
import { parseAllDocuments } from "yaml";
import { agentctlBin, eventually, startAgentd, startProgram, type TestAgentd } from "../../support/agentd.ts";
import { manifestOf } from "../../support/jobs.ts";
import { createRepository, type SampleRepository } from "../../support/sample-repository.ts";

let agentd: TestAgentd;
let repository: SampleRepository;

beforeAll(async () => {
  repository = createRepository({ "a.txt": "a\n", "b.txt": "b\n" });
  agentd = await startAgentd();
});

afterAll(async () => {
  await agentd?.[Symbol.asyncDispose]();
  repository?.[Symbol.dispose]();
});

function oneTask(name: string, task: string, more = "  repository: { url: . }\n"): string {
  return manifestOf(
    name,
    `${more}  plan: { tasks: [{ name: ${task}, prompt: 'Append the line "x" to a.txt' }] }
  template: { checks: [{ name: same, run: "test -e a.txt" }] }
`,
  );
}

async function apply(input: string, ...flags: string[]) {
  return await agentd.ctl(["apply", "-f", "-", ...flags], { cwd: repository.path, input });
}

test("tasks of one name in two jobs are named with their job, and -o name gives what the next command takes", async () => {
  const both = `${oneTask("one", "same")}---\n${oneTask("two", "same")}---\n`;
  const applied = await apply(both, "--wait");
  expect(applied).toMatchObject({ code: 0, stderr: "" });
  expect(applied.stdout).toContain("job/one created (1 task, base ");
  expect(applied.stdout).toMatch(/^job\/two +merged 1\/1 /m);

  const names = (await agentd.ctl(["get", "tasks", "-o", "name"])).stdout.trim().split("\n");
  expect(names).toEqual(["task/one/same", "task/two/same"]);
  expect(await agentd.ctl(["diff", ...names])).toMatchObject({ code: 0, stderr: "" });
  expect((await agentd.ctl(["describe", "task/two/same"])).stdout).toContain("agentctl diff task/two/same");
  const vague = await agentd.ctl(["diff", "same"]);
  expect(vague.stderr).toBe("error: several jobs have a task same; name its job too: task/one/same or task/two/same\n");
});

test("a job that has ended says so when it is applied, cancelled, or stands in its own way", async () => {
  const input = oneTask("ended", "ended-t");
  expect((await apply(input, "--wait")).code).toBe(0);
  expect(await apply(input)).toMatchObject({
    stdout: "job/ended unchanged\n",
    stderr: "note: job/ended has ended (Complete); to run it anew, first: agentctl delete job/ended\n",
  });
  expect((await agentd.ctl(["cancel", "job/ended"])).stdout).toBe("job/ended had ended already: Complete\n");
  expect((await agentd.ctl(["fsck", "ended"])).stdout).toContain("job/ended sound");
  expect((await agentd.ctl(["delete", "ended"])).stdout).toBe("job/ended deleted\n");
  expect((await apply(input)).stderr).toContain("delete or merge that branch, or choose another spec.target.branch");
});

test("a plan without tasks ends with its reason", async () => {
  const input = manifestOf(
    "empty",
    `  repository: { url: . }
  plan: { forEach: { command: "true" } }
  template: { prompt: "x {{item}}", checks: [{ name: t, run: "true" }] }
`,
  );
  const applied = await apply(input, "--wait");
  expect(applied.code).toBe(3);
  expect(applied.stdout).toContain("job/empty Failed(PlanFailed): the command printed nothing");
  expect(applied.stdout).not.toContain("failed(planfailed)");
});

test("the branch of a job from a URL is said to be pushed, refused, or left to be fetched", async () => {
  using origin = createRepository({ "a.txt": "a\n" });
  const from = (more: string) => `  repository: { url: "${pathToFileURL(origin.path).href}", ref: main }\n${more}`;
  const pushed = await apply(oneTask("pushed", "pushed-t", from("")), "--wait");
  expect(pushed.stdout).toMatch(/^branch agentd\/pushed pushed at [0-9a-f]{7}$/m);
  expect(pushed.stdout).toContain(origin.git("rev-parse", "--short=7", "agentd/pushed"));

  const kept = await apply(oneTask("kept", "kept-t", from("  target: { push: false }\n")), "--wait");
  expect(kept.stdout).toContain(
    "branch agentd/kept is not pushed (target.push is false); take it with: agentctl fetch",
  );
  const never = await agentd.ctl(["wait", "kept", "--for=condition=Published"]);
  expect(never).toMatchObject({ code: 3 });
  expect(never.stderr).toContain("not Published: nothing pushes its branch");

  const hook = join(origin.path, ".git/hooks/pre-receive");
  writeFileSync(hook, "#!/bin/sh\nexit 1\n");
  chmodSync(hook, 0o755);
  expect((await apply(oneTask("refused", "refused-t", from("")))).code).toBe(0);
  expect((await agentd.ctl(["wait", "refused"])).code).toBe(0);
  const waiting = await agentd.ctl(["wait", "refused", "--for=condition=Published", "--timeout", "1s"]);
  expect(waiting).toMatchObject({ code: 4, stderr: "error: job/refused is not Published after 1s\n" });
});

test("files and repositories that cannot be used are named with what is wrong", async () => {
  const ctl = async (...args: string[]) => (await agentd.ctl(args, { cwd: join(repository.path, "..") })).stderr;
  expect(await ctl("apply", "-f", "nowhere.yaml")).toBe("error: nowhere.yaml cannot be read: there is no such file\n");
  expect(await ctl("apply", "-f", "/")).toContain("it is a folder; name a file in it");
  expect(await ctl("fetch", "job/one")).toContain("is not a git repository");
  const lost = await apply(oneTask("lost", "lost-t", '  repository: { url: "file:///nowhere.git" }\n'));
  expect(lost.stderr).toMatch(
    /^ {2}line 5 +spec\.repository\.url +Could not reach file:\/\/\/nowhere\.git: fatal: .*; fatal: /m,
  );
  expect(lost.stderr).not.toMatch(/\\n|\\x0d/);
  using other = createRepository({ "else.txt": "x\n" });
  const fetched = await agentd.ctl(["fetch", "one"], { cwd: other.path });
  expect(fetched.stderr).toMatch(/does not hold [0-9a-f]{7}, the base of this job/);
  expect(await ctl("logs", "one/same", "--attempt", "9")).toBe(
    "No turns of attempt 9 of task/one/same are recorded.\n",
  );
  const twice = await ctl("get", "jobs", "-l", "a==b,");
  expect(twice.match(/is no label key/g)).toHaveLength(1);
  expect((await agentd.ctl(["--version"])).stdout).toMatch(/^agentctl \d/);
});

test("a plan whose command fails says so once, and its job can still be cancelled", async () => {
  const spec = `  repository: { url: . }
  backoffLimit: 0
  plan: { forEach: { command: "exit 7" } }
  template: { prompt: "x {{item}}", checks: [{ name: t, run: "true" }] }
`;
  const applied = await apply(manifestOf("broken", spec), "--wait");
  expect(applied.stdout).toMatch(/^job\/broken Failed\(PlanFailed\): the plan's command exited 7$/m);
  const cancelled = await agentd.ctl(["cancel", "job/broken"]);
  expect(cancelled.stdout).toBe("job/broken cancelled; it had ended as Failed(PlanFailed)\n");
});

test("a watch shows every change under the columns of its list, in the form that was asked for", async () => {
  const suspended = oneTask("watched", "watched-a-name-that-is-long", "  repository: { url: . }\n  suspend: true\n");
  expect((await apply(suspended)).code).toBe(0);
  const ofJob = ["get", "tasks", "-l", "job=watched", "-w"];
  const start = (...more: string[]) =>
    startProgram(agentctlBin, ["--server", agentd.endpoints.grpc, ...ofJob, ...more], repository.path);
  const [table, names, yaml] = [start(), start("-o", "name"), start("-o", "yaml")];
  await eventually("all to watch", () => [table, names, yaml].every((each) => each.stdout() !== "") || undefined);
  expect((await apply(suspended.replace("suspend: true", "suspend: false"), "--wait")).code).toBe(0);
  await eventually("the end in the table", () => (table.stdout().includes("Succeeded") ? true : undefined));
  await eventually("the end in the YAML", () => (yaml.stdout().includes("state: Succeeded") ? true : undefined));
  for (const { process: child, ended } of [table, names, yaml]) {
    child.kill("SIGINT");
    await ended;
  }
  const lines = table.stdout().trim().split("\n");
  const column = lines[0]?.indexOf("STATUS") ?? -1;
  expect(column).toBeGreaterThan(0);
  for (const line of lines.slice(1)) expect(line.slice(column)).toMatch(/^(Pending|Running|Merging|Succeeded) /);
  expect(lines.at(-1)).toContain("Succeeded");
  expect(new Set(names.stdout().trim().split("\n"))).toEqual(new Set(["task/watched-a-name-that-is-long"]));
  const [list, ...changes] = parseAllDocuments(yaml.stdout()).map((document) => document.toJS() as object);
  expect(list).toHaveProperty("items");
  for (const change of changes) expect(change).toMatchObject({ metadata: { name: "watched-a-name-that-is-long" } });
  expect(changes.length).toBeGreaterThan(1);
});

test("resources of all namespaces stand beside the namespace that they are in", async () => {
  expect((await apply(oneTask("far", "far-t"), "--namespace", "away")).code).toBe(0);
  expect((await agentd.ctl(["get", "jobs", "-A"])).stdout).toMatch(/^NAMESPACE +NAME .*\n(.*\n)*away +far /);
  expect((await agentd.ctl(["get", "tasks", "-A"])).stdout).toMatch(/^away +far-t /m);
  const refused = await agentd.ctl(["get", "pools", "-w"]);
  expect(refused).toMatchObject({ code: 2, stdout: "" });
});

test("a job without checks is run after a warning; what nothing proves is not merged, but can be looked at", async () => {
  const spec = `  repository: { url: . }
  plan: { tasks: [{ name: blind, prompt: 'Append the line "x" to a.txt' }] }
  template: {}
`;
  const applied = await apply(manifestOf("unproven", spec), "--wait");
  expect(applied.code).toBe(3);
  expect(applied.stderr).toContain("warning: job/unproven: its tasks have no checks, so nothing proves their results");
  const described = await agentd.ctl(["describe", "task/unproven/blind"]);
  expect(described.stdout).toMatch(/Status: +Failed, GateFailed: no checks were given/);
  expect(described.stdout).toMatch(/Verified +Unknown +NoChecks/);
  expect(described.stdout).toMatch(/Merged +False +NotVerified/);
  expect((await agentd.ctl(["diff", "task/unproven/blind"])).stdout).toContain("+x");
  expect((await agentd.ctl(["describe", "job/unproven"])).stdout).toMatch(/Warning +NoChecks/);
});
