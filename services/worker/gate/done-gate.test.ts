import { describe, expect, it } from "vitest";
import type { FinishClaim } from "../../agent/tools/finish.ts";
import type { Check } from "../../core/job/job.ts";
import type { CheckResult } from "../../core/task/task.ts";
import { type DoneGateDeps, judgeDone, type ProposedResult } from "./done-gate.ts";
import type { GateResult } from "./gate.ts";

const diffOf = (path: string, lines: readonly string[]) =>
  `diff --git a/${path} b/${path}\n--- a/${path}\n+++ b/${path}\n@@ -0,0 +1,${lines.length} @@\n${lines.map((line) => `+${line}\n`).join("")}`;

const result = (path: string, ...lines: string[]): ProposedResult => ({
  commit: "c",
  paths: [path],
  diff: diffOf(path, lines),
});
const check: Check = { name: "test", run: "npm test", timeoutMs: 1_000 };
const passed: CheckResult = {
  name: "test",
  status: "Passed",
  exitCode: 0,
  durationMs: 1,
  outputDigest: "",
  outputTail: "",
};
const green: GateResult = { checks: [passed], isGreen: true, message: "" };
const redGate: GateResult = {
  checks: [{ ...passed, status: "Failed" }],
  isGreen: false,
  message: 'check "test" failed',
  notice: "1 != 2",
};
const said: FinishClaim = { status: "done", summary: "All tests pass.", claims: ["npm test"] };
const evidence = {
  lastChangeStep: 1,
  lastGreenCommandStep: 2,
  lastGreenCommand: "npm test",
  lastRedCommandStep: 0,
  lastRedCommand: "",
  runs: [{ command: "cd . && npm test  -- --run", step: 2, isGreen: true }],
};

function judge(deps: Partial<DoneGateDeps<ProposedResult>>, claim: FinishClaim = said, seen = evidence) {
  const ports: DoneGateDeps<ProposedResult> = {
    rules: {},
    checks: [check],
    isTold: false,
    take: async () => result("src/a.ts", "const a = 2;"),
    brokenSyntax: async () => [],
    runChecks: async () => green,
    lookUpBase: async () => "Failed",
    ...deps,
  };
  return judgeDone(ports, claim, seen);
}

const failedGate = (verdict: Awaited<ReturnType<typeof judge>>) =>
  verdict.gates.find(({ status }) => status === "Failed")?.gate;

describe("judgeDone", () => {
  it("refuses a result that breaks a file's syntax before any check is run", async () => {
    const verdict = await judge({
      brokenSyntax: async () => ["src/a.ts"],
      runChecks: () => Promise.reject(new Error("checks ran")),
    });
    expect(failedGate(verdict)).toBe("Hygiene");
    expect(verdict.message).toContain('breaks the syntax of "src/a.ts"');
  });

  it("accepts a result whose checks are green, with a certificate", async () => {
    const verdict = await judge({});
    expect(verdict).toMatchObject({ outcome: "Done", checks: [passed] });
    expect(verdict.gates.map(({ gate, status }) => `${gate} ${status}`)).toEqual([
      "Protocol Passed",
      "Effect Passed",
      "Acceptance Passed",
      "Freshness Passed",
      "Scope Passed",
      "Hygiene Passed",
    ]);
  });

  it("gives the model the real output of a red check, whatever it claimed", async () => {
    expect(await judge({ runChecks: async () => redGate })).toMatchObject({ outcome: "GateFailed", notice: "1 != 2" });
  });

  it.each<[string, string, Partial<DoneGateDeps<ProposedResult>>]>([
    ["a path outside of writes", "Scope", { rules: { writes: [{ pattern: "docs/**", isLiteral: false }] } }],
    ["an existing test", "Scope", { take: async () => result("src/a.test.ts", "x") }],
    ["a CI file", "Scope", { take: async () => result(".github/workflows/ci.yml", "x") }],
    ["a protected file", "Scope", { rules: { protect: ["src/*.ts"] } }],
    [
      "a skipped test",
      "Scope",
      { rules: { protect: ["ci/**"] }, take: async () => result("a.test.ts", "it.skip('a')") },
    ],
    ["conflict markers", "Hygiene", { take: async () => result("a.ts", "<<<<<<< a", ">>>>>>> b") }],
  ])("refuses %s without running a check", async (_, gate, deps) => {
    const verdict = await judge({ ...deps, runChecks: () => Promise.reject(new Error("run")) });
    expect(verdict.outcome).toBe("GateFailed");
    expect(failedGate(verdict)).toBe(gate);
    expect(verdict.notice).toContain(verdict.message);
  });

  it("lets a test be changed where writes names it, or where nothing is protected", async () => {
    const take = async () => result("src/a.test.ts", "expect(a).toBe(1);");
    expect((await judge({ take, rules: { writes: [{ pattern: "src/**", isLiteral: false }] } })).outcome).toBe("Done");
    expect((await judge({ take, rules: { protect: [] } })).outcome).toBe("Done");
  });

  it("refuses a check that must be red on the base and is not", async () => {
    const checks = [{ ...check, redOnBase: true }];
    expect(await judge({ checks, lookUpBase: async () => "Passed" })).toMatchObject({ outcome: "GateFailed" });
    expect(await judge({ checks, lookUpBase: async () => "Failed" })).toMatchObject({ outcome: "Done" });
  });

  it("refuses an empty summary before it looks at anything", async () => {
    const verdict = await judge({ take: () => Promise.reject(new Error("taken")) }, { ...said, summary: " " });
    expect(failedGate(verdict)).toBe("Protocol");
  });

  it("calls no change NoChange, or AlreadyDone where the checks prove it", async () => {
    const take = async () => undefined;
    expect((await judge({ take, runChecks: async () => redGate })).outcome).toBe("NoChange");
    expect((await judge({ take, checks: [] })).outcome).toBe("NoChange");
    expect((await judge({ take })).outcome).toBe("AlreadyDone");
  });

  const quiet: FinishClaim = { ...said, summary: "Changed a.", claims: null };
  const stale = { ...evidence, lastChangeStep: 3 };
  const never = { ...evidence, lastGreenCommandStep: 0, lastGreenCommand: "", runs: [] };

  it("says when no command that the agent ran shows what it did, and lets the checks decide where it claims nothing", async () => {
    const details = await Promise.all([stale, never].map((seen) => judge({}, quiet, seen)));
    expect(details.map(({ outcome }) => outcome)).toEqual(["Done", "Done"]);
    expect(details.map(({ gates }) => gates[3])).toMatchObject([
      { status: "Unproven", detail: "it changed files after its last green command: npm test" },
      { status: "Unproven", detail: "no command that it ran shows what it claims" },
    ]);
  });

  it.each<[string, Partial<FinishClaim>, typeof evidence, string]>([
    ["a run before the last change", { claims: ["npm test"] }, stale, '"npm test" was last run before the last change'],
    ["a command that was never run", { claims: ["make check"] }, evidence, '"make check" was never run'],
    [
      "a command that failed",
      { claims: ["`npm  test`"] },
      { ...evidence, runs: [{ command: "npm test", step: 2, isGreen: false }] },
      "failed when it was last run",
    ],
    [
      "words alone",
      { summary: "Changed a. All tests pass." },
      never,
      'it says "All tests pass.", but no command succeeded',
    ],
    ["words about a run of before", { summary: "12 passed, 0 failed." }, stale, "succeeded after the last change"],
  ])("refuses a claim that rests on %s, and tells which, before a check is run", async (_, claim, seen, problem) => {
    const runChecks = () => Promise.reject(new Error("run"));
    const verdict = await judge({ runChecks }, { ...quiet, ...claim }, seen);
    expect(verdict.outcome).toBe("GateFailed");
    expect(failedGate(verdict)).toBe("Freshness");
    expect(verdict.notice).toContain(problem);
  });

  it("objects to words once, and then lets the checks decide; a claimed command must be so every time", async () => {
    const words = { ...quiet, summary: "All tests pass." };
    expect(await judge({ isTold: true }, words, never)).toMatchObject({ outcome: "Done" });
    expect(await judge({ isTold: true }, { ...words, claims: ["npm test"] }, never)).toMatchObject({
      outcome: "GateFailed",
    });
  });
});
