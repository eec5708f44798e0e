import { mkdir, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { createTemporaryWorktree, type TemporaryWorktree } from "../../worktree/temporary-worktree.ts";

let tree: TemporaryWorktree;
beforeEach(async () => {
  tree = await createTemporaryWorktree({
    ".git/config": "needle\n",
    ".gitignore": "dist/\n",
    ".github/ci.yml": "needle\n",
    "dist/out.ts": "needle\n",
    "src/a.ts": "const needle = 1;\n",
    "src/deep/b.ts": "no\nneedle\n",
    "src/deep/c.js": "needle needle\n",
    "app/[id]/page.tsx": "needle\n",
    "-rf": "needle\n",
    "new\nline.ts": "needle\n",
    "$(touch pwned).ts": "needle\n",
    "wide.min.js": `needle${"x".repeat(9_000)}\n`,
    "data.bin": Buffer.from("needle\n\0\u0001"),
  });
});
afterEach(() => tree[Symbol.asyncDispose]());

const lines = async (name: string, args: unknown) => (await tree.use(name, args)).content.split("\n");

describe("glob", () => {
  it.each([
    [{ pattern: "*.ts" }, ["$(touch pwned).ts", '"new\\nline.ts"', "src/a.ts", "src/deep/b.ts"]],
    [{ pattern: "src/**/*.ts" }, ["src/a.ts", "src/deep/b.ts"]],
    [{ pattern: "./src/*.ts" }, ["src/a.ts"]],
    [{ pattern: "*.ts", path: "src/deep" }, ["src/deep/b.ts"]],
    [{ pattern: "deep/*", path: "src" }, ["src/deep/b.ts", "src/deep/c.js"]],
    [{ pattern: "{src,dist}/**" }, ["src/a.ts", "src/deep/b.ts", "src/deep/c.js"]],
    [{ pattern: "app/[id]/page.tsx" }, ["app/[id]/page.tsx"]],
    [{ pattern: "*.tsx", path: "app/[id]" }, ["app/[id]/page.tsx"]],
    [{ pattern: "*.yml" }, [".github/ci.yml"]],
    [{ pattern: ".git/**" }, ["No file matches .git/** in .."]],
    [{ pattern: "--files" }, ["No file matches --files in .."]],
    [{ pattern: "!src" }, ["No file matches !src in .."]],
  ])("finds %j", async (args, expected) => {
    expect(await lines("glob", args)).toEqual(expected);
  });

  it("lists everything but ignored files and git's own for **", async () => {
    const found = await lines("glob", { pattern: "**/*" });
    expect(found).toContain("-rf");
    expect(found).not.toContain("dist/out.ts");
    expect(found.filter((path) => path.startsWith(".git/"))).toEqual([]);
  });

  it("takes an absolute pattern inside the tree", async () => {
    expect(await lines("glob", { pattern: `${tree.root}/src/*.ts` })).toEqual(["src/a.ts"]);
  });

  it("shows 100 files and says how many there are", async () => {
    await mkdir(join(tree.root, "many"));
    await Promise.all(Array.from({ length: 130 }, (_, index) => writeFile(join(tree.root, "many", `${index}.md`), "")));
    const found = await lines("glob", { pattern: "*.md" });
    expect(found).toHaveLength(101);
    const file = /100 of 130 files; the others: (\S+\.txt);/u.exec(found.at(-1) ?? "")?.[1];
    const rest = await lines("read", { file_path: file, offset: 101, limit: null });
    expect(rest.slice(0, 30).every((line) => line.endsWith(".md"))).toBe(true);
  });

  it.each([
    [{ pattern: "[" }, "unclosed character class"],
    [{ pattern: "*", path: "none" }, "There is no folder none"],
    [{ pattern: "*", path: ".." }, "outside"],
    [{ pattern: "*", path: ".git" }, "git's own folder"],
    [{ pattern: "" }, "empty"],
  ])("refuses %j", async (args, told) => {
    const result = await tree.use("glob", args);
    expect(result.isError).toBe(true);
    expect(result.content).toContain(told);
  });
});

describe("grep", () => {
  it("shows path, line and text, and skips ignored, binary and git's own files", async () => {
    const found = await lines("grep", { pattern: "needle" });
    expect(found).toContain("src/deep/b.ts:2:needle");
    expect(found).toContain('"new\\nline.ts":1:needle');
    expect(found).toContain("app/[id]/page.tsx:1:needle");
    expect(found.filter((line) => line.startsWith("dist/") || line.startsWith(".git/"))).toEqual([]);
    expect(found.find((line) => line.startsWith("wide"))?.length).toBeLessThan(700);
  });

  it.each([
    [{ pattern: "needle", glob: "*.js", output_mode: "files_with_matches" }, ["src/deep/c.js", "wide.min.js"]],
    [{ pattern: "needle", path: "src", output_mode: "count" }, ["src/a.ts:1", "src/deep/b.ts:1", "src/deep/c.js:1"]],
    [{ pattern: "needle", path: "src/a.ts" }, ["src/a.ts:1:const needle = 1;"]],
    [{ pattern: "needle", path: "src", glob: "deep/*.ts" }, ["src/deep/b.ts:2:needle"]],
    [{ pattern: "--pre=touch" }, ["No match for --pre=touch in .."]],
    [{ pattern: "needle", path: "-rf" }, ["-rf:1:needle"]],
    [{ pattern: "needle", glob: "**", path: "src/deep", output_mode: "count" }, ["src/deep/b.ts:1", "src/deep/c.js:1"]],
  ])("answers %j", async (args, expected) => {
    expect(await lines("grep", args)).toEqual(expected);
  });

  it("shows 100 matches, and keeps the others in a file", async () => {
    await writeFile(join(tree.root, "few.txt"), "rare\n".repeat(150));
    const [last] = (await lines("grep", { pattern: "rare" })).slice(-1);
    const file = /\[100 of 150 matches; the others: (\S+\.txt);/u.exec(last ?? "")?.[1];
    expect(await lines("read", { file_path: file, offset: 150, limit: null })).toEqual(
      expect.arrayContaining([expect.stringContaining("few.txt:150:rare")]),
    );
    await writeFile(join(tree.root, "many.txt"), "hit\n".repeat(6_000));
    const found = await lines("grep", { pattern: "hit" });
    expect(found).toHaveLength(101);
    expect(found.at(-1)).toContain("100 of more than 5000 matches; the others: ");
  });

  it("is not stalled by a pattern that makes backtracking engines explode", async () => {
    await writeFile(join(tree.root, "aaa.txt"), `${"a".repeat(50_000)}!\n`);
    // A search that is stalled ends by its time limit, and says so.
    expect(await tree.use("grep", { pattern: "^(a+)+$", path: "aaa.txt" })).toEqual({
      content: "No match for ^(a+)+$ in aaa.txt.",
      isError: false,
    });
  });

  it.each([
    [{ pattern: "(" }, "unclosed group"],
    [{ pattern: "" }, "empty"],
    [{ pattern: "x", path: "../.." }, "outside"],
    [{ pattern: "x", path: "out" }, "outside"],
  ])("refuses %j", async (args, told) => {
    await symlink("/etc", join(tree.root, "out"));
    const result = await tree.use("grep", args);
    expect(result.isError).toBe(true);
    expect(result.content).toContain(told);
  });
});

describe("bash", () => {
  it("gives the output of a command that succeeds", async () => {
    expect(await tree.use("bash", { command: "echo out; echo err >&2" })).toEqual({
      content: "out\nerr\n",
      isError: false,
    });
    expect((await tree.use("bash", { command: "true" })).content).toBe("[no output, exit code 0]");
  });

  it("gives output and exit code of one that fails", async () => {
    expect(await tree.use("bash", { command: "echo no; exit 3" })).toEqual({
      content: "no\n[exit code 3]",
      isError: true,
    });
  });

  it("has no input and no state from the call before", async () => {
    expect((await tree.use("bash", { command: "cat; X=1; cd src" })).isError).toBe(false);
    expect((await tree.use("bash", { command: 'echo "[$X]"; pwd' })).content).toBe(`[]\n${tree.root}\n`);
  });

  it("cuts the output in the middle: 30,000 characters, 10,000 of a failed command", async () => {
    const long = await tree.use("bash", { command: "echo first; seq 100000; echo last" });
    expect(long.content.length).toBeLessThan(30_200);
    expect(long.content).toMatch(
      /^first\n[\s\S]*characters left out[\s\S]*last\n\[all of it: \/tmp\/agentd-output\/1\.txt;/u,
    );
    const page = await tree.use("read", { file_path: "/tmp/agentd-output/1.txt", offset: 99_999, limit: 2 });
    expect(page.content).toContain(" 99999\t99998\n100000\t99999");
    const failed = await tree.use("bash", { command: "seq 100000; exit 1" });
    expect(failed.content.length).toBeLessThan(10_200);
  });

  it.each([
    ["  ", "empty"],
    ["a\0b", "NUL"],
    [`: ${"x".repeat(200_000)}`, "longer than"],
  ])("refuses the command %.10j", async (command, told) => {
    expect((await tree.use("bash", { command })).content).toContain(told);
  });
});
