import { expect, it } from "vitest";
import { growthMax, growthOfSixteenfold } from "../../../../test/support/cpu-time.ts";
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

it.each(["x", "\r", "\u001b[", "\u001b]0;", "x\r", "\u0000"])(
  "takes linear time on any amount of %j",
  async (piece) => {
    const clean = (bytes: number) => cleanOutput(piece.repeat(bytes / piece.length));
    expect(await growthOfSixteenfold(60_000, clean)).toBeLessThan(growthMax);
  },
);
