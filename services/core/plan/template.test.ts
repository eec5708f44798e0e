import { execFileSync } from "node:child_process";
import { describe, expect, it } from "vitest";
import { admitJob } from "../job/admission/job-admission.ts";
import type { Job, PlannedItem } from "../job/job.ts";
import { noUsage } from "../resource.ts";
import { type Task, unclaimedStatus } from "../task/task.ts";
import { pathsOutOfScope } from "../task/write-scope.ts";
import { planItems } from "./plan-items.ts";
import { renderRun, renderTask, renderText, renderWrite } from "./template.ts";

const hostile = [
  "app/[id]/page.tsx",
  "$(touch pwned)",
  "`touch pwned`",
  `it's "quoted".ts`,
  "two\nlines.ts",
  "-rf",
  "a b\tc",
  "{a,b}.ts",
  "!(x).ts",
  "back\\slash*.ts",
  "ünï/日本.ts",
  "app/(group)/$slug.tsx",
  "'; touch pwned; '",
];
const values = (item: string) => ({ item, index: 3, job: "zod-4", matrix: { os: item } });

function job(): Job {
  const admission = admitJob({
    name: "zod-4",
    spec: {
      repository: { url: "." },
      plan: { forEach: { lines: ["src/a.ts", "src/b.ts"] } },
      template: {
        prompt: "Migrate {{item}} ({{index}}).",
        writes: ["{{item}}", "docs/{{job}}/**"],
        checks: [{ name: "test", run: "npm test -- {{item}}" }],
      },
    },
  });
  if (admission.job === undefined) throw new Error(JSON.stringify(admission.problems));
  const { spec, ...names } = admission.job;
  const metadata = { ...names, uid: "7c0d", generation: 1, createdAtMs: 0 };
  const counts = { pending: 0, running: 0, merging: 0, succeeded: 0, failed: 0, cancelled: 0 };
  const base = { commit: "c0", ref: "main", summary: "first" };
  const status = {
    observedGeneration: 1,
    conditions: [],
    base,
    baseBundle: "b",
    counts,
    usage: noUsage,
    reopened: 0,
    traceId: "",
    specDigest: "",
  };
  return { kind: "Job", metadata, spec, status };
}

function task(item: PlannedItem): Task {
  const { metadata, spec } = { metadata: job().metadata, spec: item };
  return {
    kind: "Task",
    metadata: { ...metadata, name: item.name },
    job: "zod-4",
    spec: { kind: "Agent", dependsOn: [], ...spec },
    status: unclaimedStatus,
  };
}

describe("templates", () => {
  it.each(hostile)("give a shell exactly the value of %j as one word", (item) => {
    const output = execFileSync("/bin/sh", [
      "-c",
      renderRun("printf '%s|' x {{item}} {{ matrix.os }} {{index}}", values(item)),
    ]);
    expect(output.toString()).toBe(`x|${item}|${item}|3|`);
  });

  it.each(hostile)("let a write rule for %j match that path and nothing else", (item) => {
    const alone = renderWrite("{{item}}", values(item));
    expect(alone).toEqual({ pattern: item, isLiteral: true });
    const inside = renderWrite("out/{{item}}.*", values(item));
    expect(inside.isLiteral).toBe(false);
    expect(pathsOutOfScope([`out/${item}.js`, item], [alone, inside])).toEqual([]);
    expect(pathsOutOfScope(["out/other.js", "app/i/page.tsx", "a.ts", "x.ts"], [alone, inside])).toHaveLength(4);
  });

  it("keep parentheses of a write rule literal", () => {
    const rule = renderWrite("./app/(group)/**", values("x"));
    expect(pathsOutOfScope(["app/(group)/a.ts", "app/group/a.ts"], [rule])).toEqual(["app/group/a.ts"]);
  });

  it("turn \\{{ into two braces and leave single braces alone", () => {
    expect(renderText("\\{{x}} {a} {{{item}}}", values("v"))).toBe("{{x}} {a} {v}");
  });

  it("do not expand variables inside a value", () => {
    expect(renderText("{{item}}", values("{{job}}"))).toBe("{{job}}");
  });

  it("asks no value of a matrix for a task of agentd's own, which has none", () => {
    const base = job();
    const ofMatrix: Job = {
      ...base,
      spec: { ...base.spec, template: { ...base.spec.template, prompt: "On {{matrix.os}}" } },
    };
    const verify: Task = {
      ...task({ name: "agentd--verify-0", index: 0, item: "" }),
      spec: { kind: "Verify", index: 0, item: "", dependsOn: [] },
    };
    expect(renderTask(ofMatrix, verify)).toMatchObject({ prompt: "", checks: [] });
  });

  it("share the job's text, byte for byte, between its tasks", () => {
    const items = planItems("zod-4", job().spec.plan, {});
    const [a, b] = items.map((item) => renderTask(job(), task(item)));
    expect(a?.jobText).toBe(b?.jobText);
    expect(a?.jobText).toContain("npm test -- {{item}}");
    expect(a?.taskText).toContain("Migrate src/a.ts (0).");
    expect(a?.taskText).toContain("npm test -- 'src/a.ts'");
    expect(a?.writes?.map(({ pattern }) => pattern)).toEqual(["src/a.ts", "docs/zod-4/**"]);
    expect(b?.taskText).not.toContain("src/a.ts");
  });
});
