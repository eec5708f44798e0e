import { describe, expect, it } from "vitest";
import { saidToPass, unprovenClaims } from "./claims.ts";
import { createLedger } from "./ledger.ts";

describe("claims against the ledger", () => {
  it("are judged by the last run of their command and the last change", () => {
    const ledger = createLedger();
    const step = (tool: string, args: unknown, isError = false) =>
      ledger.record({ turn: 1, tool, args, result: "x", isError });
    const unproven = (...claims: string[]) => {
      const { runs, lastChangeStep } = ledger.evidence();
      return unprovenClaims(claims, runs, lastChangeStep).map(({ kind }) => kind);
    };
    step("bash", { command: "npm test 2>&1 | tail -5" }, true);
    expect(unproven("npm test")).toEqual(["failed"]);
    step("edit", { file_path: "a.ts" });
    step("bash", { command: "npm test 2>&1 | tail -5" });
    step("bash", { command: "npx tsc" });
    expect(unproven("$ npm test", "`npx tsc`", "cd /repo && npx tsc", "make", "")).toEqual(["never"]);
    step("write", { file_path: "b.ts" });
    expect(unproven("npm test")).toEqual(["stale"]);
  });

  it.each([
    ["I changed a.\nAll tests pass now.", "All tests pass now."],
    ["Output: 12 passed, 0 failed. Exit code 0.", "Output: 12 passed, 0 failed."],
    ["The test suite succeeded.", "The test suite succeeded."],
    ["Fixed it; the build and lint are green.", "Fixed it; the build and lint are green."],
  ])("find in %j what is said to have passed", (summary, said) => {
    expect(saidToPass(summary)).toBe(said);
  });

  it.each([
    "Replaced zod 3 by zod 4 in a.ts.",
    "I could not run the tests, so I do not know whether they pass.",
    "The tests should pass.",
    "Run the tests before you merge; once they pass, deploy.",
    "Made the failing test pass a Map instead of an object.",
    "Simulated model: ran node test/a.js; replaced text in a.js.",
  ])("find nothing in %j", (summary) => {
    expect(saidToPass(summary)).toBeUndefined();
  });
});
