import { execFileSync } from "node:child_process";
import { readFile, rm, symlink, truncate, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { createTemporaryWorktree, type TemporaryWorktree } from "../../worktree/temporary-worktree.ts";

const only = ["read", "write", "edit", "multi_edit"];
let tree: TemporaryWorktree;
let patching: TemporaryWorktree;

beforeEach(async () => {
  [tree, patching] = await Promise.all([makeTree("edit"), makeTree("apply_patch")]);
});
afterEach(async () => {
  for (const one of [tree, patching]) await one[Symbol.asyncDispose]();
});

async function makeTree(editStyle: "edit" | "apply_patch"): Promise<TemporaryWorktree> {
  const made = await createTemporaryWorktree(
    { "dir/inner.txt": "old\n", "binary.png": Buffer.from([0x89, 0x50, 0, 1]), "late-nul.txt": "old\n" },
    { editStyle },
  );
  await writeFile(join(made.root, "huge.txt"), "old\n");
  await truncate(join(made.root, "huge.txt"), 3_000_000_000);
  await symlink("/etc/passwd", join(made.root, "outside"));
  await symlink("/etc", join(made.root, "outside-dir"));
  await symlink("nowhere", join(made.root, "broken"));
  await symlink("loop", join(made.root, "loop"));
  await symlink("dir/inner.txt", join(made.root, "inside"));
  execFileSync("mkfifo", [join(made.root, "pipe")]);
  return made;
}

/** The call of each tool that touches a file. */
const calls = (path: string) =>
  [
    ["read", { file_path: path }],
    ["write", { file_path: path, content: "new\n" }],
    ["edit", { file_path: path, old_string: "old", new_string: "new" }],
    ["multi_edit", { file_path: path, edits: [{ old_string: "old", new_string: "new" }] }],
    ["apply_patch", { input: `*** Begin Patch\n*** Update File: ${path}\n@@\n-old\n+new\n*** End Patch` }],
  ] as const;

const bad = [
  ["binary.png", /binary file/u],
  ["huge.txt", /too large: 3000000000 bytes/u],
  ["outside", /outside the worktree/u],
  ["outside-dir/passwd", /outside the worktree/u],
  ["../tmp/x", /outside the worktree/u],
  ["broken", /broken symbolic link/u],
  ["loop", /symbolic link/u],
  ["dir", /is a directory/u],
  ["pipe", /not a regular file/u],
  ["dir/inner.txt/x", /a file, not a directory/u],
  ["a\0b", /NUL/u],
] as const;

describe("a file that is none to work with", () => {
  it.each(bad.flatMap(([path, told]) => calls(path).map(([name, args]) => [name, path, args, told] as const)))(
    "is refused by %s with words: %j",
    async (name, _, args, told) => {
      const result = await (only.includes(name) ? tree : patching).use(name, args);
      expect(result.isError).toBe(true);
      expect(result.content).toMatch(told);
    },
  );

  it("is left alone when it vanishes between reading and changing", async () => {
    await tree.use("read", { file_path: "dir/inner.txt" });
    await rm(join(tree.root, "dir/inner.txt"));
    for (const [name, args] of calls("dir/inner.txt").filter(([name]) => name.includes("edit"))) {
      expect(await tree.use(name, args)).toMatchObject({
        isError: true,
        content: expect.stringContaining("There is no file"),
      });
    }
  });

  it("is not changed when it turns binary or grows after it was read", async () => {
    await tree.use("read", { file_path: "late-nul.txt" });
    await writeFile(join(tree.root, "late-nul.txt"), "old\0");
    const edit = { file_path: "late-nul.txt", old_string: "old", new_string: "new" };
    expect((await tree.use("edit", edit)).content).toContain("binary");
    await truncate(join(tree.root, "late-nul.txt"), 20_000_000);
    expect((await tree.use("edit", edit)).content).toContain("too large");
  });

  it("may be a link inside the tree: what it names is changed, and stays a file", async () => {
    await tree.use("read", { file_path: "inside" });
    expect((await tree.use("edit", { file_path: "inside", old_string: "old", new_string: "new" })).isError).toBe(false);
    expect(await readFile(join(tree.root, "dir/inner.txt"), "utf8")).toBe("new\n");
  });
});
