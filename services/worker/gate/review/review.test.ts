import { describe, expect, it } from "vitest";
import { type ChangedFile, readDiff } from "./changed-file.ts";
import { debrisIn } from "./hygiene.ts";
import { reviewResult } from "./review.ts";
import { isProtectedFile, isTestFile } from "./test-files.ts";
import { weakenedTests } from "./weakened-tests.ts";

const changed = (
  path: string,
  addedLines: string[],
  removedLines: string[] = [],
  kind: ChangedFile["kind"] = "changed",
) => ({
  path,
  kind,
  addedLines,
  removedLines,
});

describe("readDiff", () => {
  it("knows the objects of regular files that are on both sides", () => {
    const [before, after] = ["1".repeat(40), "2".repeat(40)];
    const blobsAt = (index: string) =>
      readDiff(["diff --git a/a.ts b/a.ts", index, "--- a/a.ts", "+++ b/a.ts", "@@ -1 +1 @@", "-a", "+b"].join("\n"))[0]
        ?.blobs;
    expect(blobsAt(`index ${before}..${after} 100644`)).toEqual({ before, after });
    expect(blobsAt(`index ${before}..${after} 120000`)).toBeUndefined();
    expect(blobsAt(`index ${before}..${after}`)).toBeUndefined();
  });

  it("reads added, changed, deleted, binary and oddly named files", () => {
    const diff = [
      "diff --git a/new.ts b/new.ts",
      "new file mode 100644",
      "--- /dev/null",
      "+++ b/new.ts",
      "@@ -0,0 +1,2 @@",
      "+one",
      "+two",
      "\\ No newline at end of file",
      'diff --git "a/\\303\\244 \\"b.ts" "b/\\303\\244 \\"b.ts"',
      '--- "a/\\303\\244 \\"b.ts"',
      '+++ "b/\\303\\244 \\"b.ts"',
      "@@ -3 +3 @@ context",
      "-old",
      "+new",
      "@@ -9,2 +8,0 @@",
      "-x",
      "-y",
      "diff --git a/gone b/gone",
      "deleted file mode 100644",
      "--- a/gone",
      "+++ /dev/null",
      "@@ -1 +0,0 @@",
      "-gone",
      "diff --git a/p.png b/p.png",
      "Binary files a/p.png and b/p.png differ",
      "",
    ].join("\n");
    expect(readDiff(diff)).toEqual([
      changed("new.ts", ["one", "two"], [], "added"),
      changed('ä "b.ts', ["new"], ["old", "x", "y"]),
      changed("gone", [], ["gone"], "deleted"),
      changed("p.png", []),
    ]);
  });

  it("takes no added line for a header", () => {
    const diff = "diff --git a/a b/a\n--- a/a\n+++ b/a\n@@ -0,0 +1,2 @@\n+++ b/other\n+diff --git a/x b/x\n";
    expect(readDiff(diff)).toEqual([changed("a", ["++ b/other", "diff --git a/x b/x"])]);
  });
});

describe("test files", () => {
  it.each([
    "src/a.test.ts",
    "a_test.go",
    "tests/x.py",
    "test_a.py",
    "FooTest.java",
    "spec/a_spec.rb",
    "test.js",
    "__tests__/a.js",
  ])("%s is one", (path) => expect(isTestFile(path)).toBe(true));
  it.each(["src/a.ts", "latest.py", "contest.go", "src/testing.ts", "attest.rb"])("%s is none", (path) =>
    expect(isTestFile(path)).toBe(false),
  );
  it.each([".github/workflows/ci.yml", "package-lock.json", "a/go.sum", "vitest.config.ts"])(
    "%s is protected",
    (path) => expect(isProtectedFile(path)).toBe(true),
  );
  it.each(["package.json", "src/config.ts", "Makefile"])("%s is not protected", (path) =>
    expect(isProtectedFile(path)).toBe(false),
  );
});

describe("weakenedTests", () => {
  it.each([
    ["it.skip", ["  it.skip('adds', () => {"], ["  it('adds', () => {"]],
    ["only", ["  test.only('adds', () => {"], ["  test('adds', () => {"]],
    ["pytest", ["@pytest.mark.skip(reason='later')"], []],
    ["xfail", ["@pytest.mark.xfail"], []],
    ["go", ["\tt.Skip()"], []],
    ["rust", ["#[ignore]"], []],
    ["node:test", ["test('a', { skip: true }, () => {"], ["test('a', () => {"]],
  ])("sees a test that is switched off (%s)", (_, added, removed) => {
    expect(weakenedTests([changed("tests/a.test.ts", added, removed)])[0]?.what).toBe(
      "switches off a test more than before",
    );
  });

  it("sees assertions that are gone, and a deleted file", () => {
    expect(weakenedTests([changed("a.test.ts", [], ["  expect(add(1, 2)).toBe(3);"])])).toEqual([
      { path: "a.test.ts", what: "has 1 assertion fewer than before" },
    ]);
    expect(weakenedTests([changed("a_test.go", [], ["x"], "deleted")])).toEqual([
      { path: "a_test.go", what: "is deleted" },
    ]);
  });

  it("is content with tests that are added, moved or changed, and looks at tests only", () => {
    expect(weakenedTests([changed("a.test.ts", ["expect(a).toBe(2);"], ["expect(a).toBe(1);"])])).toEqual([]);
    expect(weakenedTests([changed("a.test.ts", ["it.skip('b')"], ["it.skip('a')"])])).toEqual([]);
    expect(weakenedTests([changed("src/a.ts", ["queue.skip()"], ["assert(x)"])])).toEqual([]);
  });
});

describe("debrisIn", () => {
  it.each([
    ["conflict markers", "a.ts", ["<<<<<<< ours", "=======", ">>>>>>> theirs"], "holds conflict markers"],
    ["an elision", "a.ts", ["  // ... rest of the code ..."], "holds a placeholder instead of code"],
    ["another elision", "a.py", ["# existing code remains unchanged"], "holds a placeholder instead of code"],
    ["a third", "a.ts", ["// rest of the file unchanged"], "holds a placeholder instead of code"],
    ["a private key", "k.pem", ["-----BEGIN OPENSSH PRIVATE KEY-----"], "holds what looks like a private key"],
    ["a token", "a.ts", [`const t = "ghp_${"a".repeat(36)}";`], "holds what looks like a GitHub token"],
    ["a leaked thought", "a.ts", ["<think>", "hm"], "holds control tokens of a model"],
  ])("finds %s", (_, path, added, what) => {
    expect(debrisIn([changed(path, added)])).toEqual([{ path, what }]);
  });

  it.each(["a.ts.orig", "patch.txt", "src/a.rej", "nohup.out"])("finds the scratch file %s when it is new", (path) => {
    expect(debrisIn([changed(path, [], [], "added")])).toEqual([{ path, what: "is a scratch file" }]);
    expect(debrisIn([changed(path, ["x"])])).toEqual([]);
  });

  it.each([
    ["a heading in a text", "README.md", ["Title", "======="]],
    ["spread syntax", "a.ts", ["  ...rest,", "  ...existing,", "function f(...rest: string[]) {"]],
    ["a password variable", "a.ts", ["const password = process.env.PASSWORD;"]],
    ["an ellipsis in prose", "a.md", ["and so on ..."]],
    ["output of a program", "output.json", ["{}"]],
  ])("is content with %s", (_, path, added) => {
    expect(debrisIn([changed(path, added, [], "added")])).toEqual([]);
  });

  it("lets what was there before be", () => {
    expect(
      debrisIn([changed("docs/merge.md", ["// ... rest of the file, changed ..."], ["// ... rest of the file ..."])]),
    ).toEqual([]);
  });
});

describe("the repository's memory", () => {
  const memory = [changed(".agent/memory/MEMORY.md", ["- tests need TZ=UTC"])];

  it("is not a result's to change, and the agent is told what to do instead", () => {
    expect(reviewResult(memory, {}).scope).toContain('"remember": true');
    expect(reviewResult(memory, { protect: [] }).scope).toContain(".agent/memory/MEMORY.md");
    expect(reviewResult(memory, { writes: [{ pattern: "**", isLiteral: false }] }).scope).toBeDefined();
  });

  it("is, where writes names it", () => {
    expect(reviewResult(memory, { writes: [{ pattern: ".agent/memory/**", isLiteral: false }] }).scope).toBeUndefined();
  });
});
