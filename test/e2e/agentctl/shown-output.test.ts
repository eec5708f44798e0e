import { afterAll, beforeAll, expect, test } from "vitest";
import { eventually, startAgentd, type TestAgentd } from "../../support/agentd.ts";
import { manifestOf, tasksOf } from "../../support/jobs.ts";
import { createRepository, type SampleRepository } from "../../support/sample-repository.ts";

/** What a command printed that is red reaches the person who has to repair it. */

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

async function apply(name: string, spec: string, isAwaited = true) {
  const input = manifestOf(name, `  repository: { url: . }\n${spec}`);
  return await agentd.ctl(["apply", "-f", "-", ...(isAwaited ? ["--wait"] : [])], { cwd: repository.path, input });
}

const ctl = async (...words: string[]): Promise<string> => {
  const { stdout, stderr } = await agentd.ctl(words);
  return stdout + stderr;
};

test("a red merge.verify shows its output with the task that it was traced to", async () => {
  await apply(
    "verified",
    `  plan: { tasks: [{ name: bad, prompt: 'Append the line "bad" to a.txt' }, { name: good, prompt: 'Append the line "good" to b.txt' }] }
  template: { checks: [{ name: there, run: "test -e a.txt" }] }
  merge: { verify: [{ name: all, run: "! grep -n bad a.txt || { echo 'a.txt holds what it must not'; exit 3; }" }] }
`,
    false,
  );
  const described = await eventually("the verdict on the first attempt", async () => {
    const text = await ctl("describe", "task/verified/bad");
    return text.includes("Output of merge.verify:all on attempt 1") ? text : undefined;
  });
  expect(described).toMatch(
    /1 +VerifyFailed .* merge\.verify: check "all" exited 3 on the branch with this result merged/,
  );
  expect(described).toContain(":\n  2:bad\n  a.txt holds what it must not\n");
  expect(described).not.toContain("your last result");
  await ctl("cancel", "job/verified");
});

test("a merge.verify that is red on the base fails the job with its output, and its own task can be looked at", async () => {
  const applied = await apply(
    "base-red",
    `  plan: { tasks: [{ name: one, prompt: 'Append the line "x" to a.txt' }] }
  template: { checks: [{ name: there, run: "test -e a.txt" }] }
  merge: { verify: [{ name: all, run: "echo missing: libfoo; exit 4" }] }
`,
  );
  expect(applied.code).toBe(3);
  const described = await ctl("describe", "job/base-red");
  expect(described).toMatch(
    /Failed +True +BaseRed .*merge\.verify is red on the base commit: check "all" .*exit code 4/,
  );
  expect(described).toContain("Output of what made it BaseRed:\n  missing: libfoo\n");
  expect(described).not.toContain("\\n");
  const name = /\(task (agentd--verify-[0-9a-f]+)\)/.exec(described)?.[1] ?? "";
  const verify = await ctl("describe", `task/base-red/${name}`);
  expect(verify).toMatch(/Output of all on attempt 2:\n {2}missing: libfoo\n/);
  expect(await ctl("retry", `task/base-red/${name}`)).toContain("is agentd's own (it runs merge.verify)");
  expect(await ctl("get", "tasks", "-l", "job=base-red")).not.toContain("agentd--");
  expect(await ctl("why", "task/base-red/one")).toContain("merge.verify is red on the base commit");
});

test("a workspace.setup that is red on the base fails the job, not each of its tasks, and a retry may repair it", async () => {
  const names = Array.from({ length: 20 }, (_, at) => `t${at}`);
  const plan = names.map((name) => `{ name: ${name}, prompt: 'Append the line "x" to a.txt' }`).join(", ");
  const applied = await apply(
    "unset",
    `  workspace: { setup: ["echo resolving; sleep 0.3; echo 'no package libbar' >&2; exit 9"] }
  parallelism: 2
  backoffLimit: 1
  plan: { tasks: [${plan}] }
  template: { checks: [{ name: there, run: "test -e a.txt" }] }
`,
  );
  expect(applied.code).toBe(3);
  expect(applied.stdout).toMatch(/Failed\(SetupFailed\): .*workspace\.setup is red on the base commit: .*exited 9/);
  const described = await ctl("describe", "job/unset");
  expect(described).toContain("Output of what made it SetupFailed:\n  resolving\n  no package libbar\n");
  const tasks = await eventually("the end of all tasks", async () => {
    const all = await tasksOf(agentd, "unset");
    return all.every(({ status }) => status.state === "Failed" || status.state === "Cancelled") ? all : undefined;
  });
  expect(tasks.filter(({ status }) => (status.attempt ?? 0) > 0).length).toBeLessThan(12);
  const failed = tasks.find(({ status }) => status.state === "Failed")?.metadata.name ?? "";
  expect(await ctl("describe", `task/unset/${failed}`)).toMatch(
    /Output of workspace\.setup on attempt 2:\n {2}resolving\n {2}no package libbar\n/,
  );
  expect(await ctl("why", `task/unset/${failed}`)).toContain("no package libbar");
  const untouched = tasks.find(({ status }) => status.state === "Cancelled" && (status.attempt ?? 0) === 0);
  expect(untouched?.status.message).toContain("workspace.setup is red on the base commit");
  const name = `task/unset/${untouched?.metadata.name ?? ""}`;
  expect(await ctl("retry", name)).toContain("pending again");
  await eventually("the output of the task that was retried", async () =>
    (await ctl("describe", name)).includes("Output of workspace.setup on attempt 1:") ? true : undefined,
  );
});

test("a task is not retried before what it depends on, and both at once in any order", async () => {
  const plan = [
    "{ name: first, prompt: 'Compose a poem' }",
    "{ name: second, prompt: 'Append the line \"x\" to a.txt', dependsOn: [first] }",
    "{ name: third, prompt: 'Append the line \"x\" to b.txt', dependsOn: [second] }",
  ].join(", ");
  const applied = await apply(
    "chain",
    `  plan: { tasks: [${plan}] }\n  template: { checks: [{ name: there, run: "test -e a.txt" }] }\n`,
  );
  expect(applied.code).toBe(3);
  const refused = await agentd.ctl(["retry", "task/chain/third"]);
  expect(refused.code).toBe(1);
  expect(refused.stderr).toBe(
    "error: task third depends on first (Failed), second (Cancelled): retry first what it depends on, or both at once: " +
      "agentctl retry task/chain/first task/chain/second task/chain/third\n",
  );
  const retried = await agentd.ctl([
    ...["retry", "task/chain/none", "task/chain/third", "task/chain/second", "task/chain/first"],
  ]);
  // One that cannot be retried does not keep the others from it.
  expect(retried.stderr).toMatch(/^error: .*none.*\n$/);
  expect(retried.code).toBe(1);
  expect(retried.stdout.trim().split("\n")).toHaveLength(3);
});
