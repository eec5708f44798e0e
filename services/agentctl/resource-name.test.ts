import { expect, test } from "vitest";
import { fullName, parseReferences, referenceText, taskWord, UsageError } from "./resource-name.ts";

test("a resource is named with a slash or with two words, singular or plural", () => {
  expect(parseReferences(["job/a"])).toEqual([{ kind: "job", name: "a" }]);
  expect(parseReferences(["tasks", "a", "b"])).toEqual([
    { kind: "task", name: "a" },
    { kind: "task", name: "b" },
  ]);
  expect(parseReferences(["task/a", "job/b"]).map((reference) => reference.kind)).toEqual(["task", "job"]);
});

test("a verb for one kind takes the bare name, also one that is a kind's word with a slash before it", () => {
  expect(parseReferences(["a", "job/b"], "job")).toEqual([
    { kind: "job", name: "a" },
    { kind: "job", name: "b" },
  ]);
  expect(parseReferences(["job", "a"], "job")).toEqual([{ kind: "job", name: "a" }]);
  expect(parseReferences(["task"], "task")).toEqual([{ kind: "task", name: "task" }]);
  expect(parseReferences([], "job")).toEqual([]);
});

test("a task may be named with its job, which two jobs with such a task need", () => {
  const [reference] = parseReferences(["task/zod-4/a"]);
  expect(reference).toEqual({ kind: "task", job: "zod-4", name: "a" });
  if (reference === undefined) throw new Error("no reference");
  expect(fullName(reference, "default")).toBe("namespaces/default/jobs/zod-4/tasks/a");
  expect(referenceText(reference)).toBe("task/zod-4/a");
  expect(parseReferences(["zod-4/a"], "task")).toEqual([{ kind: "task", job: "zod-4", name: "a" }]);
});

test("a task that does not carry its job's name is written with it", () => {
  expect(taskWord({ job: "zod-4", name: "zod-4-src-a-ts" })).toBe("task/zod-4-src-a-ts");
  expect(taskWord({ job: "zod-4", name: "a" })).toBe("task/zod-4/a");
});

test.each([[["pod/a"]], [["job/"]], [["job/a/b"]], [["task/a/b/c"]], [[]], [["job", "task/a"]], [["constructor/x"]]])(
  "%j is refused as a mistake of usage",
  (words) => {
    expect(() => parseReferences(words)).toThrow(UsageError);
  },
);

test("a task is found by its own name in any job", () => {
  expect(fullName({ kind: "task", name: "t" }, "default")).toBe("namespaces/default/jobs/-/tasks/t");
});
