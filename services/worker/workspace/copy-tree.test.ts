import { lstat, mkdir, mkdtemp, readFile, readlink, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { copyPaths, findRelocations, relocate } from "./copy-tree.ts";

const never = new AbortController().signal;

describe("copyPaths", () => {
  let root: string;
  let from: string;
  let to: string;
  beforeEach(async () => {
    root = await mkdtemp(join(tmpdir(), "agentd-copy-"));
    from = join(root, "from");
    to = join(root, "to");
    await mkdir(join(from, "app", "node_modules", "lib"), { recursive: true });
    await writeFile(join(from, "app", "node_modules", "lib", "index.js"), "original");
    await mkdir(to);
  });
  afterEach(() => rm(root, { recursive: true, force: true }));

  it("makes the parents and gives files of their own, not hard links", async () => {
    expect(await copyPaths(from, to, ["app/node_modules"], never)).toEqual([]);
    await writeFile(join(to, "app", "node_modules", "lib", "index.js"), "changed");
    expect(await readFile(join(from, "app", "node_modules", "lib", "index.js"), "utf8")).toBe("original");
  });

  it("does not write through a symbolic link that the repository put there", async () => {
    const outside = join(root, "outside");
    await mkdir(outside);
    await symlink(outside, join(to, "app"));
    expect(await copyPaths(from, to, ["app/node_modules"], never)).toEqual(["app/node_modules"]);
    await expect(lstat(join(outside, "node_modules"))).rejects.toThrow("ENOENT");
  });

  it("makes scripts and links of the copy lead into the copy", async () => {
    await mkdir(join(from, ".venv", "bin"), { recursive: true });
    await writeFile(join(from, ".venv", "bin", "pytest"), `#!${from}/.venv/bin/python\nprint("ü")\n`);
    await symlink(join(from, "app"), join(from, ".venv", "link"));
    const found = await findRelocations(from, from, never);
    await copyPaths(from, to, [".venv", "app"], never);
    await relocate(to, from, found);
    expect(await readFile(join(to, ".venv", "bin", "pytest"), "utf8")).toBe(`#!${to}/.venv/bin/python\nprint("ü")\n`);
    expect(await readlink(join(to, ".venv", "link"))).toBe(join(to, "app"));
  });
});
