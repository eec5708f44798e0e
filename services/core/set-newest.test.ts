import { expect, it } from "vitest";
import { setNewest } from "./set-newest.ts";

it("keeps what was set last, and drops the oldest above the bound", () => {
  const map = new Map<string, number>();
  for (const [at, key] of ["a", "b", "a", "c"].entries()) setNewest(map, key, at, 2);
  expect([...map]).toEqual([
    ["a", 2],
    ["c", 3],
  ]);
  setNewest(map, "a", 4, 1);
  expect([...map]).toEqual([["a", 4]]);
});
