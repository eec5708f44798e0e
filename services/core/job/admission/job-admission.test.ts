import { describe, expect, it } from "vitest";
import { admitJob } from "./job-admission.ts";
import type { ExplicitTaskInput, JobInput, JobSpecInput } from "./job-input.ts";

const spec: JobSpecInput = {
  repository: { url: "." },
  plan: { forEach: { lines: ["a", "b"] } },
  template: { prompt: "Do {{item}}.", checks: [{ name: "test", run: "make {{item}}" }] },
};

const problemsOf = (change: Partial<JobSpecInput>, job: Partial<JobInput> = {}): string =>
  admitJob({ name: "job", ...job, spec: { ...spec, ...change } })
    .problems.map(({ field, message }) => `${field}: ${message}`)
    .join("\n");

const tasks = (...list: readonly ExplicitTaskInput[]): Partial<JobSpecInput> => ({ plan: { tasks: list } });
const run = (command: string): Partial<JobSpecInput> => ({
  template: { prompt: "x", checks: [{ name: "test", run: command }] },
});

describe("admitJob", () => {
  it("fills in every default", () => {
    const { job } = admitJob({ name: "job", spec });
    expect(job?.namespace).toBe("default");
    expect(job?.spec).toMatchObject({
      repository: { url: ".", ref: "HEAD" },
      target: { branch: "agentd/job", push: true },
      template: { pool: "default", limits: { turns: 60, tokens: 2_000_000, wallMs: 1_200_000 } },
      parallelism: 0,
      backoffLimit: 2,
      ttlSecondsAfterFinished: -1,
      merge: { verify: [], onConflict: "Reopen" },
    });
    expect(job?.spec.template.checks).toEqual([{ name: "test", run: "make {{item}}", timeoutMs: 600_000 }]);
    expect(job?.spec.template).not.toHaveProperty("writes");
  });

  it("never pushes an uploaded repository", () => {
    const upload = `sha256:${"a".repeat(64)}`;
    expect(admitJob({ name: "job", spec: { ...spec, repository: { upload } } }).job?.spec.target.push).toBe(false);
    expect(problemsOf({ repository: { upload }, target: { push: true } })).toContain("spec.target.push");
  });

  it.each<[string, Partial<JobSpecInput>, string]>([
    [
      "both url and upload",
      { repository: { url: ".", upload: `sha256:${"a".repeat(64)}` } },
      "spec.repository: has both",
    ],
    ["no repository", { repository: {} }, "spec.repository: needs a url"],
    [
      "a password in the url",
      { repository: { url: "https://me:secret@host/x.git" } },
      "spec.repository.url: holds a password",
    ],
    ["an option as url", { repository: { url: "--upload-pack=touch /tmp/x" } }, "spec.repository.url: begins with"],
    ["a command as url", { repository: { url: "ext::sh -c id" } }, "spec.repository.url: ext::"],
    ["a bad ref", { repository: { url: ".", ref: "a..b" } }, "spec.repository.ref"],
    ["a bad branch", { target: { branch: "a b" } }, 'spec.target.branch: "a b" is no branch name: it has " "'],
    ["a lock branch", { target: { branch: "x/y.lock" } }, "spec.target.branch"],
    ["a wild glob", { plan: { forEach: { glob: "../**" } } }, 'spec.plan.forEach.glob: "../**" leaves'],
    ["an extended glob", { plan: { forEach: { glob: "src/@(a|b).ts" } } }, "extended glob"],
    ["two sources", { plan: { forEach: { glob: "*", lines: ["a"] } } }, "has glob and lines"],
    ["no source", { plan: { forEach: {} } }, "spec.plan.forEach: has none"],
    ["no lines", { plan: { forEach: { lines: [] } } }, "spec.plan.forEach.lines: is empty"],
    ["an empty line", { plan: { forEach: { lines: ["a", " "] } } }, "spec.plan.forEach.lines[1]: is empty"],
    ["an empty axis", { plan: { forEach: { matrix: { os: [] } } } }, "spec.plan.forEach.matrix.os: has no values"],
    [
      "an unknown variable",
      { template: { ...spec.template, prompt: "Do {{itme}}." } },
      'spec.template.prompt: unknown variable {{itme}}; did you mean "item"?',
    ],
    [
      "a matrix variable without a matrix",
      { template: { ...spec.template, prompt: "{{matrix.os}}" } },
      "unknown variable {{matrix.os}}",
    ],
    [
      "a variable in merge.verify",
      { merge: { verify: [{ name: "all", run: "make {{item}}" }] } },
      "spec.merge.verify[0].run: {{item}} has no value here",
    ],
    [
      "duplicate checks",
      {
        template: {
          prompt: "x",
          checks: [
            { name: "a", run: "b" },
            { name: "a", run: "c" },
          ],
        },
      },
      "spec.template.checks[1].name",
    ],
    [
      "an unknown tool",
      { template: { ...spec.template, tools: ["reed"] } },
      'spec.template.tools[0]: unknown: "reed"; did you mean "read"?',
    ],
    [
      "no turns",
      { template: { ...spec.template, limits: { turns: 0 } } },
      "spec.template.limits.turns: must be a whole number from 1 to 1,000, got 0",
    ],
    ["a negative parallelism", { parallelism: -1 }, "spec.parallelism"],
    ["an unknown onConflict", { merge: { onConflict: "Ignore" } }, "spec.merge.onConflict: must be Reopen or Fail"],
    ["duplicate tasks", tasks({ name: "a" }, { name: "a" }), 'spec.plan.tasks[1].name: "a" is already'],
    ["a reserved task", tasks({ name: "agentd--plan" }), "reserved"],
    [
      "an unknown dependency",
      tasks({ name: "build" }, { name: "b", dependsOn: ["biuld"] }),
      'there is no task "biuld"; did you mean "build"?',
    ],
    [
      "a cycle",
      tasks(
        { name: "a", item: "1", dependsOn: ["c"] },
        { name: "b", item: "1", dependsOn: ["a"] },
        { name: "c", item: "1", dependsOn: ["b"] },
      ),
      "is a cycle: a → c → b → a",
    ],
    ["a task that depends on itself", tasks({ name: "a", item: "1", dependsOn: ["a"] }), "is a cycle: a → a"],
    ["a missing item", tasks({ name: "a" }), "spec.plan.tasks[0].item: is missing"],
  ])("refuses %s", (_, change, expected) => {
    expect(problemsOf(change)).toContain(expected);
  });

  it.each([
    ['test "{{item}}"', "double quotes"],
    ["test '{{item}}'", "single quotes"],
    ["x=`cat {{item}}`", "backquotes"],
    ["make # {{item}}", "a comment"],
    ["echo $(( {{item}} + 1 ))", "arithmetic"],
    ["cat <<EOF\n{{item}}\nEOF", "a here-document"],
    ["echo $'it\\'s {{item}}'", "a $-quoted text"],
  ])("refuses a value where quoting cannot make it safe: %s", (command, context) => {
    expect(problemsOf(run(command))).toContain(`{{item}} stands in ${context}`);
  });

  it.each([
    'echo "a" {{item}}',
    "echo it\\'s {{item}}",
    "x $(cat {{item}})",
    'echo "{{index}} {{job}}"',
    "grep -q '<<<<<<<' {{item}}",
    "docker ps --format '\\{{.Names}}'",
  ])("takes %s", (command) => {
    expect(problemsOf(run(command))).toBe("");
  });

  it("takes a long chain of dependencies", () => {
    const chain = Array.from({ length: 20_000 }, (_, at) => ({
      name: `t${at}`,
      item: "x",
      dependsOn: at === 0 ? [] : [`t${at - 1}`],
    }));
    expect(problemsOf(tasks(...chain.reverse()))).toBe("");
  });
});
