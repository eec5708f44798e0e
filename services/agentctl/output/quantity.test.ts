import { expect, test } from "vitest";
import { formatAge, formatCount } from "./quantity.ts";

test.each([
  [0, "0s"],
  [41_000, "41s"],
  [180_000, "3m"],
  [161_000, "2m41s"],
  [3_600_000, "60m"],
  [5 * 3_600_000, "5h"],
  [50 * 3_600_000, "2d"],
  [-5, "0s"],
])("%d ms is %s", (ms, text) => {
  expect(formatAge(ms)).toBe(text);
});

test.each([
  [999, "999"],
  [21_400, "21k"],
  [999_499, "999k"],
  [999_500, "1.0M"],
  [1_234_567n, "1.2M"],
])("%s tokens are %s", (count, text) => {
  expect(formatCount(count)).toBe(text);
});
