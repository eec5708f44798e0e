import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import {
  chmod,
  lstat,
  mkdir,
  mkdtemp,
  readdir,
  readFile,
  readlink,
  rm,
  symlink,
  truncate,
  utimes,
  writeFile,
} from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { promisify } from "node:util";
import { afterAll, beforeAll, expect, onTestFinished, test } from "vitest";
import type { Repository } from "../../../services/platform/git/bare-repository.ts";
import { openBareRepository, resolveRef } from "../../../services/platform/git/bare-repository.ts";
import { changedFiles, listFiles, readBlob } from "../../../services/platform/git/objects/trees.ts";
import { fetchFromUrl } from "../../../services/platform/git/remote.ts";
import { harvest } from "../../../services/platform/git/worktree/harvest.ts";
import type { Worktree } from "../../../services/platform/git/worktree/worktree.ts";
import { createWorktree, removeWorktree, sweepWorktrees } from "../../../services/platform/git/worktree/worktree.ts";

const signal = new AbortController().signal;
const author = { name: "agentd", email: "agentd@agentd.invalid", dateIso: "2026-01-02T03:04:05Z" };
const hostileNames = [
  "app/[id]/page.tsx",
  "$(touch pwned).txt",
  "a'b\"c.txt",
  "new\nline.txt",
  "-rf",
  "日本/é.txt",
  " :!x*?",
];
const submoduleCommit = "1234567890123456789012345678901234567890";

let root: string;
let cache: Repository;
let base: string;
let count = 0;

beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), "agentd-git-"));
  const origin = join(root, "origin");
  await mkdir(origin);
  await git(origin, "init", "-q", "-b", "main");
  await writeFile(join(origin, ".gitattributes"), "*.txt text eol=lf\n*.bat text eol=crlf\n*.evil filter=evil\n");
  await writeFile(join(origin, ".gitignore"), "ignored/\n");
  await writeFile(
    join(origin, ".gitmodules"),
    '[submodule "sub"]\n\tpath = sub\n\turl = https://example.invalid/sub.git\n',
  );
  await writeFile(join(origin, "lf.txt"), "one\ntwo\n");
  await writeFile(join(origin, "data.evil"), "plain\n");
  await writeFile(join(origin, "run.sh"), "#!/bin/sh\n", { mode: 0o755 });
  await symlink("lf.txt", join(origin, "link"));
  await symlink("/etc/passwd", join(origin, "outside"));
  await mkdir(join(origin, "dir"));
  await writeFile(join(origin, "dir", "inner.ts"), "export {};\n");
  for (const name of hostileNames) {
    await mkdir(join(origin, name, ".."), { recursive: true });
    await writeFile(join(origin, name), `${name}\n`);
  }
  await git(origin, "add", "-A");
  await git(origin, "update-index", "--add", "--cacheinfo", `160000,${submoduleCommit},sub`);
  // Blobs with CRLF in a repository that says they are text: only an index entry gets them in.
  await writeFile(join(root, "crlf"), "a\r\nb\r\n");
  const crlf = (await git(origin, "hash-object", "-w", "--no-filters", join(root, "crlf"))).trim();
  await git(origin, "update-index", "--add", "--cacheinfo", `100644,${crlf},crlf.txt`);
  await git(origin, "commit", "-qm", "base");
  cache = await openBareRepository({ directory: join(root, "cache.git") }, signal);
  base = await fetchFromUrl(cache, { url: origin, ref: "main" }, { environment: {} }, signal);
});

afterAll(() => rm(root, { recursive: true, force: true }));

async function git(cwd: string, ...args: string[]): Promise<string> {
  const identity = ["-c", "user.name=t", "-c", "user.email=t@t.invalid"];
  const env = { PATH: process.env["PATH"] ?? "", HOME: root, GIT_CONFIG_GLOBAL: "/dev/null", GIT_CONFIG_NOSYSTEM: "1" };
  const { stdout } = await promisify(execFile)("git", [...identity, ...args], { cwd, env, maxBuffer: 1 << 28 });
  return stdout;
}

async function until(isDone: () => boolean): Promise<void> {
  while (!isDone()) await delay(10);
}

async function newTree(): Promise<Worktree> {
  count += 1;
  return createWorktree({ cache, commit: base, directory: join(root, "trees", `attempt-${count}`) }, signal);
}

async function harvested(worktree: Worktree): Promise<{ changes: Record<string, string>; skipped: readonly string[] }> {
  const result = await harvest(worktree, { message: "work\n", author }, signal);
  if (result.commit === undefined) return { changes: {}, skipped: result.skipped };
  const changes = await changedFiles(result.repository, base, result.commit, signal);
  return { changes: Object.fromEntries(changes.map(({ path, status }) => [path, status])), skipped: result.skipped };
}

test("an untouched tree yields no commit, whatever attributes, links, submodules and names are in it", async () => {
  const worktree = await newTree();
  expect(await harvested(worktree)).toEqual({ changes: {}, skipped: [] });
  expect(await readFile(join(worktree.tree, "crlf.txt"), "utf8")).toBe("a\r\nb\r\n");
  expect(await readlink(join(worktree.tree, "outside"))).toBe("/etc/passwd");
  expect((await lstat(join(worktree.tree, "sub"))).isDirectory()).toBe(true);
  for (const name of hostileNames) expect(await readFile(join(worktree.tree, name), "utf8")).toBe(`${name}\n`);
});

test("a changed tree becomes one commit on the base with exact bytes, links and executable bits", async () => {
  const worktree = await newTree();
  const at = (name: string): string => join(worktree.tree, name);
  await writeFile(at("lf.txt"), "one\r\ntwo\r\n");
  await rm(at("link"));
  await symlink("dir/inner.ts", at("link"));
  await chmod(at("data.evil"), 0o755);
  await rm(at("-rf"));
  await writeFile(at("new [x].ts"), "new\n");
  await mkdir(at("ignored"));
  await writeFile(at("ignored/x"), "x");
  const result = await harvest(worktree, { message: "subject\n", author }, signal);
  const { repository, commit = "" } = result;
  const changes = await changedFiles(repository, base, commit, signal);
  expect(changes.map(({ status, path, newMode }) => [status, path, newMode])).toEqual([
    ["D", "-rf", undefined],
    ["M", "data.evil", "100755"],
    ["M", "lf.txt", "100644"],
    ["M", "link", "120000"],
    ["A", "new [x].ts", "100644"],
  ]);
  const bytes = await readBlob(repository, commit, "lf.txt", { maxBytes: 100 }, signal);
  expect(bytes?.toString()).toBe("one\r\ntwo\r\n");
  const parents = await repository.git.run(["log", "-1", "--format=%P|%an|%at|%B", commit], {}, signal);
  expect(parents.stdout.toString().trim()).toBe(`${base}|agentd|${Date.parse(author.dateIso) / 1_000}|subject`);
  const again = await harvest(worktree, { message: "subject\n", author }, signal);
  expect(again.commit).toBe(commit);
});

test("a change of the same size whose time stamp was set back is still found", async () => {
  const worktree = await newTree();
  const file = join(worktree.tree, "lf.txt");
  const { atime, mtime } = await lstat(file);
  await writeFile(file, "ONE\nTWO\n");
  await utimes(file, atime, mtime);
  expect((await harvested(worktree)).changes).toEqual({ "lf.txt": "M" });
});

test("a change of the same size within the second of the checkout is found in a later second", async () => {
  await until(() => Date.now() % 1_000 < 200);
  const worktree = await newTree();
  await writeFile(join(worktree.tree, "lf.txt"), "ONE\nTWO\n");
  await writeFile(join(worktree.tree, "data.evil"), "PLAIN\n");
  const second = Math.floor(Date.now() / 1_000);
  await until(() => Math.floor(Date.now() / 1_000) > second);
  expect((await harvested(worktree)).changes).toEqual({ "lf.txt": "M", "data.evil": "M" });
  expect(await git(worktree.tree, "status", "--porcelain")).toBe(" M data.evil\n M lf.txt\n");
});

test("a directory replaced by a link, a file replaced by a directory and the reverse are taken as they are", async () => {
  const worktree = await newTree();
  const at = (name: string): string => join(worktree.tree, name);
  await rm(at("dir"), { recursive: true });
  await symlink("/etc", at("dir"));
  await rm(at("lf.txt"));
  await mkdir(at("lf.txt"));
  await writeFile(at("lf.txt/deep"), "x\n");
  await rm(at("app"), { recursive: true });
  await writeFile(at("app"), "file\n");
  expect((await harvested(worktree)).changes).toEqual({
    app: "A",
    "app/[id]/page.tsx": "D",
    dir: "A",
    "dir/inner.ts": "D",
    "lf.txt": "D",
    "lf.txt/deep": "A",
  });
});

test("nothing that the agent configures in the tree is run by the harvest", async () => {
  const worktree = await newTree();
  const { tree } = worktree;
  const proof = join(root, "pwned");
  const run = `touch ${proof}`;
  for (const [key, value] of [
    ["core.fsmonitor", run],
    ["filter.evil.clean", run],
    ["filter.evil.smudge", run],
    ["diff.external", run],
    ["core.sshCommand", run],
    ["core.pager", run],
    ["core.worktree", "/etc"],
  ] as const) {
    await git(tree, "config", key, value);
  }
  await writeFile(join(tree, "data.evil"), "changed\n");
  await writeFile(join(tree, ".gitattributes"), "* filter=evil text eol=crlf working-tree-encoding=UTF-16\n");
  // A repository in place of the submodule, with a monitor of its own, and one in a new folder.
  for (const place of ["sub", "nested"]) {
    await git(tree, "init", "-q", place);
    await writeFile(join(tree, place, "file"), "x\n");
    await git(join(tree, place), "add", "-A");
    await git(join(tree, place), "commit", "-qm", "x");
    await git(join(tree, place), "config", "core.fsmonitor", run);
    await writeFile(join(tree, place, "file"), "dirty\n");
  }
  await rm(proof, { force: true });
  const result = await harvested(worktree);
  expect(result).toEqual({ changes: { ".gitattributes": "M", "data.evil": "M" }, skipped: ["nested/"] });
  await expect(lstat(proof)).rejects.toThrow("ENOENT");
  // The trap is armed: a plain git in the same tree runs it.
  await git(join(tree, "nested"), "status");
  await lstat(proof);
});

test("files inside a tracked folder that the agent made a repository are still taken", async () => {
  const worktree = await newTree();
  await git(join(worktree.tree, "dir"), "init", "-q");
  await writeFile(join(worktree.tree, "dir", "inner.ts"), "changed\n");
  await writeFile(join(worktree.tree, "dir", "new.ts"), "new\n");
  expect((await harvested(worktree)).changes).toEqual({ "dir/inner.ts": "M", "dir/new.ts": "A" });
});

test("a submodule's folder that was removed or filled stays what it was in the base", async () => {
  const removed = await newTree();
  await rm(join(removed.tree, "sub"), { recursive: true });
  const filled = await newTree();
  await writeFile(join(filled.tree, "sub", "file"), "x");
  expect((await harvested(removed)).changes).toEqual({});
  expect((await harvested(filled)).changes).toEqual({});
  const replaced = await newTree();
  await rm(join(replaced.tree, "sub"), { recursive: true });
  await writeFile(join(replaced.tree, "sub"), "x");
  expect((await harvested(replaced)).changes).toEqual({});
});

test("pipes and repositories in place of files neither hold the harvest nor get into it", async () => {
  const worktree = await newTree();
  const at = (name: string): string => join(worktree.tree, name);
  await rm(at(".gitignore"));
  await rm(at("lf.txt"));
  await rm(at("data.evil"));
  await promisify(execFile)("mkfifo", [at(".gitignore"), at("dir/.gitattributes"), at("lf.txt"), at("pipe")]);
  await git(worktree.tree, "init", "-q", "data.evil");
  await writeFile(at("data.evil/file"), "x\n");
  await git(at("data.evil"), "add", "-A");
  await git(at("data.evil"), "commit", "-qm", "x");
  const result = await harvested(worktree);
  expect(result.changes).toEqual({ ".gitignore": "D", "data.evil": "D", "lf.txt": "D" });
  expect(result.skipped).toEqual(expect.arrayContaining(["lf.txt"]));
});

test("what was harvested can be read after the tree is gone", async () => {
  const worktree = await newTree();
  await writeFile(join(worktree.tree, "fine"), "x");
  const result = await harvest(worktree, { message: "m\n", author }, signal);
  await rm(worktree.tree, { recursive: true });
  expect(await changedFiles(result.repository, base, result.commit ?? "", signal)).toHaveLength(1);
  const gate = await createWorktree(
    { cache: result.repository, commit: result.commit ?? "", directory: join(root, "trees", "gate") },
    signal,
  );
  expect(await readFile(join(gate.tree, "fine"), "utf8")).toBe("x");
});

test("more than the harvest may take is refused before git reads it", async () => {
  const worktree = await newTree();
  await writeFile(join(worktree.tree, "huge"), "");
  await truncate(join(worktree.tree, "huge"), 1e12);
  const refused = (more: object) => harvest(worktree, { message: "m\n", author, ...more }, signal);
  await expect(refused({})).rejects.toMatchObject({ reason: "LIMIT_EXCEEDED" });
  await expect(refused({ maxFiles: 0 })).rejects.toMatchObject({ reason: "LIMIT_EXCEEDED" });
});

test("names that git refuses are skipped and reported, the rest is taken", async () => {
  const worktree = await newTree();
  for (const name of [".GIT", "git~1", ".git ", "x/.Git"]) {
    await mkdir(join(worktree.tree, name), { recursive: true });
    await writeFile(join(worktree.tree, name, "config"), "x");
  }
  await writeFile(join(worktree.tree, "fine"), "x");
  const result = await harvested(worktree);
  expect(result.changes).toEqual({ fine: "A" });
  expect(result.skipped).toHaveLength(4);
});

test("a name that is not UTF-8 breaks nothing", async () => {
  const worktree = await newTree();
  await writeFile(Buffer.concat([Buffer.from(`${worktree.tree}/bad-`), Buffer.of(0xff)]), "x\n");
  await writeFile(join(worktree.tree, "fine"), "x");
  const result = await harvest(worktree, { message: "m\n", author }, signal);
  const paths = (await listFiles(result.repository, result.commit ?? "", signal)).map(({ path }) => path);
  expect(paths).toContain("bad-\\xff");
  expect(paths).toContain("日本/é.txt");
});

test("the agent's own git works in the tree: status is clean, log shows the base, commits change nothing for us", async () => {
  const worktree = await newTree();
  expect(await git(worktree.tree, "status", "--porcelain")).toBe("");
  expect(await git(worktree.tree, "log", "--format=%s")).toBe("base\n");
  await writeFile(join(worktree.tree, "mine"), "x\n");
  await git(worktree.tree, "add", "-A");
  await git(worktree.tree, "commit", "-qm", "agent's own");
  expect((await harvested(worktree)).changes).toEqual({ mine: "A" });
  await rm(join(worktree.tree, ".git"), { recursive: true });
  expect((await harvested(worktree)).changes).toEqual({ mine: "A" });
});

test("a commit that is not there is named, and leaves no folder behind", async () => {
  const directory = join(root, "missing");
  const missing = createWorktree({ cache, commit: "0123456789".repeat(4), directory }, signal);
  await expect(missing).rejects.toMatchObject({ reason: "REF_NOT_FOUND" });
  await expect(lstat(directory)).rejects.toMatchObject({ code: "ENOENT" });
});

test("a tree of a result can be made from what was harvested, byte for byte", async () => {
  const worktree = await newTree();
  await writeFile(join(worktree.tree, "lf.txt"), "one\r\ntwo\r\n");
  await writeFile(join(worktree.tree, ".gitattributes"), "* text eol=lf filter=evil\n");
  const { repository, commit = "" } = await harvest(worktree, { message: "m\n", author }, signal);
  const result = await createWorktree({ cache: repository, commit, directory: join(root, "result") }, signal);
  expect(await readFile(join(result.tree, "lf.txt"), "utf8")).toBe("one\r\ntwo\r\n");
  expect(await readFile(join(result.tree, "crlf.txt"), "utf8")).toBe("a\r\nb\r\n");
  expect(await git(result.tree, "log", "-1", "--format=%H")).toBe(`${commit}\n`);
});

test("one hundred trees can be made at once, and all of them removed", async () => {
  const parent = join(root, "many");
  const names = Array.from({ length: 100 }, (_, index) => `tree-${index}`);
  const trees = await Promise.all(
    names.map((name) => createWorktree({ cache, commit: base, directory: join(parent, name) }, signal)),
  );
  for (const { tree } of trees) expect(await readFile(join(tree, "lf.txt"), "utf8")).toBe("one\ntwo\n");
  await Promise.all(trees.slice(0, 60).map((worktree) => removeWorktree(worktree, signal)));
  await mkdir(join(parent, ".removing-half"));
  expect(await sweepWorktrees(parent, new Set(["tree-99"]), signal)).toBe(40);
  expect(await readdir(parent)).toEqual(["tree-99"]);
});

test("a tree of 5,000 files is made and harvested in seconds, even on a busy machine", async () => {
  // In memory where that is possible: some disks are ten times slower for minutes after many deletions.
  const place = await mkdtemp(join(existsSync("/dev/shm") ? "/dev/shm" : root, "agentd-git-"));
  onTestFinished(() => rm(place, { recursive: true, force: true }));
  const large = await openBareRepository({ directory: join(place, "large.git") }, signal);
  let stream = "commit refs/heads/main\ncommitter t <t@t.invalid> 0 +0000\ndata 1\nm\n";
  for (let index = 0; index < 5_000; index += 1) {
    const text = `export const at = ${index};\n`;
    stream += `M 100644 inline d${index % 50}/f${index}.ts\ndata ${text.length}\n${text}\n`;
  }
  await large.git.run(["fast-import", "--quiet"], { stdin: stream }, signal);
  const commit = await resolveRef(large, "main", signal);
  const timed = async (name: string) => {
    const startedAt = performance.now();
    const worktree = await createWorktree({ cache: large, commit, directory: join(place, name) }, signal);
    const madeAt = performance.now();
    await writeFile(join(worktree.tree, "d7", "f7.ts"), "export {};\n");
    const changedAt = performance.now();
    const result = await harvest(worktree, { message: "m\n", author }, signal);
    const harvestMs = performance.now() - changedAt;
    expect(await changedFiles(result.repository, commit, result.commit ?? "", signal)).toHaveLength(1);
    return { makeMs: madeAt - startedAt, harvestMs };
  };
  // Measured in memory on 2 cores: 0.1 s and 0.15 s. What the machine does beside may hold up one try, not each.
  let [makeMs, harvestMs] = [Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY];
  for (let round = 0; round < 4 && (makeMs > 10_000 || harvestMs > 5_000); round += 1) {
    const took = await timed(`large-tree-${round}`);
    [makeMs, harvestMs] = [Math.min(makeMs, took.makeMs), Math.min(harvestMs, took.harvestMs)];
  }
  expect(makeMs).toBeLessThanOrEqual(10_000);
  expect(harvestMs).toBeLessThanOrEqual(5_000);
});

test("a folder without rights is made readable for the harvest and removed in the end", async () => {
  const worktree = await newTree();
  await mkdir(join(worktree.tree, "closed"));
  await writeFile(join(worktree.tree, "closed", "x"), "x");
  await chmod(join(worktree.tree, "closed"), 0o000);
  await removeWorktree(worktree, signal);
  await removeWorktree(worktree, signal);
  await expect(lstat(worktree.directory)).rejects.toThrow("ENOENT");
});
