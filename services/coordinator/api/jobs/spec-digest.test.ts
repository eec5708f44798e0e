import { expect, it } from "vitest";
import { sampleJobSpec } from "../../../../test/support/resource-samples.ts";
import type { Plan } from "../../../core/job/job.ts";
import { fixedChanges } from "./spec-digest.ts";

it.each<[string, Plan, Plan]>([
  [
    "spec.plan.forEach.matrix",
    { kind: "matrix", matrix: { os: ["a"] } },
    { kind: "matrix", matrix: { os: ["a", "b"] } },
  ],
  ["spec.plan.forEach.lines", { kind: "lines", lines: ["a"] }, { kind: "lines", lines: ["b"] }],
  ["spec.plan.forEach.exclude", { kind: "glob", glob: "*", exclude: [] }, { kind: "glob", glob: "*", exclude: ["a"] }],
  ["spec.plan.forEach.command", { kind: "command", run: "ls" }, { kind: "command", run: "ls -a" }],
  ["spec.plan.tasks", { kind: "tasks", tasks: [] }, { kind: "tasks", tasks: [{ name: "a", dependsOn: [] }] }],
  ["spec.plan", { kind: "lines", lines: ["a"] }, { kind: "command", run: "ls" }],
])("a change of %s is named as the user wrote it", (path, before, after) => {
  expect(fixedChanges(sampleJobSpec({ plan: before }), sampleJobSpec({ plan: after }))).toEqual([path]);
});
