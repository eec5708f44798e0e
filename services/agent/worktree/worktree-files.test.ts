import { execFileSync } from "node:child_process";
import {
  chmod,
  link,
  mkdir,
  mkdtemp,
  readFile,
  realpath,
  rename,
  rm,
  stat,
  symlink,
  writeFile,
} from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { ToolError } from "../tool-error.ts";
import { createWorktreeFiles, type WorktreeFiles } from "./worktree-files.ts";

let parent: string;
let root: string;
let files: WorktreeFiles;

beforeEach(async () => {
  parent = await realpath(await mkdtemp(join(tmpdir(), "agentd-files-")));
  root = join(parent, "tree");
  await mkdir(join(root, "src"), { recursive: true });
  await mkdir(join(root, ".git"));
  await writeFile(join(root, ".git/config"), "[core]");
  await writeFile(join(root, "src/a.ts"), "a");
  await mkdir(`${root}-evil`);
  await writeFile(`${root}-evil/secret`, "secret");
  await writeFile(join(parent, "secret"), "secret");
  files = await createWorktreeFiles(root);
});

afterEach(() => rm(parent, { recursive: true, force: true }));

const read = async (path: string) => (await files.read(path, 1_000)).bytes.toString();

describe("createWorktreeFiles", () => {
  it.each(["src/a.ts", "./src//a.ts", "src/../src/a.ts"])("reads %s", async (path) => {
    expect(await read(path)).toBe("a");
  });

  it("takes an absolute path inside the tree", async () => {
    expect(await read(join(root, "src/a.ts"))).toBe("a");
    expect((await files.locate(join(root, "src/a.ts"))).shown).toBe("src/a.ts");
  });

  it.each([
    ["..", "outside"],
    ["../secret", "outside"],
    ["src/../../secret", "outside"],
    ["../tree-evil/secret", "outside"],
    ["/etc/passwd", "outside"],
    ["/proc/self/environ", "outside"],
    [".git/config", "git's own folder"],
    [".GIT/config", "git's own folder"],
    ["src/.Git/hooks/x", "git's own folder"],
    ["git~1/config", "git's own folder"],
    [".git./config", "git's own folder"],
    [".g\u200cit/config", "git's own folder"],
    ["", "empty"],
    ["a\0b", "NUL"],
    ["\ud800", "Unicode"],
  ])("refuses to read and write %j", async (path, reason) => {
    await expect(read(path)).rejects.toThrow(reason);
    await expect(files.write(path, Buffer.from("x"))).rejects.toThrow(reason);
    await expect(files.write(path, Buffer.from("x"))).rejects.toBeInstanceOf(ToolError);
  });

  it("refuses a path longer than the system takes", async () => {
    await expect(read("x/".repeat(3_000))).rejects.toThrow("longer than 4095");
  });

  it("refuses an absolute path below a folder whose name only starts like the root's", async () => {
    await expect(read(`${root}-evil/secret`)).rejects.toThrow("outside");
  });

  it("refuses links that lead out, as file and as folder, and writes nothing through them", async () => {
    await symlink(join(parent, "secret"), join(root, "file-link"));
    await symlink(`${root}-evil`, join(root, "folder-link"));
    await symlink(join(root, ".git"), join(root, "git-link"));
    for (const path of ["file-link", "folder-link/secret", "folder-link/new"]) {
      await expect(read(path)).rejects.toThrow("outside");
      await expect(files.write(path, Buffer.from("x"))).rejects.toThrow("outside");
    }
    await expect(read("git-link/config")).rejects.toThrow("git's own folder");
    await expect(files.write("git-link/hooks/pre-commit", Buffer.from("x"))).rejects.toThrow("git's own folder");
    expect(await readFile(join(parent, "secret"), "utf8")).toBe("secret");
  });

  it("refuses a broken link instead of creating its target", async () => {
    await symlink(join(parent, "planted"), join(root, "broken"));
    await expect(files.write("broken", Buffer.from("x"))).rejects.toThrow("broken symbolic link");
    await expect(files.write("broken/below", Buffer.from("x"))).rejects.toThrow("broken symbolic link");
    await expect(stat(join(parent, "planted"))).rejects.toThrow("ENOENT");
  });

  it("follows links inside the tree and keeps them links", async () => {
    await symlink("src", join(root, "lib"));
    await symlink("a.ts", join(root, "src/b.ts"));
    expect(await read("lib/b.ts")).toBe("a");
    expect((await files.locate("lib/b.ts")).real).toBe("src/a.ts");
    await files.write("lib/b.ts", Buffer.from("new"));
    expect(await readFile(join(root, "src/a.ts"), "utf8")).toBe("new");
  });

  it("never follows a link that is swapped in while it works", async () => {
    await mkdir(join(root, "dir"));
    await writeFile(join(root, "dir/secret"), "harmless");
    await symlink(`${root}-evil`, join(root, "evil"));
    let isSwapping = true;
    let pushedAside = 0;
    // A write that came in between made a folder of its own: it goes out of the way.
    const place = async (from: string, to: string): Promise<void> => {
      try {
        await rename(join(root, from), join(root, to));
      } catch {
        pushedAside += 1;
        await rename(join(root, to), join(root, `aside-${pushedAside}`));
        await place(from, to);
      }
    };
    const swapper = (async () => {
      while (isSwapping) {
        await place("dir", "aside");
        await place("evil", "dir");
        await place("dir", "evil");
        await place("aside", "dir");
      }
    })();
    try {
      for (let round = 0; round < 300; round += 1) {
        const seen = await read("dir/secret").catch((error: unknown) => error);
        expect(seen === "harmless" || seen instanceof ToolError).toBe(true);
        const written = await files.write("dir/out", Buffer.from("x")).catch((error: unknown) => error);
        expect(written === undefined || written instanceof ToolError).toBe(true);
      }
    } finally {
      isSwapping = false;
      await swapper;
    }
    await expect(stat(`${root}-evil/out`)).rejects.toThrow("ENOENT");
  });

  it("creates folders, keeps permission bits and leaves no temporary file", async () => {
    await chmod(join(root, "src/a.ts"), 0o755);
    await files.write("src/a.ts", Buffer.from("b"));
    await files.write("new/deep/er.ts", Buffer.from("c"));
    expect((await stat(join(root, "src/a.ts"))).mode & 0o777).toBe(0o755);
    expect(execFileSync("find", [root, "-name", ".agentd*"], { encoding: "utf8" })).toBe("");
    expect(await read("new/deep/er.ts")).toBe("c");
  });

  it("does not write through a hard link to a file elsewhere", async () => {
    await link(join(parent, "secret"), join(root, "hard"));
    await files.write("hard", Buffer.from("x"));
    expect(await readFile(join(parent, "secret"), "utf8")).toBe("secret");
  });

  it("says what is wrong with a missing file, a folder, a file as a folder, a pipe and a large file", async () => {
    execFileSync("mkfifo", [join(root, "pipe")]);
    await writeFile(join(root, "large"), "x".repeat(2_000));
    await expect(read("src/none.ts")).rejects.toThrow("There is no file src/none.ts");
    await expect(read("src")).rejects.toThrow("is a directory");
    await expect(read(".")).rejects.toThrow("is a directory");
    await expect(files.write("src", Buffer.from("x"))).rejects.toThrow("is a directory");
    await expect(read("src/a.ts/x")).rejects.toThrow("a file, not a directory");
    await expect(files.write("src/a.ts/x", Buffer.from("x"))).rejects.toThrow("a file, not a directory");
    await expect(read("pipe")).rejects.toThrow("not a regular file");
    await expect(files.write("pipe", Buffer.from("x"))).rejects.toThrow("not a regular file");
    await expect(read("large")).rejects.toThrow("too large: 2000 bytes");
  });

  it.each([
    "a b.ts",
    "-rf",
    "$(touch x)",
    "`x`",
    'quo"te',
    "new\nline.ts",
    "[id]/page.tsx",
    "ünï/côdé.ts",
    "*?",
    "back\\slash",
  ])("reads and writes the hostile name %j", async (name) => {
    await files.write(name, Buffer.from("x"));
    expect(await read(name)).toBe("x");
    expect(await readFile(join(root, name), "utf8")).toBe("x");
  });
});
