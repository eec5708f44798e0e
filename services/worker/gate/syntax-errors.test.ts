import { expect, it } from "vitest";
import { treeSitterCheck } from "../../agent/edit/syntax-check.ts";
import { brokenSyntax } from "./syntax-errors.ts";

/** What is broken of one file, whose blobs are named by their text. */
async function brokenOf(path: string, before: string, after: string, more: { clockMs?: number } = {}) {
  let nowMs = 0;
  const read: string[] = [];
  const deps = {
    syntax: treeSitterCheck,
    readBlob: async (object: string) => {
      read.push(object);
      return Buffer.from(object);
    },
    monotonicMs: () => (nowMs += more.clockMs ?? 0),
  };
  const file = { path, kind: "changed", addedLines: [], removedLines: [], blobs: { before, after } } as const;
  return { broken: await brokenSyntax(deps, [file]), read: read.length };
}

it.each([
  ["a.ts", "const a = 1;\n", "const a = ;\n"],
  ["a.py", "def f():\n    return 1\n", "def f(:\n    return 1\n"],
  ["a.go", "package a\n", "package a\nfunc {\n"],
  ["a.sh", "echo a\n", "if true; then\n"],
])("a parser no longer understands %s", async (path, before, after) => {
  expect((await brokenOf(path, before, after)).broken).toEqual([path]);
});

it.each([
  ["a change that parses", "a.ts", "const a = 1;\n", "const a = 2;\n"],
  ["what was broken before", "a.ts", "const = 1;\n", "const a = ;\n"],
  ["an unknown language", "a.txt", "a", "(("],
  ["a language whose grammar guesses", "a.c", "int a;\n", "int (\n"],
])("%s is no fault", async (_what, path, before, after) => {
  expect((await brokenOf(path, before, after)).broken).toEqual([]);
});

it("reads the base only where the result does not parse, and nothing once the time is up", async () => {
  expect((await brokenOf("a.ts", "const a = 1;\n", "const a = 2;\n")).read).toBe(1);
  expect(await brokenOf("a.ts", "const a = 1;\n", "const a = ;\n", { clockMs: 3_000 })).toEqual({
    broken: [],
    read: 0,
  });
});
