import { expect, it } from "vitest";
import { pathsOutOfScope } from "./write-scope.ts";

const glob = (pattern: string) => ({ pattern, isLiteral: false });
const literal = (pattern: string) => ({ pattern, isLiteral: true });

it("allows anything without patterns, nothing with an empty list, and names each path that no pattern does", () => {
  expect(pathsOutOfScope(["a", "b/c"], undefined)).toEqual([]);
  expect(pathsOutOfScope(["a"], [])).toEqual(["a"]);
  expect(pathsOutOfScope(["src/a.ts", "x", "y"], [glob("src/*"), literal("x")])).toEqual(["y"]);
});

it.each([
  ["src/a.ts", [glob("src/**")], true],
  ["src/.hidden/a", [glob("src/**")], true],
  ["lib/a.ts", [glob("src/**")], false],
  ["app/[id]/page.tsx", [literal("app/[id]/page.tsx")], true],
  ["app/i/page.tsx", [literal("app/[id]/page.tsx")], false],
  ["app/i/page.tsx", [glob("app/[id]/page.tsx")], true],
  ["$(x)", [literal("$(x)")], true],
  ["a\nb", [literal("a\nb")], true],
  ["anything", [glob("!src/**")], false],
  ["src/b.ts", [glob("docs/**"), literal("src/b.ts")], true],
] as const)("judges %j against %j as %s", (path, patterns, isAllowed) => {
  expect(pathsOutOfScope([path], patterns)).toEqual(isAllowed ? [] : [path]);
});
