import { expect, it } from "vitest";
import { growthMax, growthOfSixteenfold } from "../../../test/support/cpu-time.ts";
import { testFailures } from "./test-failures.ts";

it.each([
  [
    "pytest",
    "FAILED tests/test_a.py::test_b - AssertionError: 1 != 2\n== 1 failed, 3 passed ==",
    ["tests/test_a.py::test_b"],
  ],
  ["go", "=== RUN TestA\n    --- FAIL: TestA/empty (0.00s)\n--- FAIL: TestA (0.01s)\nFAIL", ["TestA/empty", "TestA"]],
  ["cargo", "test parse::empty ... FAILED\ntest parse::one ... ok", ["parse::empty"]],
  ["vitest", " FAIL  src/a.test.ts > adds > two numbers\n", ["src/a.test.ts > adds > two numbers"]],
  ["jest", "FAIL src/a.test.js\n  ✕ adds (3 ms)\n", ["src/a.test.js", "adds"]],
  ["TAP", "ok 1 - a\nnot ok 2 - b c\n", ["b c"]],
  ["node:test", "✖ rejects an empty file (0.52ms)\n✔ other (0.1ms)", ["rejects an empty file"]],
  ["unittest", "FAIL: test_a (tests.T)\n", ["test_a (tests.T)"]],
  ["nothing that failed", "12 passed\n", []],
])("finds the failing tests of %s", (_, output, names) => {
  expect(testFailures(output)).toEqual(names);
});

it("lists each once, and not without end", () => {
  expect(testFailures("not ok 1 - a\nnot ok 1 - a\n")).toEqual(["a"]);
  expect(testFailures(Array.from({ length: 500 }, (_, i) => `not ok ${i} - t${i}`).join("\n"))).toHaveLength(50);
});

it("takes linear time on hostile output", async () => {
  const read = (size: number) => testFailures(`FAILED ${"a ".repeat(size)}\n${" ".repeat(size)}`);
  expect(await growthOfSixteenfold(100_000, read)).toBeLessThan(growthMax);
});
