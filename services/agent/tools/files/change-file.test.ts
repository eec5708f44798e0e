import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { createTemporaryWorktree } from "../../worktree/temporary-worktree.ts";
import type { FileBefore, ToolContext } from "../tool.ts";
import { changeFiles } from "./change-file.ts";

const shown = ({ path, bytes }: FileBefore) => [path, bytes?.toString()];

describe("a file as it was before a change", () => {
  it("is told once for each changed file, before it changes", async () => {
    const told: unknown[] = [];
    let root = "";
    await using tree = await createTemporaryWorktree(
      { "a.txt": "one\ntwo\n", "dir/b.txt": "b\n" },
      {
        async beforeChange(before) {
          told.push(shown(before));
          expect(await readFile(join(root, before.path), "utf8").catch(() => undefined)).toBe(before.bytes?.toString());
        },
      },
    );
    root = tree.root;
    for (const path of ["a.txt", "dir/b.txt"]) await tree.use("read", { file_path: path });
    await tree.use("edit", { file_path: "a.txt", old_string: "one", new_string: "1" });
    const edits = [
      { old_string: "1", new_string: "I" },
      { old_string: "two", new_string: "II" },
    ];
    await tree.use("multi_edit", { file_path: "a.txt", edits });
    await tree.use("write", { file_path: "dir/b.txt", content: "B\n" });
    await tree.use("write", { file_path: "new.txt", content: "n\n" });
    await tree.use("edit", { file_path: "a.txt", old_string: "nothing", new_string: "x" });
    expect(told).toEqual([
      ["a.txt", "one\ntwo\n"],
      ["a.txt", "1\ntwo\n"],
      ["dir/b.txt", "b\n"],
      ["new.txt", undefined],
    ]);
  });

  it("is told for each file of a patch, also for one that goes", async () => {
    const told: unknown[] = [];
    await using tree = await createTemporaryWorktree(
      { "a.txt": "a\n", "b.txt": "b\n" },
      { editStyle: "apply_patch", beforeChange: async (before) => void told.push(shown(before)) },
    );
    const input =
      "*** Begin Patch\n*** Update File: a.txt\n*** Move to: c.txt\n@@\n-a\n+c\n*** Delete File: b.txt\n*** End Patch";
    expect((await tree.use("apply_patch", { input })).isError).toBe(false);
    expect(told).toEqual([
      ["a.txt", "a\n"],
      ["c.txt", undefined],
      ["b.txt", "b\n"],
    ]);
  });

  it("prevents the change when it cannot be kept", async () => {
    const beforeChange = () => Promise.reject(new Error("no room for it"));
    await using tree = await createTemporaryWorktree({ "a.txt": "a\n" }, { beforeChange });
    await tree.use("read", { file_path: "a.txt" });
    await expect(tree.use("write", { file_path: "a.txt", content: "x" })).rejects.toThrow("no room for it");
    expect(await readFile(join(tree.root, "a.txt"), "utf8")).toBe("a\n");
  });
});

describe("several changes", () => {
  it("are taken back when one of them fails", async () => {
    const disk = new Map([
      ["a", "a"],
      ["b", "b"],
    ]);
    const files = {
      write: async (path: string, bytes: Uint8Array) => {
        if (path === "bad") throw Object.assign(new Error("disk full"), { code: "ENOSPC" });
        disk.set(path, Buffer.from(bytes).toString());
      },
      remove: async (path: string) => void disk.delete(path),
    };
    const context = { files, beforeChange: async () => {} } as unknown as ToolContext;
    const change = (path: string, before: string | undefined, after: string | undefined) => {
      const bytes = (text: string | undefined) => (text === undefined ? undefined : Buffer.from(text));
      return { path, real: path, before: bytes(before), after: bytes(after) };
    };
    const changes = [
      change("a", "a", "A"),
      change("b", "b", undefined),
      change("c", undefined, "c"),
      change("bad", "x", "y"),
    ];
    await expect(changeFiles(changes, context)).rejects.toThrow("disk full");
    expect(Object.fromEntries(disk)).toEqual({
      a: "a",
      b: "b",
    });
  });
});
