import { describe, expect, it } from "vitest";
import { isBackOffOver, retryDelayMs } from "./retry-delay.ts";

it.each([
  ["Infra", 0, 1_000],
  ["Infra", 1, 2_000],
  ["RateLimited", 5, 32_000],
  ["RateLimited", 6, 60_000],
  ["Infra", 10_000, 60_000],
  ["LeaseLost", 0, 0],
  ["LeaseLost", 1, 2_000],
  ["GateFailed", 9, 0],
  ["MergeConflict", 9, 0],
] as const)("waits after %s with %i ends before it for %i ms, give or take 30 %%", (outcome, before, expected) => {
  expect(retryDelayMs(outcome, before, () => 0.5)).toBe(expected);
  expect(retryDelayMs(outcome, before, () => 0)).toBe(Math.round(expected * 0.7));
  expect(retryDelayMs(outcome, before, () => 0.999_999_999)).toBe(Math.round(expected * 1.3));
});

describe("isBackOffOver", () => {
  it("waits for the time that was written, but not for one that only a clock set back explains", () => {
    const nowMs = 1_000_000;
    expect(isBackOffOver(nowMs + 1, nowMs)).toBe(false);
    expect(isBackOffOver(nowMs + 78_000, nowMs)).toBe(false);
    expect(isBackOffOver(nowMs, nowMs)).toBe(true);
    expect(isBackOffOver(nowMs + 3_600_000, nowMs)).toBe(true);
  });
});
