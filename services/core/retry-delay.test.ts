import { expect, it } from "vitest";
import { retryDelayMs } from "./retry-delay.ts";

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
