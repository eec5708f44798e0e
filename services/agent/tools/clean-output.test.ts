import { expect, it } from "vitest";
import { cleanOutput } from "./clean-output.ts";

it.each([
  ["plain\ttext\n", "plain\ttext\n"],
  ["\u001b[31mred\u001b[0m \u001b]0;title\u0007x", "red x"],
  ["10 %\r50 %\r100 %\ndone\r\n", "100 %\ndone\n"],
  ["a\u0000b\u0007c\u007f", "a\\x00b\\x07c\\x7f"],
  ["\ud800", "\ufffd"],
])("shows %j as %j", (text, shown) => {
  expect(cleanOutput(text)).toBe(shown);
});

it("takes linear time on a megabyte of anything", () => {
  const startedAt = performance.now();
  for (const piece of ["x", "\r", "\u001b[", "\u001b]0;", "x\r", "\u0000"])
    cleanOutput(piece.repeat(1_000_000 / piece.length));
  expect(performance.now() - startedAt).toBeLessThan(5_000);
});
