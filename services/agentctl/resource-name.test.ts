import { expect, test } from "vitest";
import { fullName, parseReferences, UsageError } from "./resource-name.ts";

test("a resource is named with a slash or with two words, singular or plural", () => {
  expect(parseReferences(["job/a"])).toEqual([{ kind: "job", name: "a" }]);
  expect(parseReferences(["tasks", "a", "b"])).toEqual([
    { kind: "task", name: "a" },
    { kind: "task", name: "b" },
  ]);
  expect(parseReferences(["task/a", "job/b"]).map((reference) => reference.kind)).toEqual(["task", "job"]);
});

test.each([[["pod/a"]], [["job/"]], [["job/a/b"]], [[]], [["job", "task/a"]], [["constructor/x"]]])(
  "%j is refused as a mistake of usage",
  (words) => {
    expect(() => parseReferences(words)).toThrow(UsageError);
  },
);

test("a task is found by its own name in any job", () => {
  expect(fullName({ kind: "task", name: "t" }, "default")).toBe("namespaces/default/jobs/-/tasks/t");
});
