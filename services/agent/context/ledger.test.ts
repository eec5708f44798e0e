import { describe, expect, it } from "vitest";
import { createLedger, type LedgerFact } from "./ledger.ts";

function after(...steps: readonly (readonly [tool: string, args: object, result?: string, isError?: boolean])[]) {
  const ledger = createLedger();
  for (const [turn, [tool, args, result = "ok", isError = false]] of steps.entries()) {
    ledger.record({ turn, tool, args, result, isError });
  }
  return ledger;
}

const keys = (facts: readonly LedgerFact[], kind: LedgerFact["kind"]) =>
  facts.filter((fact) => fact.kind === kind).map((fact) => fact.key);

describe("createLedger", () => {
  it("knows every path that a tool changed, and not those whose change failed", () => {
    const patch =
      "*** Begin Patch\n*** Add File: new.ts\n+a\n*** Update File: old.ts\n*** Move to: moved.ts\n*** Delete File: gone.ts\n*** End Patch";
    const facts = after(
      ["write", { file_path: "./a.ts", content: "" }],
      ["edit", { file_path: "b.ts" }],
      ["multi_edit", { file_path: "c.ts" }],
      ["edit", { file_path: "not.ts" }, "old_string was not found.", true],
      ["apply_patch", { input: patch }],
      ["read", { file_path: "a.ts" }],
      ["read", { file_path: "seen.ts" }],
    ).facts();
    expect(keys(facts, "changed")).toEqual(["a.ts", "b.ts", "c.ts", "new.ts", "old.ts", "moved.ts", "gone.ts"]);
    expect(keys(facts, "read")).toEqual(["seen.ts"]);
  });

  it("keeps the tests that fail now, and forgets them when the same command is green", () => {
    const red = ["bash", { command: "npm test" }, "not ok 1 - adds\nnot ok 2 - parses\n[exit code 1]", true] as const;
    expect(keys(after(red).facts(), "failing")).toEqual(["adds", "parses"]);
    const green = ["bash", { command: "npm test" }, "ok 1 - adds"] as const;
    expect(keys(after(red, green).facts(), "failing")).toEqual([]);
    const other = ["bash", { command: "ls" }, "a"] as const;
    expect(keys(after(red, other).facts(), "failing")).toEqual(["adds", "parses"]);
  });

  it("keeps the last errors word for word until the same call succeeds", () => {
    const red = [
      "bash",
      { command: "tsc" },
      "src/a.ts(3,1): error TS2304: Cannot find name 'b'.\n[exit code 2]",
      true,
    ] as const;
    expect(
      after(red)
        .facts()
        .find((fact) => fact.kind === "error")?.line,
    ).toContain("error TS2304: Cannot find name 'b'.");
    expect(keys(after(red, ["bash", { command: "tsc" }]).facts(), "error")).toEqual([]);
  });

  it("knows whether a green command is newer than the last change", () => {
    const evidence = after(
      ["edit", { file_path: "a" }],
      ["bash", { command: "npm   test" }],
      ["edit", { file_path: "b" }],
      ["bash", { command: "make" }, "[exit code 2]", true],
    ).evidence();
    expect(evidence).toEqual({
      lastChangeStep: 3,
      lastGreenCommandStep: 2,
      lastGreenCommand: "npm test",
      lastRedCommandStep: 4,
      lastRedCommand: "make",
      runs: [
        { command: "npm   test", step: 2, isGreen: true },
        { command: "make", step: 4, isGreen: false },
      ],
    });
  });

  it("keeps notes, each once, and stays bounded", () => {
    const ledger = after(...Array.from({ length: 2_000 }, (_, i) => ["write", { file_path: `f${i}` }] as const));
    const note = (text: string) =>
      ledger.record({ turn: 1, tool: "note", args: { text }, result: "Noted.", isError: false });
    for (let index = 0; index < 200; index += 1) note(`note ${index % 70}`);
    note("x".repeat(10_000));
    const facts = ledger.facts();
    expect(keys(facts, "changed")).toHaveLength(500);
    expect(keys(facts, "note")).toHaveLength(50);
    expect(Math.max(...facts.map((fact) => fact.line.length))).toBeLessThan(600);
  });
});

describe("memories", () => {
  it("are the notes that later tasks shall see, each once, the newest 20", () => {
    const noted = Array.from({ length: 25 }, (_, i) => ["note", { text: `fact ${i}`, remember: true }] as const);
    const ledger = after(
      ["note", { text: "for me" }],
      ["note", { text: "for me too", remember: null }],
      ["note", { text: "refused", remember: true }, "The note is empty.", true],
      ...noted,
      ["note", { text: "fact 24", remember: true }],
    );
    expect(ledger.memories()).toEqual(noted.slice(5).map(([, { text }]) => text));
  });
});
