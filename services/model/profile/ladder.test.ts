import { describe, expect, test } from "vitest";
import type { Rung } from "../chat.ts";
import { createLadder, type RungVerdict } from "./ladder.ts";

function ladderFrom(first: Rung) {
  const clock = { nowMs: 0 };
  const starts: Rung[] = [];
  const ladder = createLadder({ first, now: () => clock.nowMs, onStart: (rung) => starts.push(rung) });
  const answer = (key: string, ...verdicts: RungVerdict[]) => {
    for (const verdict of verdicts) ladder.report(key, ladder.rungFor(key), verdict);
  };
  return { clock, starts, ladder, answer };
}
const many = (verdict: "good" | "bad", count: number) => Array.from({ length: count }, () => verdict);

describe("one conversation", () => {
  test("climbs a rung after two bad answers in a row, to the last one and no further", () => {
    const { ladder, answer } = ladderFrom("auto");
    const seen = Array.from({ length: 10 }, () => {
      const rung = ladder.rungFor("a");
      answer("a", "bad");
      return rung;
    });
    expect(seen).toEqual([
      "auto",
      "auto",
      "required",
      "required",
      "envelope",
      "envelope",
      "text",
      "text",
      "text",
      "text",
    ]);
    expect(ladder.rungFor("b")).toBe("auto");
  });

  test("climbs at once where the server ignores that a call is required, but not from the last rung", () => {
    const { ladder, answer } = ladderFrom("required");
    answer("a", "ignored");
    expect(ladder.rungFor("a")).toBe("envelope");
    answer("a", "ignored");
    expect(ladder.rungFor("a")).toBe("text");
    answer("a", "ignored");
    expect(ladder.rungFor("a")).toBe("text");
  });

  test("does not climb for bad answers with a good one between them, nor for those that say nothing", () => {
    const { ladder, answer } = ladderFrom("auto");
    answer("a", "bad", "good", "bad", "neutral", "good", "bad");
    expect(ladder.rungFor("a")).toBe("auto");
  });

  test("comes down by one after a dozen good answers", () => {
    const { ladder, answer } = ladderFrom("auto");
    answer("a", "bad", "bad", "bad", "bad");
    expect(ladder.rungFor("a")).toBe("envelope");
    answer("a", ...many("good", 11));
    expect(ladder.rungFor("a")).toBe("envelope");
    answer("a", "good");
    expect(ladder.rungFor("a")).toBe("required");
    answer("a", ...many("good", 12));
    expect(ladder.rungFor("a")).toBe("auto");
  });
});

describe("all conversations of a model", () => {
  test("start higher once half of the answers at the start are bad, and an old one does not stay below", () => {
    const { ladder, starts, answer } = ladderFrom("auto");
    answer("old", "good");
    for (let key = 0; key < 9; key += 1) answer(`k${key}`, key % 2 === 0 ? "bad" : "good");
    expect(starts).toEqual(["required"]);
    expect(ladder.rungFor("new")).toBe("required");
    expect(ladder.rungFor("old")).toBe("required");
  });

  test("do not start higher because of one that went astray", () => {
    const { ladder, answer } = ladderFrom("auto");
    for (let round = 0; round < 20; round += 1) ladder.report("astray", "auto", "bad");
    answer("other", "good");
    expect(ladder.start).toBe("auto");
  });

  test("come down by a rung after ten minutes, but not below the profile's first", () => {
    const { clock, ladder, answer } = ladderFrom("required");
    for (let key = 0; key < 10; key += 1) answer(`k${key}`, "bad");
    expect(ladder.start).toBe("envelope");
    clock.nowMs += 10 * 60_000 - 1;
    expect(ladder.start).toBe("envelope");
    clock.nowMs += 1;
    expect(ladder.start).toBe("required");
    clock.nowMs += 60 * 60_000;
    expect(ladder.rungFor("new")).toBe("required");
  });
});
