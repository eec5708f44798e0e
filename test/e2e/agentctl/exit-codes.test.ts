import { afterAll, beforeAll, expect, test } from "vitest";
import {
  agentctlBin,
  eventually,
  type RunningProgram,
  startAgentd,
  startProgram,
  type TestAgentd,
} from "../../support/agentd.ts";
import { manifestOf } from "../../support/jobs.ts";
import { runInProcess } from "../../support/run-in-process.ts";
import { createRepository, type SampleRepository } from "../../support/sample-repository.ts";

let agentd: TestAgentd;
let repository: SampleRepository;

beforeAll(async () => {
  repository = createRepository({ "a.txt": "a\n" });
  agentd = await startAgentd();
});

afterAll(async () => {
  await agentd?.[Symbol.asyncDispose]();
  repository?.[Symbol.dispose]();
});

const ctl = (...words: string[]) => agentd.ctl(words, { cwd: repository.path });

function jobOf(name: string, prompt: string): string {
  return manifestOf(
    name,
    `  repository: { url: . }
  plan: { tasks: [{ name: only, prompt: '${prompt}' }] }
  allowUnverified: true
`,
  );
}
const submit = (verb: string, input: string, ...flags: string[]) =>
  agentd.ctl([verb, "-f", "-", ...flags], { cwd: repository.path, input });

test.each(["apply", "create"])("%s --wait ends with 0, 3 and 4 as its job does", async (verb) => {
  const append = 'Append the line "x" to a.txt';
  expect((await submit(verb, jobOf(`${verb}-done`, append), "--wait")).code).toBe(0);
  const failed = await submit(verb, jobOf(`${verb}-failed`, "Do what nobody understands"), "--wait");
  expect(failed.code).toBe(3);
  expect(failed.stdout).toContain(`job/${verb}-failed Failed(TasksFailed)`);
  const late = await submit(verb, jobOf(`${verb}-late`, `${append} [sim: slow 30000ms]`), "--wait", "--timeout=300ms");
  expect(late.code).toBe(4);
  expect(late.stderr).toContain(`it goes on: agentctl wait job/${verb}-late`);
  expect((await ctl("cancel", `job/${verb}-late`)).code).toBe(0);
  expect((await ctl("wait", `job/${verb}-late`)).code).toBe(3);
});

/** Ends a command that has begun to watch by Ctrl-C. */
async function interrupted(...words: readonly string[]): Promise<RunningProgram & { readonly code: number }> {
  const program = startProgram(agentctlBin, ["--server", agentd.endpoints.grpc, ...words], repository.path);
  // All of these say something at once, and then go on.
  await eventually(`the first words of ${words[0] ?? ""}`, () => program.stdout() + program.stderr() || undefined);
  program.process.kill("SIGINT");
  return { ...program, code: await program.ended };
}

test("Ctrl-C ends what watches with 130, and nothing else", async () => {
  const [worker = ""] = agentd.workers;
  const slow = jobOf("watched", 'Append the line "x" to a.txt [sim: slow 60000ms]');
  expect((await submit("apply", slow)).code).toBe(0);
  await eventually("an attempt at work", async () => {
    const { stdout } = await ctl("get", "job/watched", "-o", "jsonpath={.status.counts.running}");
    return stdout === "1" ? true : undefined;
  });
  for (const words of [
    ["get", "tasks", "-w"],
    ["events", "-w"],
    ["top", "-w"],
    ["drain", worker],
  ]) {
    const ended = await interrupted(...words);
    expect(ended.code, words.join(" ")).toBe(130);
    expect(ended.stderr()).toContain("interrupted");
  }
  expect((await ctl("uncordon", worker)).code).toBe(0);
  expect((await ctl("get", "job/watched", "-o", "jsonpath={.status.counts.running}")).stdout).toBe("1");
  expect((await ctl("cancel", "job/watched")).code).toBe(0);
});

test("what the server refuses ends with 1, what cannot be meant with 2, for every verb that names something", async () => {
  const ofJobs = ["wait", "suspend", "resume", "fetch", "delete", "fsck"].map((verb) => [verb, "job/none"]);
  const ofTasks = ["logs", "diff", "why", "retry"].map((verb) => [verb, "task/none"]);
  const ofAny = ["get", "describe", "cancel", "trace"].map((verb) => [verb, "job/none"]);
  const rest = [
    ["cordon", "none"],
    ["uncordon", "none"],
    ["drain", "none"],
    ["rewind", "task/none", "--to", "1"],
  ];
  for (const words of [...ofJobs, ...ofTasks, ...ofAny, ...rest]) {
    const { code, out, err } = await runInProcess(words, { AGENTD_SERVER: agentd.endpoints.grpc });
    expect({ words, code, out }).toEqual({ words, code: 1, out: "" });
    expect(err).toMatch(/^error: .*\bnone\b.*\n$/);
    expect((await runInProcess([words[0] ?? "", "a b/c/d"])).code).toBe(2);
  }
});

test("what the server refuses for one of several names keeps no other from being done", async () => {
  const env = { AGENTD_SERVER: agentd.endpoints.grpc };
  for (const [words, out] of [
    [["get", "-o", "name", "job/none", "job/watched"], /^job\/watched\n$/],
    [["describe", "job/none", "job/watched"], /^Name: +watched\n/],
    [["cancel", "job/none", "job/watched"], /^job\/watched cancelled\n$/],
    [["suspend", "none", "watched"], /^job\/watched suspended\n$/],
    [["delete", "none", "watched", "nobody"], /^job\/watched deleted\n$/],
  ] as const) {
    const ran = await runInProcess(words, env);
    expect({ words, code: ran.code }).toEqual({ words, code: 1 });
    expect(ran.out).toMatch(out);
    expect(ran.err).toMatch(/^error: there is no job none/m);
  }
});
