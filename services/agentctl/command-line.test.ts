import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { runInProcess } from "../../test/support/run-in-process.ts";
import { globalFlags } from "./global-options.ts";
import { verbSections } from "./registry.ts";
import type { Verb } from "./verb.ts";

const run = runInProcess;

type Runnable = Exclude<Verb, { readonly kind: "group" }>;

async function allVerbs(): Promise<readonly { readonly name: string; readonly verb: Runnable }[]> {
  const found: { name: string; verb: Runnable }[] = [];
  for (const named of verbSections.flatMap(({ verbs }) => verbs)) {
    const verb = await named.load();
    if (verb.kind !== "group") found.push({ name: named.name, verb });
    else {
      for (const child of verb.verbs) {
        const inner = await child.load();
        if (inner.kind !== "group") found.push({ name: `${named.name} ${child.name}`, verb: inner });
      }
    }
  }
  return found;
}

const verbs = await allVerbs();
const globals = globalFlags.flatMap(([flags]) => flagsIn(flags));

function flagsIn(text: string): readonly string[] {
  return [...text.matchAll(/(?<![\w-])--?[a-zA-Z][a-z-]*/g)].map(([flag]) => flag);
}

const folder = mkdtempSync(join(tmpdir(), "agentctl-command-line-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const jobFile = join(folder, "job.yaml");
writeFileSync(
  jobFile,
  `apiVersion: agentd/v1
kind: Job
metadata: { name: a }
spec:
  repository: { url: "https://127.0.0.1:1/a.git" }
  plan: { tasks: [{ name: a, prompt: Do it }] }
`,
);

describe("help", () => {
  it.each(verbs)("of $name has examples that use only flags it has", async ({ name, verb }) => {
    const { code, out } = await run([...name.split(" "), "--help"]);
    expect(code).toBe(0);
    const examples = out.split("\nExamples:\n")[1]?.split("\n\n")[0]?.split("\n") ?? [];
    expect(examples.length).toBeGreaterThan(0);
    expect(examples.some((line) => line.startsWith(`  agentctl ${name}`))).toBe(true);
    const own = verb.flags.flatMap(({ flags }) => flagsIn(flags));
    for (const line of examples.filter((each) => each.startsWith(`  agentctl ${name}`))) {
      // What stands in quotes is a prompt or a command; what stands behind a pipe is another program.
      const [bare = ""] = line.replaceAll(/"[^"]*"|'[^']*'/g, "").split(" | ");
      expect(flagsIn(bare).filter((flag) => !own.includes(flag) && !globals.includes(flag))).toEqual([]);
    }
  });

  it("names the exit codes of a verb that waits", async () => {
    expect(verbs.filter(({ verb }) => verb.exits !== undefined).map(({ name }) => name)).toEqual([
      "run",
      "apply",
      "create",
      "wait",
      "drain",
    ]);
    const waiting =
      "Exit codes: 0 done, 1 error, 2 wrong usage, 3 a job ended otherwise, 4 the time is up, 130 interrupted.";
    expect((await run(["wait", "--help"])).out).toContain(waiting);
  });

  it("lists every verb, and shows a verb's own with `help VERB`", async () => {
    const { out, code } = await run(["--help"]);
    expect(code).toBe(0);
    for (const { name } of verbSections.flatMap((section) => section.verbs))
      expect(out).toMatch(new RegExp(`^  ${name} `, "m"));
    expect(await run([])).toMatchObject({ code: 0, out });
    expect((await run(["help", "get"])).out).toBe((await run(["get", "--help"])).out);
  });
});

it("a short flag takes its value behind an equals sign too, as kubectl's do", async () => {
  const env = { AGENTD_SERVER: "127.0.0.1:1" };
  expect((await run(["get", "jobs", "-o=jsn"], env)).err).toContain("-o jsn is not known");
  expect(JSON.parse((await run(["version", "--client", "-o=json"])).out)).toHaveProperty("client");
  expect((await run(["version", "-v=x"])).err).toContain("it is a number from 0 to 9");
});

describe("wrong usage ends with exit code 2", () => {
  it.each(verbs)("an unknown flag of $name", async ({ name, verb }) => {
    const file = verb.flags.some(({ isRequired }) => isRequired === true) ? ["-f", "x"] : [];
    const { code, out, err } = await run([...name.split(" "), "x", ...file, "--no-such-flag-at-all"]);
    expect({ code, out }).toEqual({ code: 2, out: "" });
    expect(err).toContain("error: unknown option '--no-such-flag-at-all'");
  });

  it.each(verbs.filter(({ verb }) => verb.words.startsWith("<")))("no words for $name", async ({ name }) => {
    const { code, err } = await run(name.split(" "));
    expect(code).toBe(2);
    expect(err).toContain("error: missing required argument");
  });

  it.each([
    [["gte", "jobs"], 'there is no command "gte"; did you mean "get"?'],
    [["config", "veiw"], 'did you mean "view"?'],
    [["get", "jobs", "--namespac", "x"], 'did you mean "--namespace"?'],
    [["get", "jbos"], '"jbos" is no kind of resource; did you mean "jobs"?'],
    [["get", "jobs", "-o", "yml"], '-o yml is not known; did you mean "yaml"?'],
    [["get", "jobs", "-o", "jsonpath={.items"], '-o jsonpath: "{" at character 1 is not closed'],
    [["get", "jobs", "workers/a"], "give either KIND NAME or KIND/NAME, not both"],
    [["get", "job/a", "task/b"], "name resources of one kind at a time"],
    [["get", "job/a", "-l", "x=y"], "give either names or a selector"],
    [["get", "jobs", "--request-timeout", "soon"], "--request-timeout soon is not a duration"],
    [["get", "jobs", "--server", "a b"], '"a b" is no server'],
    [["get", "jobs", "--server", "::1"], "an IPv6 address in brackets"],
    [["get", "jobs", "--context", "prod"], 'there is no context "prod"'],
    [["get", "jobs", "--token-file", "/nonexistent"], "would be sent to"],
    [["logs", "a", "--attempt", "0"], "write a number from 1"],
    [["diff", "job/a"], "diff is for tasks: agentctl diff task/NAME"],
    [["wait", "a", "--for", "condition=Done"], "use condition=NAME with one of"],
    [["wait", "pods/a"], '"pods" is no kind of resource'],
    [["cancel", "jobs"], "name a job: job/NAME"],
    [["cancel", "zod-4"], '"zod-4" needs its kind: write KIND/NAME, as in job/zod-4 or task/zod-4'],
    [["get", "jobs", "-n", "Bad_NS"], 'the namespace cannot be used: "Bad_NS" is no DNS label'],
    [["cancel", "worker/a"], "cancel is for jobs and tasks"],
    [["delete"], "say what to delete in one way"],
    [["delete", "task/a"], "end a task with: agentctl cancel task/NAME"],
    [["delete", "a", "--all"], "say what to delete in one way"],
    [["explain", "job.spec.tempate"], 'job.spec has no field "tempate"; did you mean "template"?'],
    [["explain", "pods"], '"pods" is no kind of resource'],
    [["top", "tasks"], "top is for jobs, workers, pools"],
    [["completion", "tcsh"], "use bash, zsh, fish"],
    [["run", "  "], "the prompt is empty"],
    [["apply"], "required option '-f, --filename <file>' not specified"],
    [["events", "pool/a"], "a pool has no events"],
    [["events", "--tail", "0"], "write a number from 1"],
    [["get", "events", "-l", "a=b"], "events have no labels"],
  ])("%j", async (words, message) => {
    const { code, out, err } = await run(words);
    expect({ code, out }).toEqual({ code: 2, out: "" });
    expect(err).toContain(message);
  });
});

describe("a server that is not there ends with exit code 1", () => {
  const unreachable = [
    ["get", "jobs"],
    ["describe", "job/a"],
    ["logs", "a"],
    ["diff", "a"],
    ["why", "a"],
    ["events"],
    ["top"],
    ["fsck"],
    ["suspend", "a"],
    ["resume", "a"],
    ["cancel", "job/a"],
    ["retry", "a"],
    ["rewind", "a", "--to", "1"],
    ["trace", "job/a"],
    ["wait", "a"],
    ["fetch", "a"],
    ["delete", "a"],
    ["cordon", "a"],
    ["uncordon", "a"],
    ["drain", "a"],
    ["run", "Do it"],
    ["apply", "-f", jobFile],
    ["create", "-f", jobFile],
  ];

  it("is asked of every verb that calls one", () => {
    const asked = new Set(unreachable.map(([name]) => name));
    const missing = verbs.filter(({ name, verb }) => verb.kind === "server" && !asked.has(name.split(" ")[0]));
    expect(missing.map(({ name }) => name)).toEqual([]);
  });

  it.each(unreachable)("agentctl %s", async (...words) => {
    const { code, out, err } = await run([...words, "--server", "127.0.0.1:1"]);
    expect({ code, out }).toEqual({ code: 1, out: "" });
    expect(err).toMatch(/^error: no agentd at 127\.0\.0\.1:1 \(connection refused\)/m);
  });

  it("but not `version`, which then knows only its own", async () => {
    const { code, out, err } = await run(["version", "--server", "127.0.0.1:1"]);
    expect(code).toBe(0);
    expect(out).toMatch(/^agentctl \d+\.\d+\.\d+\n$/);
    expect(err).toBe("no answer from 127.0.0.1:1: connection refused\n");
    expect((await run(["--version"])).out).toBe(out);
  });
});

it("explains fields as the API's definition comments them", async () => {
  const { code, out } = await run(["explain", "job.spec.template.checks"]);
  expect(code).toBe(0);
  expect(out).toContain("FIELD:    checks <[]Check>\n");
  expect(out).toMatch(/^ {2}run <string>\n {4}Shell command/m);
  expect((await run(["explain", "jobs", "--recursive"])).out).toMatch(/^ {6}checks <\[\]Check>\n {8}name <string>$/m);
  expect((await run(["explain", "job.spec.backoff_limit"])).out).toContain("FIELD:    backoffLimit <integer>");
  expect((await run(["explain", "task.status"])).out.match(/What is so\./g)).toHaveLength(1);
});

it("completes verbs, flags, kinds and fixed values without a server", async () => {
  const words = async (...line: string[]): Promise<readonly string[]> =>
    (await run(["__complete", "--", ...line])).out.split("\n").map((each) => each.split("\t")[0] ?? "");
  expect(await words("sus")).toEqual(["suspend", ""]);
  expect(await words("-n", "x", "sus")).toEqual(["suspend", ""]);
  expect(await words("get", "--fi")).toEqual(["--field-selector", ""]);
  expect(await words("get", "jobs", "-o", "js")).toEqual(["json", "jsonpath=", ""]);
  expect(await words("wait", "x", "--for=condition=Comp")).toEqual(["--for=condition=Complete", ""]);
  expect(await words("config", "use")).toEqual(["use-context", ""]);
  expect(await words("explain", "jo")).toEqual(["job", ""]);
  expect(await words("nothing", "")).toEqual([""]);
});

it.each([
  [["drain"], "See `agentctl drain --help` for its flags and examples.\n"],
  [["config", "use-context"], "See `agentctl config use-context --help` for its flags and examples.\n"],
  [["get", "jobs", "--sort-by"], "See `agentctl get --help` for its flags and examples.\n"],
  [["--nothing"], "See `agentctl --help`.\n"],
])("a mistake in %j points at the help of that very command", async (words, advice) => {
  const { code, err } = await run(words);
  expect(code).toBe(2);
  expect(err.endsWith(advice), err).toBe(true);
});
