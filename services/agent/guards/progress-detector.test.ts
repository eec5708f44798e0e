import { describe, expect, it } from "vitest";
import type { Step } from "./observation.ts";
import { createProgressDetector } from "./progress-detector.ts";

/** Verdicts of steps, one turn each. */
function feed(count: number, stepAt: (index: number) => Partial<Step>): string[] {
  const detector = createProgressDetector();
  return Array.from({ length: count }, (_, turn) => {
    return detector.record({ turn, tool: "grep", args: { turn }, result: "No match.", isError: false, ...stepAt(turn) })
      .kind;
  });
}

describe("createProgressDetector", () => {
  it("nudges after 12 calls that brought nothing new, and stops after 20", () => {
    const kinds = feed(21, () => ({}));
    expect(kinds.indexOf("nudge")).toBe(12);
    expect(kinds.indexOf("stuck")).toBe(20);
    expect(kinds.filter((kind) => kind === "nudge")).toHaveLength(1);
  });

  it.each<[string, (index: number) => Partial<Step>]>([
    ["results that differ", (index) => ({ result: `line ${index}` })],
    ["edits, though each says the same", () => ({ tool: "edit", result: "Edited." })],
    ["new commands that say nothing", (index) => ({ tool: "bash", args: { command: `sed -i s/${index}//` } })],
  ])("takes %s for progress", (_, stepAt) => {
    expect(new Set(feed(60, stepAt))).toEqual(new Set(["none"]));
  });

  it("takes failing edits with the same message for no progress", () => {
    expect(feed(25, () => ({ tool: "edit", result: "old_string was not found.", isError: true }))).toContain("stuck");
  });

  it("starts again after one step that brought something", () => {
    const kinds = feed(24, (index) => (index === 12 ? { result: "found" } : {}));
    expect(kinds).not.toContain("stuck");
  });

  it("is stuck only after the model has had a turn to see the nudge", () => {
    const detector = createProgressDetector();
    const step = (turn: number, index: number) =>
      detector.record({ turn, tool: "grep", args: { index }, result: "No match.", isError: false }).kind;
    expect(Array.from({ length: 30 }, (_, index) => step(1, index))).not.toContain("stuck");
    expect(step(2, 31)).toBe("stuck");
  });
});
