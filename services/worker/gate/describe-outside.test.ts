import { expect, it } from "vitest";
import { describeOutside } from "./describe-outside.ts";

it("shows hostile names quoted and long lists cut", () => {
  const many = Array.from({ length: 12 }, (_, index) => `f${index}\n`);
  const message = describeOutside(many, [{ pattern: "a", isLiteral: true }]);
  expect(message).toContain('"f0\\n"');
  expect(message).toContain("and 2 more");
});
