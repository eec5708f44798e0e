import { expect, test } from "vitest";
import { inBatches } from "./in-batches.ts";

test("what is asked for during one run is done together by the next", async () => {
  const runs: (readonly number[])[] = [];
  const gate = Promise.withResolvers<void>();
  const add = inBatches<number>(async (items) => {
    runs.push(items);
    await gate.promise;
  });
  const all = [1, 2, 3].map((item) => add(item));
  gate.resolve();
  await Promise.all(all);
  await add(4);
  expect(runs).toEqual([[1], [2, 3], [4]]);
});

test("one that fails does not fail those of its run", async () => {
  const add = inBatches<number>(async (items) => {
    await Promise.resolve();
    if (items.includes(3)) throw new Error("three");
  });
  const ends = await Promise.allSettled([1, 2, 3, 4].map((item) => add(item)));
  expect(ends.map(({ status }) => status)).toEqual(["fulfilled", "fulfilled", "rejected", "fulfilled"]);
});
