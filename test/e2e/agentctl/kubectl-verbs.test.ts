import { readFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import {
  agentctlBin,
  eventually,
  runProgram,
  startAgentd,
  startProgram,
  type TestAgentd,
} from "../../support/agentd.ts";
import { manifestOf } from "../../support/jobs.ts";
import { createRepository, type SampleRepository } from "../../support/sample-repository.ts";

let agentd: TestAgentd;
let repository: SampleRepository;

beforeAll(async () => {
  repository = createRepository({ "a.txt": "a\n", "b.txt": "b\n", "sub/c.txt": "c\n" });
  agentd = await startAgentd();
});

afterAll(async () => {
  await agentd?.[Symbol.asyncDispose]();
  repository?.[Symbol.dispose]();
});

const ctl = (...words: string[]) => agentd.ctl(words, { cwd: repository.path });
const submit = (verb: string, input: string, ...flags: string[]) =>
  agentd.ctl([verb, "-f", "-", ...flags], { cwd: repository.path, input });

function twoTasks(name: string, more = ""): string {
  return manifestOf(
    name,
    `  repository: { url: . }
${more}  plan: { forEach: { glob: "[ab].txt" } }
  template: { prompt: 'Append the line "${name}" to {{item}}', checks: [{ name: line, run: "grep -qx ${name} {{item}}" }] }
`,
  );
}

describe("run", () => {
  test("shows the turns on standard error, the diff on standard output, and leaves the work tree alone", async () => {
    const ran = await ctl("run", 'Append the line "x" to a.txt', "--name", "plain");
    expect(ran.code).toBe(0);
    expect(ran.stdout).toMatch(/^diff --git a\/a\.txt b\/a\.txt\n[^]*\n\+x\n$/);
    expect(ran.stderr).toMatch(/^job\/plain created \(base [0-9a-f]{7} HEAD, branch agentd\/plain\)\n/);
    expect(ran.stderr).toContain("note: no --check: nothing will prove the result");
    expect(ran.stderr).toContain("── attempt 1, turn 1 ──\n");
    expect(ran.stderr).toMatch(/^job\/plain Complete: merged as [0-9a-f]{7} on agentd\/plain; \d turns/m);
    expect(ran.stderr).toContain("take it: agentctl fetch job/plain && git merge agentd/plain");
    expect(repository.git("status", "--porcelain")).toBe("");
    const applied = await runProgram("git", ["-C", repository.path, "apply", "--check"], { input: ran.stdout });
    expect(applied).toMatchObject({ code: 0, stderr: "" });
  });

  test("with --apply takes a checked result into the work tree, from any folder, but never over changes made here", async () => {
    repository.write("b.txt", "b\nmine\n");
    const words = [
      "run",
      'Append the line "y" to a.txt',
      "--check",
      "grep -qx y a.txt",
      "--writes",
      "*.txt",
      "--apply",
    ];
    const ran = await agentd.ctl(words, { cwd: join(repository.path, "sub") });
    expect(ran.code).toBe(0);
    expect(ran.stderr).toContain("note: 1 file with uncommitted changes: agents get what was committed last\n");
    expect(ran.stderr).toMatch(/^job\/run-append-the-line-y-[0-9a-z]{5} Complete: .*; check exit 0; /m);
    expect(ran.stderr).toContain("applied to your work tree: a.txt; nothing is staged or committed\n");
    expect(readFileSync(join(repository.path, "a.txt"), "utf8")).toBe("a\ny\n");
    expect(repository.git("diff", "--cached", "--name-only")).toBe("");

    const refused = await ctl("run", 'Append the line "z" to b.txt', "--name", "kept", "--apply");
    expect(refused.code).toBe(1);
    expect(refused.stderr).toContain("nothing was applied: b.txt would be changed and has uncommitted changes here");
    expect(refused.stderr).toContain("agentctl fetch job/kept && git merge agentd/kept");
    expect(readFileSync(join(repository.path, "b.txt"), "utf8")).toBe("b\nmine\n");
    repository.git("checkout", "-q", ".");
  });

  test("ends with 3 when the job fails, with 4 when the time is up, and with 130 at Ctrl-C; the job goes on", async () => {
    const failed = await ctl("run", "Do what nobody understands", "--name", "blocked");
    expect(failed).toMatchObject({ code: 3, stdout: "" });
    expect(failed.stderr).toMatch(/^job\/blocked Failed\(TasksFailed\): Blocked; /m);
    expect(failed.stderr).toContain("next: agentctl describe task/blocked-1");

    const late = await ctl("run", 'Append the line "q" to a.txt', "--name", "late", "--timeout", "1ms");
    expect(late).toMatchObject({ code: 4, stdout: "" });
    expect(late.stderr).toContain("error: job/late has not ended after 1ms; it goes on.");
    expect((await ctl("wait", "late", "--timeout", "60s")).code).toBe(0);

    const child = startProgram(
      agentctlBin,
      ["--server", agentd.endpoints.grpc, "run", 'Run "sleep 60"', "--name", "long"],
      repository.path,
    );
    const running = ["get", "job/long", "-o", "jsonpath={.status.counts.running}"];
    await eventually("the agent at work", async () => ((await ctl(...running)).stdout === "1" ? true : undefined));
    child.process.kill("SIGINT");
    expect(await child.ended).toBe(130);
    expect(child.stderr()).toContain("only the watching ended; job/long goes on");
    expect(child.stderr()).toContain("end it: agentctl cancel job/long");
    expect((await ctl(...running)).stdout).toBe("1");
    expect((await ctl("cancel", "job/long")).code).toBe(0);
  });
});

test("create refuses a job that is there; suspend, resume, wait and delete end as they say", async () => {
  const first = await submit("create", twoTasks("made", "  suspend: true\n"), "-o", "name");
  expect(first).toMatchObject({ code: 0, stdout: "job/made\n" });
  const again = await submit("create", twoTasks("made"));
  expect(again.code).toBe(1);
  expect(again.stderr).toContain("made");
  const timedOut = await ctl("wait", "made", "--timeout", "200ms");
  expect(timedOut).toMatchObject({ code: 4, stdout: "" });
  expect((await ctl("get", "jobs", "--field-selector", "spec.suspend=true", "-o", "name")).stdout).toBe("job/made\n");
  expect((await ctl("suspend", "job/made")).stdout).toBe("job/made suspended already\n");
  expect((await ctl("resume", "made")).stdout).toBe("job/made resumed\n");
  expect((await ctl("wait", "made")).code).toBe(0);
  expect((await submit("delete", twoTasks("made"))).stdout).toBe("job/made deleted\n");
  expect((await ctl("delete", "made")).code).toBe(1);
  expect(await ctl("delete", "made", "--ignore-not-found")).toMatchObject({ code: 0, stdout: "", stderr: "" });
  expect((await ctl("wait", "blocked")).code).toBe(3);
  const dry = await submit("apply", twoTasks("dry"), "--dry-run", "-o", "jsonpath={.metadata.name} {.status.total}");
  expect(dry).toMatchObject({ code: 0, stdout: "dry 2" });
});

test("get prints what the API gives as YAML, JSON, names and jsonpath, and selects by label and field", async () => {
  const labelled = twoTasks("shown").replace(
    /metadata: \{ name: shown/,
    "metadata: { labels: { team: web }, name: shown",
  );
  expect((await submit("apply", labelled, "--wait")).code).toBe(0);
  const ofJob = ["get", "tasks", "-l", "job=shown"];
  const yaml = (await ctl(...ofJob, "-o", "yaml")).stdout;
  expect(yaml).toMatch(/^items:\n {2}- metadata:\n {6}name: shown-a-txt\n/);
  expect((await ctl("get", "task/shown-a-txt", "-o", "yaml")).stdout).toMatch(/^metadata:\n/);
  const template = '{range .items[?(@.status.state=="Succeeded")]}{.metadata.name}={.spec.item}{"\\n"}{end}';
  expect((await ctl(...ofJob, "-o", `jsonpath=${template}`)).stdout).toBe("shown-a-txt=a.txt\nshown-b-txt=b.txt\n");
  expect((await ctl(...ofJob, "--field-selector", "status.state=Failed")).stderr).toBe(
    "No tasks found in namespace default.\n",
  );
  expect((await ctl(...ofJob, "--field-selector", "status.stat=Failed")).code).toBe(1);
  expect((await ctl(...ofJob, "--no-headers")).stdout).toMatch(/^shown-a-txt +Succeeded/);
  expect((await ctl("get", "pools")).stdout).toMatch(/^NAME +STATUS[^\n]*\ndefault +Healthy +1\/1 /);
  const events = (await ctl("events", "job/shown", "-o", "jsonpath={.items[*].kind}")).stdout;
  expect(events).toContain("Job");
  expect((await ctl("events", "task/shown-a-txt", "--tail", "1")).stdout.trim().split("\n")).toHaveLength(2);
  expect((await ctl("get", "events")).stdout).toMatch(/^AGE +TYPE +REASON +OBJECT +MESSAGE\n/);
  expect((await ctl("top")).stdout).toMatch(/^slots \d+\/8[^]*^shown +Complete /m);
  expect((await ctl("top", "pools")).stdout).toMatch(/^default +Healthy +\(all\) /m);
  const described = (await ctl("describe", "job/shown", "task/shown-a-txt", "pool/default")).stdout;
  expect(described.match(/^Conditions:/gm)).toHaveLength(2);
  expect(described).toMatch(/^Events:\n +Age +Type +Reason/m);
  expect((await ctl("get", "job/shown", "-o", "jsonpath={.metadata.labels}")).stdout).toBe('{"team":"web"}');
  expect(described).toMatch(/^Labels: +team=web$/m);
});

test("a worker is cordoned, uncordoned and drained, and gets no task meanwhile", async () => {
  const [worker = ""] = agentd.workers;
  await eventually("its first heartbeat", async () =>
    (await ctl("get", "workers", "-o", "name")).stdout === "" ? undefined : true,
  );
  expect((await ctl("cordon", worker)).stdout).toBe(`worker/${worker} cordoned\n`);
  expect((await ctl("cordon", worker)).stdout).toBe(`worker/${worker} cordoned already\n`);
  const late = await submit("apply", twoTasks("waits"), "--wait", "--timeout", "1500ms");
  expect(late.code).toBe(4);
  expect((await ctl("wait", "waits", "--timeout", "200ms")).code).toBe(4);
  expect((await ctl("drain", `worker/${worker}`, "--timeout", "30s")).stdout).toBe(`worker/${worker} drained\n`);
  expect((await ctl("get", "workers", "-o", "jsonpath={.items[*].status.state}")).stdout).toBe("Drained");
  expect((await ctl("uncordon", worker)).stdout).toBe(`worker/${worker} uncordoned\n`);
  expect((await ctl("wait", "waits", "--timeout", "60s")).code).toBe(0);
  expect((await ctl("drain", "nobody")).code).toBe(1);
});

test("a drain whose time is up ends with 4 and goes on, until the worker is uncordoned", async () => {
  const [worker = ""] = agentd.workers;
  const slow = twoTasks("slow").replace("{{item}}'", "{{item}} [sim: slow 30000ms]'");
  expect((await submit("apply", slow)).code).toBe(0);
  await eventually("an attempt", async () =>
    (await ctl("get", "tasks", "-l", "job=slow", "--field-selector", "status.state=Running", "-o", "name")).stdout ===
    ""
      ? undefined
      : true,
  );
  const drain = await ctl("drain", worker, "--timeout", "500ms");
  expect(drain).toMatchObject({ code: 4 });
  expect(drain.stderr).toContain(`worker/${worker} is not drained after 500ms; the drain goes on`);
  expect((await ctl("uncordon", worker)).code).toBe(0);
  expect((await ctl("cancel", "job/slow")).code).toBe(0);
});

test("names are completed from the server, versions come from both, and a reader that went away is no error", async () => {
  const env = { AGENTD_SERVER: agentd.endpoints.grpc };
  const complete = async (...words: string[]) =>
    (await runProgram(agentctlBin, ["__complete", "--", ...words], { env })).stdout;
  expect(await complete("describe", "job/sho")).toBe("job/shown\n");
  expect(await complete("wait", "job", "sho")).toBe("shown\n");
  expect((await ctl("version", "--request-timeout", "60s")).stdout).toMatch(/^agentctl (\S+)\nserver {3}\1 at /);
  const script = `"$0" --server ${agentd.endpoints.grpc} get tasks -A -o json | head -c 10; echo " \${PIPESTATUS[0]}"`;
  const cut = await runProgram("bash", ["-c", script, agentctlBin]);
  expect(cut).toMatchObject({ stdout: '{\n  "items 0\n', stderr: "" });
});

test("a watch of jobs takes selectors and ends at Ctrl-C without touching the job", async () => {
  const words = ["get", "jobs", "-w", "--field-selector", "metadata.name=shown", "-o", "name"];
  const child = startProgram(agentctlBin, ["--server", agentd.endpoints.grpc, ...words], repository.path);
  await eventually("the list", () => (child.stdout() === "job/shown\n" ? true : undefined));
  child.process.kill("SIGINT");
  expect(await child.ended).toBe(130);
  expect(child.stderr()).toBe("\ninterrupted: watching ended; the job goes on\n");
});

test("watches, events and logs that are followed go on over a killed coordinator, and show nothing twice", async () => {
  const follow = (...words: string[]) =>
    startProgram(agentctlBin, ["--server", agentd.endpoints.grpc, ...words], repository.path);
  const ofJob = ["-l", "job=lasting"];
  const watch = follow("get", "tasks", "-w", ...ofJob, "-o", "jsonpath={.metadata.resourceVersion}={.status.state} ");
  const events = follow("events", "-w", "--field-selector", "job=lasting", "-o", "jsonpath={.reason} ");
  const slow = twoTasks("lasting").replace("{{item}}'", "{{item}} [sim: slow 2000ms]'").replace("[ab].txt", "a.txt");
  expect((await submit("apply", slow)).code).toBe(0);
  await eventually("an attempt", () => (events.stdout().includes("Started") ? true : undefined));
  const log = follow("logs", "-f", "lasting-a-txt");
  await eventually("its first turn", () => (log.stdout().includes("turn 1") ? true : undefined));
  process.kill(await agentd.pidOf("coordinator"), "SIGKILL");
  for (const each of [watch, events, log]) {
    await eventually("the loss", () => (each.stderr().includes("lost agentd at") ? true : undefined));
  }
  expect(await log.ended).toBe(0);
  const turns = [...log.stdout().matchAll(/attempt 1, turn (\d+)/g)].map(([, turn]) => Number(turn));
  expect(turns).toEqual(turns.map((_, index) => index + 1));
  expect(turns.length).toBeGreaterThan(1);
  expect((await ctl("wait", "lasting", "--timeout", "60s")).code).toBe(0);
  await eventually("the end of all", () =>
    watch.stdout().includes("Succeeded") && events.stdout().includes("Complete") ? true : undefined,
  );
  for (const each of [watch, events]) {
    each.process.kill("SIGINT");
    expect(await each.ended).toBe(130);
  }
  const versions = [...watch.stdout().matchAll(/(\d+)=/g)].map(([, version]) => Number(version));
  expect(versions).toEqual([...new Set(versions)].sort((a, b) => a - b));
  for (const reason of ["Created", "Started", "Merged", "Complete"]) {
    expect(
      events
        .stdout()
        .split(" ")
        .filter((each) => each === reason),
    ).toHaveLength(1);
  }
});
