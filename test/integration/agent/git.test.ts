import { execFile } from "node:child_process";
import { chmod, mkdir, mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createAgentTools } from "../../../services/agent/agent-tools.ts";
import type { ToolResult } from "../../../services/agent/tools/tool-set.ts";
import { openBareRepository } from "../../../services/platform/git/bare-repository.ts";
import { fetchFromUrl } from "../../../services/platform/git/remote.ts";
import { harvest } from "../../../services/platform/git/worktree/harvest.ts";
import { createTreeLook } from "../../../services/platform/git/worktree/tree-look.ts";
import { createWorktree, type Worktree } from "../../../services/platform/git/worktree/worktree.ts";

const signal = new AbortController().signal;
let root: string;
let worktree: Worktree;
let use: (args: { command: string; ref?: string; path?: string }) => Promise<ToolResult>;

beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), "agentd-agent-git-"));
  const origin = join(root, "origin");
  await mkdir(origin);
  await git(origin, "init", "-q", "-b", "main");
  await writeFile(join(origin, "a.ts"), "const a = 1;\n");
  await writeFile(join(origin, ".gitattributes"), "*.ts diff=evil filter=evil\n");
  await git(origin, "add", "-A");
  await git(origin, "commit", "-qm", "first");
  await writeFile(join(origin, "a.ts"), "const a = 2;\n");
  await git(origin, "commit", "-qam", "second");
  const cache = await openBareRepository({ directory: join(root, "cache.git") }, signal);
  const commit = await fetchFromUrl(cache, { url: origin, ref: "main" }, { environment: {} }, signal);
  worktree = await createWorktree({ cache, commit, directory: join(root, "attempt") }, signal);
  await makeHostile(worktree.tree);
  const execute = () => Promise.reject(new Error("the git tool runs no command of its own"));
  const tools = await createAgentTools({ root: worktree.tree, execute, git: createTreeLook(worktree) });
  use = async (args) => {
    const verdict = tools.check({ id: "1", name: "git", arguments: JSON.stringify(args) });
    if ("problem" in verdict) throw new Error(verdict.problem);
    return tools.run(verdict.valid, signal);
  };
});

afterAll(() => rm(root, { recursive: true, force: true }));

/** Everything through which a tree can make git run a program: each would leave the file `pwned`. */
async function makeHostile(tree: string): Promise<void> {
  const touch = `touch ${join(root, "pwned")}`;
  await writeFile(join(root, "evil.sh"), `#!/bin/sh\n${touch}\ncat\n`);
  await chmod(join(root, "evil.sh"), 0o755);
  const evil = join(root, "evil.sh");
  const settings = [
    `[core]\n\tfsmonitor = ${evil}\n\thooksPath = ${tree}/hooks\n\tpager = ${evil}\n\tsshCommand = ${evil}\n`,
    `[diff "evil"]\n\tcommand = ${evil}\n\ttextconv = ${evil}\n`,
    `[filter "evil"]\n\tclean = ${evil}\n\tsmudge = ${evil}\n\tprocess = ${evil}\n`,
    `[diff]\n\texternal = ${evil}\n[gpg]\n\tprogram = ${evil}\n[log]\n\tshowSignature = true\n[include]\n\tpath = ${tree}/config\n`,
  ];
  await writeFile(join(tree, ".git", "config"), settings.join(""));
  await writeFile(join(tree, "config"), settings.join(""));
  await writeFile(join(tree, ".git", "info", "attributes"), "* diff=evil filter=evil\n");
  await mkdir(join(tree, "hooks"));
  await writeFile(join(tree, "hooks", "post-index-change"), `#!/bin/sh\n${touch}\n`, { mode: 0o755 });
  // A repository in the tree: git would start another git inside it.
  await mkdir(join(tree, "nested"));
  await git(join(tree, "nested"), "init", "-q");
  await writeFile(join(tree, "nested", ".git", "config"), settings.join(""));
  await writeFile(join(tree, "a.ts"), "const a = 3;\n");
  await writeFile(join(tree, "new file.ts"), "export {};\n");
}

async function git(cwd: string, ...args: string[]): Promise<void> {
  const who = ["-c", "user.name=a", "-c", "user.email=a@example.invalid"];
  await promisify(execFile)("git", [...who, ...args], { cwd });
}

describe("the git tool", () => {
  it.each([
    [{ command: "status" }, /^ M a\.ts$/mu],
    [{ command: "status" }, /^\?\? "?new file\.ts"?$/mu],
    [{ command: "status", path: "a.ts" }, /^ M a\.ts\n$/u],
    [{ command: "diff" }, /^-const a = 2;\n\+const a = 3;$/mu],
    [{ command: "diff", ref: "HEAD~1" }, /^-const a = 1;\n\+const a = 3;$/mu],
    [{ command: "diff", path: "new file.ts" }, /^\[no changes\]$/u],
    [{ command: "log" }, /^[0-9a-f]+ \d{4}-\d\d-\d\d a: second\n[0-9a-f]+ .* first\n$/u],
    [{ command: "log", ref: "HEAD~1" }, /^[0-9a-f]+ \S+ a: first\n$/u],
    [{ command: "show" }, /second[\s\S]*-const a = 1;\n\+const a = 2;/u],
    [{ command: "show", ref: "HEAD~1", path: "a.ts" }, /^const a = 1;\n$/u],
    [{ command: "blame", path: "a.ts" }, /Not Committed Yet.* 1\) const a = 3;/u],
  ])("answers %j", async (args, expected) => {
    const result = await use(args);
    expect(result).toMatchObject({ isError: false });
    expect(result.content).toMatch(expected);
  });

  it.each([
    [{ command: "blame" }, "blame needs a path"],
    [{ command: "log", ref: "--output=x" }, "is no commit"],
    [{ command: "show", ref: "HEAD:a.ts" }, "is no commit"],
    [{ command: "diff", ref: "HEAD..main" }, "is no commit"],
    [{ command: "show", ref: "nosuch" }, "git show failed"],
    [{ command: "show", path: "nosuch.ts" }, "git show failed"],
    [{ command: "log", path: "../origin" }, "outside the worktree"],
    [{ command: "show", path: ".git/config" }, "git's own folder"],
  ])("refuses %j", async (args, told) => {
    const result = await use(args);
    expect(result.isError).toBe(true);
    expect(result.content).toContain(told);
    expect(result.content).not.toContain(root);
  });

  it.each(["push", "reset", "remote", "commit", "checkout"])("does not know %s", async (command) => {
    await expect(use({ command })).rejects.toThrow("Wrong arguments for git");
  });

  it("obeys nothing of the tree, changes nothing in it, and leaves the harvest as it was", async () => {
    for (const command of ["status", "diff", "log", "show"]) await use({ command });
    await use({ command: "blame", path: "a.ts" });
    expect(await readdir(root)).not.toContain("pwned");
    const author = { name: "a", email: "a@example.invalid", dateIso: "2026-01-01T00:00:00Z" };
    const taken = await harvest(worktree, { message: "m", author }, signal);
    expect(taken.changes.map(({ path }) => path)).toEqual(expect.arrayContaining(["a.ts", "new file.ts"]));
    expect(await readdir(root)).not.toContain("pwned");
  });
});
