import { describe, expect, it } from "vitest";
import type { Plan } from "../job/job.ts";
import { taskNames } from "../task/task-name.ts";
import { isDnsLabel } from "../text/names.ts";
import { emptyPlan, outputLines, planItems, restorePlan } from "./plan-items.ts";

describe("taskNames", () => {
  it("join the job and a slug of the item", () => {
    expect(taskNames("zod-4", ["src/a.ts", "src/B.test.ts"])).toEqual(["zod-4-src-a-ts", "zod-4-src-b-test-ts"]);
  });

  it("are unique DNS labels for whatever items, and the same every time", () => {
    const items = [
      "a/b.ts",
      "a-b.ts",
      "a b ts",
      "日本.ts",
      "日本.ts",
      "語",
      "$(x)",
      "",
      `${"x/".repeat(60)}y.ts`,
      "A/B.ts",
    ];
    const job = "j".repeat(63);
    for (const name of [...taskNames("job", items), ...taskNames(job, items)])
      expect(isDnsLabel(name), name).toBe(true);
    expect(new Set(taskNames("job", items)).size).toBe(items.length);
    expect(new Set(taskNames(job, items)).size).toBe(items.length);
    expect(taskNames("job", items)).toEqual(taskNames("job", items));
  });

  it("do not change for other items when one is added that is alone with its slug", () => {
    const few = taskNames("job", ["a/b", "a-b", "c"]);
    expect(taskNames("job", ["a/b", "a-b", "c", "d"]).slice(0, 3)).toEqual(few);
    expect(few[2]).toBe("job-c");
    expect(few[0]).toMatch(/^job-a-b-[0-9a-f]{6}$/);
  });

  it("name 100,000 equal items in linear time", () => {
    const names = taskNames(
      "job",
      Array.from({ length: 100_000 }, () => "same"),
    );
    expect(new Set(names).size).toBe(100_000);
  });
});

describe("planItems", () => {
  it("match a glob in one order whatever order git lists, with exact names of odd files", () => {
    const plan: Plan = { kind: "glob", glob: "src/**/*.ts", exclude: ["**/*.test.ts"] };
    const files = ["src/b.ts", "src/a.ts", "src/a.test.ts", "src/.hidden.ts", "src/x/[id].ts", "README.md"];
    const items = planItems("job", plan, { files });
    expect(items.map(({ item }) => item)).toEqual(["src/a.ts", "src/b.ts", "src/x/[id].ts"]);
    expect(items).toEqual(planItems("job", plan, { files: files.reverse() }));
    const exact = planItems("job", { kind: "glob", glob: "src/x/[id].ts", exclude: [] }, { files });
    expect(exact.map(({ item }) => item)).toEqual(["src/x/[id].ts"]);
  });

  it("treat parentheses in a glob as part of the name", () => {
    const files = ["app/(shop)/page.tsx", "app/shop/page.tsx"];
    const items = planItems("job", { kind: "glob", glob: "app/(shop)/**", exclude: [] }, { files });
    expect(items.map(({ item }) => item)).toEqual(["app/(shop)/page.tsx"]);
  });

  it("make the cross product of a matrix with the first key slowest", () => {
    const items = planItems("job", { kind: "matrix", matrix: { os: ["linux", "mac"], node: ["18", "20"] } }, {});
    expect(items.map(({ item }) => item)).toEqual([
      "os=linux,node=18",
      "os=linux,node=20",
      "os=mac,node=18",
      "os=mac,node=20",
    ]);
    expect(items[1]).toMatchObject({ name: "job-os-linux-node-20", index: 1, matrix: { os: "linux", node: "20" } });
  });

  it.each<[string, Plan]>([
    [
      "tasks",
      {
        kind: "tasks",
        tasks: [
          { name: "a", dependsOn: [], prompt: "x" },
          { name: "b", dependsOn: ["a"], item: "i", priority: 2 },
        ],
      },
    ],
    ["lines", { kind: "lines", lines: ["b", "a", "b"] }],
    ["matrix", { kind: "matrix", matrix: { os: ["x", "y"], n: ["2", "1"] } }],
  ])("keep %s in the item list well enough to give the plan back", (_, plan) => {
    expect(restorePlan(emptyPlan(plan), planItems("job", plan, {}))).toEqual(plan);
  });
});

describe("outputLines", () => {
  const lines = (text: string | Uint8Array) =>
    outputLines(typeof text === "string" ? new TextEncoder().encode(text) : text);
  it("take one item a line, or one a NUL where there is any", () => {
    expect(lines("a\r\nb c\n\n").lines).toEqual(["a", "b c"]);
    expect(lines("a\nb\0c\0").lines).toEqual(["a\nb", "c"]);
  });
  it.each([
    ["nothing", "\n \n"],
    ["no UTF-8", new Uint8Array([255, 10])],
    ["a huge line", "x".repeat(5_000)],
    ["too many lines", "x\n".repeat(100_001)],
  ])("refuse %s", (_, text) => {
    expect(lines(text).problem).toBeTypeOf("string");
  });
});
