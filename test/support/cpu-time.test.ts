import { expect, it } from "vitest";
import { growthMax, growthOfSixteenfold } from "./cpu-time.ts";

/** Keeps the loops from being optimised away. */
let sink = 0;

function linear(size: number): void {
  for (let at = 0; at < size; at += 1) sink = (sink * 31 + at) | 0;
}

it.each([
  ["linear", linear, 100_000],
  ["linear, each run too quick to be measured", linear, 1_000],
  [
    "n log n",
    (size: number) => Array.from({ length: size }, (_, at) => (at * 7_919) % 65_537).sort((a, b) => a - b),
    1_000,
  ],
  ["constant", () => linear(1_000), 1_000],
] as const)("%s time stays below the limit", async (_, run, size) => {
  expect(await growthOfSixteenfold(size, run)).toBeLessThan(growthMax);
});

it.each([
  ["a loop in a loop", (size: number) => linear(size * size), 200],
  ["a list searched for each of its members", (size: number) => Array.from({ length: size }, listed).length, 200],
  ["a regular expression that goes back", (size: number) => / +x/.test(" ".repeat(size)), 200],
] as const)("quadratic time is above it: %s", async (_, run, size) => {
  expect(await growthOfSixteenfold(size, run)).toBeGreaterThan(growthMax);
});

const seen: number[] = [];

function listed(_: unknown, at: number): void {
  if (at === 0) seen.length = 0;
  if (!seen.includes(at)) seen.push(at);
}
