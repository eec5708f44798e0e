import { describe, expect, it } from "vitest";
import { growthMax, growthOfSixteenfold } from "../../../test/support/cpu-time.ts";
import { createLoopDetector } from "./loop-detector.ts";

function feed(names: string, resultOf: (index: number) => string = () => "same"): string[] {
  const detector = createLoopDetector();
  return [...names].map((tool, index) => {
    return detector.record({ turn: index, tool, args: {}, result: resultOf(index), isError: false }).kind;
  });
}

describe("createLoopDetector", () => {
  it("nudges at the third and stops at the fifth identical call", () => {
    expect(feed("aaaaa")).toEqual(["none", "none", "nudge", "none", "stuck"]);
  });

  it("spares the same call that sees something new each time", () => {
    expect(feed("aaaaaaaaaa", (index) => `line ${index}`)).not.toContain("nudge");
  });

  it("ignores durations and times of day in results", () => {
    expect(feed("aaaaa", (index) => `12:00:0${index} 3 passed in ${index}.25s`)).toContain("stuck");
  });

  for (const length of [2, 3, 4, 5]) {
    it(`finds cycles of ${length} calls`, () => {
      const kinds = feed("abcde".slice(0, length).repeat(5));
      expect(kinds.indexOf("nudge")).toBe(3 * length - 1);
      expect(kinds.indexOf("stuck")).toBe(5 * length - 1);
      expect(kinds.filter((kind) => kind === "nudge")).toHaveLength(1);
    });
  }

  it("does not take a cycle of 6 for a loop", () => {
    expect(new Set(feed("abcdef".repeat(6)))).toEqual(new Set(["none"]));
  });

  it("stops at the fourth identical call that fails", () => {
    const detector = createLoopDetector();
    const kinds = [1, 2, 3, 4].map((turn) => {
      return detector.record({ turn, tool: "edit", args: {}, result: "not found", isError: true }).kind;
    });
    expect(kinds).toEqual(["none", "none", "nudge", "stuck"]);
  });

  it("starts again when the streak is broken", () => {
    expect(feed("aaaaba")).toEqual(["none", "none", "nudge", "none", "none", "none"]);
  });

  it("does not depend on the order of argument names", () => {
    const detector = createLoopDetector();
    const kinds = [0, 1, 2].map((turn) => {
      const args = turn === 1 ? { b: { y: 1, x: 2 }, a: 1 } : { a: 1, b: { x: 2, y: 1 } };
      return detector.record({ turn, tool: "read", args, result: "r", isError: false }).kind;
    });
    expect(kinds.at(-1)).toBe("nudge");
  });

  it("is stuck only after the model has had a turn to see the nudge", () => {
    const detector = createLoopDetector();
    const step = (turn: number) => detector.record({ turn, tool: "read", args: {}, result: "r", isError: false }).kind;
    expect([1, 1, 1, 1, 1, 1, 1].map(step)).not.toContain("stuck");
    expect(step(2)).toBe("stuck");
  });

  it("takes no longer than linear time on a long run of digits", async () => {
    const record = (digits: number) => feed("aaa", () => "1".repeat(digits));
    expect(await growthOfSixteenfold(50_000, record)).toBeLessThan(growthMax);
  });
});
