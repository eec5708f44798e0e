import { describe, expect, it } from "vitest";
import { describeOutside, outsideWrites } from "./write-scope.ts";

const literal = (pattern: string) => ({ pattern, isLiteral: true });
const glob = (pattern: string) => ({ pattern, isLiteral: false });

describe("outsideWrites", () => {
  it.each([
    ["anything when no scope is given", ["a", "b/c"], undefined, []],
    ["a literal path that looks like a glob", ["app/[id]/page.tsx"], [literal("app/[id]/page.tsx")], []],
    [
      "not what a literal would match as a glob",
      ["app/i/page.tsx"],
      [literal("app/[id]/page.tsx")],
      ["app/i/page.tsx"],
    ],
    ["globs, dot files included", ["src/.env.ts", "src/a/b.ts"], [glob("src/**/*.ts")], []],
    ["each path that no pattern names", ["src/a.ts", "x", "y"], [glob("src/*"), literal("x")], ["y"]],
    ["nothing when the scope is empty", ["a"], [], ["a"]],
    ["paths behind ./", ["a.ts"], [literal("./a.ts")], []],
  ])("allows %s", (_, changed, writes, outside) => {
    expect(outsideWrites(changed, writes)).toEqual(outside);
  });

  it("shows hostile names quoted and long lists cut", () => {
    const many = Array.from({ length: 12 }, (_, index) => `f${index}\n`);
    const message = describeOutside(many, [literal("a")]);
    expect(message).toContain('"f0\\n"');
    expect(message).toContain("and 2 more");
  });
});
