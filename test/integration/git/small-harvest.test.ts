import { execFile } from "node:child_process";
import { chmod, mkdir, mkdtemp, readFile, rename, rm, stat, symlink, utimes, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { Repository } from "../../../services/platform/git/bare-repository.ts";
import { openBareRepository } from "../../../services/platform/git/bare-repository.ts";
import { importSmallResult } from "../../../services/platform/git/bundles/small-result.ts";
import { writeSmallBundle } from "../../../services/platform/git/in-process/small-bundle.ts";
import { createObjectReader } from "../../../services/platform/git/objects/object-reader.ts";
import { changedFiles } from "../../../services/platform/git/objects/trees.ts";
import { fetchFromUrl } from "../../../services/platform/git/remote.ts";
import { harvest } from "../../../services/platform/git/worktree/harvest.ts";
import type { Worktree } from "../../../services/platform/git/worktree/worktree.ts";
import { createWorktree } from "../../../services/platform/git/worktree/worktree.ts";
import { readDiff } from "../../../services/worker/gate/review/changed-file.ts";

const signal = new AbortController().signal;
const author = { name: "agentd agent", email: "agent@agentd.invalid", dateIso: "2026-01-02T03:04:05.678Z" };
const message = "t: attempt 1\n\nTask default/j/t";
const badName = Buffer.concat([Buffer.from("bad-"), Buffer.of(0xff), Buffer.from(" x")]);

let root: string;
let cache: Repository;
let base: string;
let count = 0;

beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), "agentd-git-"));
  const origin = join(root, "origin");
  await mkdir(join(origin, "src", "deep"), { recursive: true });
  const lines = Array.from({ length: 60 }, (_, at) => `line ${at % 7}\n`).join("");
  await git(origin, "init", "-q", "-b", "main");
  await writeFile(join(origin, ".gitattributes"), "*.txt -diff text eol=lf\n");
  await writeFile(join(origin, "src", "a.ts"), lines);
  await writeFile(join(origin, "src", "deep", "b c.ts"), "one\r\ntwo\r\nthree");
  await writeFile(join(origin, "src.ts"), "sorts between src and src/\n");
  await writeFile(join(origin, "binary"), Buffer.of(1, 0, 2));
  await writeFile(join(origin, "empty"), "");
  await writeFile(join(origin, "run.sh"), "#!/bin/sh\n", { mode: 0o755 });
  await writeFile(join(origin, "日本.txt"), "é\n");
  await writeFile(Buffer.concat([Buffer.from(`${origin}/`), badName]), "odd\n");
  await symlink("run.sh", join(origin, "link"));
  await git(origin, "add", "-A");
  await git(origin, "commit", "-qm", "base");
  cache = await openBareRepository({ directory: join(root, "cache.git") }, signal);
  base = await fetchFromUrl(cache, { url: origin, ref: "main" }, { environment: {} }, signal);
});

afterAll(() => rm(root, { recursive: true, force: true }));

async function git(cwd: string, ...args: string[]): Promise<string> {
  const identity = ["-c", "user.name=t", "-c", "user.email=t@t.invalid"];
  const env = { PATH: process.env["PATH"] ?? "", HOME: root, GIT_CONFIG_GLOBAL: "/dev/null", GIT_CONFIG_NOSYSTEM: "1" };
  const { stdout } = await promisify(execFile)("git", [...identity, ...args], { cwd, env });
  return stdout;
}

async function newTree(): Promise<Worktree> {
  count += 1;
  return createWorktree({ cache, commit: base, directory: join(root, "trees", `attempt-${count}`) }, signal);
}

/** The same tree with an index in a form that only git reads. */
async function forGitOnly(worktree: Worktree): Promise<Worktree> {
  const indexFile = join(worktree.directory, "index-4");
  await writeFile(indexFile, await readFile(worktree.indexFile));
  const env = { PATH: process.env["PATH"] ?? "", GIT_DIR: cache.gitDir, GIT_INDEX_FILE: indexFile };
  await promisify(execFile)("git", ["update-index", "--index-version", "4"], { env, cwd: root });
  const { atime, mtime } = await stat(worktree.indexFile);
  await utimes(indexFile, atime, mtime);
  return { ...worktree, indexFile };
}

/** Harvests in both ways, which must agree. @returns the changes, and whether the short way was taken. */
async function harvestBoth(worktree: Worktree): Promise<{ changes: Record<string, string>; isShort: boolean }> {
  const short = await harvest(worktree, { message, author }, signal);
  const long = await harvest(await forGitOnly(worktree), { message, author }, signal);
  expect(long.objects).toBeUndefined();
  expect([short.commit, short.skipped]).toEqual([long.commit, long.skipped]);
  expect(short.changes).toEqual(long.changes);
  if (short.commit === undefined) return { changes: {}, isShort: true };
  const [ours, gits] = [await readFile(short.diffFile, "utf8"), await readFile(long.diffFile, "utf8")];
  const wordless = (diff: string) => diff.replace(/^(@@ .*? @@).*$/gm, "$1").replace(/^index .*$/gm, "index");
  expect(wordless(ours)).toBe(wordless(gits));
  expect(readDiff(ours)).toEqual(readDiff(gits));
  await short.repository.git.run(["fsck", "--strict", short.commit], {}, signal);
  const changes = await changedFiles(short.repository, base, short.commit, signal);
  const isShort = short.objects !== undefined;
  return { changes: Object.fromEntries(changes.map(({ path, status }) => [path, status])), isShort };
}

type Change = (at: (name: string) => string, tree: string) => Promise<unknown>;

const taken: readonly [title: string, change: Change, changes: Record<string, string>][] = [
  ["nothing", async () => {}, {}],
  ["a file that was touched and is the same", (at) => utimes(at("src/a.ts"), 1, 1), {}],
  ["a changed line", (at) => replace(at("src/a.ts"), "line 3", "line three"), { "src/a.ts": "M" }],
  [
    "CR LF and a new last line end",
    (at) => writeFile(at("src/deep/b c.ts"), "one\r\n2\r\nthree\n"),
    { "src/deep/b c.ts": "M" },
  ],
  ["a file that attributes call binary", (at) => writeFile(at("日本.txt"), "e\nf"), { "日本.txt": "M" }],
  ["a binary file", (at) => writeFile(at("binary"), Buffer.of(1, 0, 3)), { binary: "M" }],
  ["a file that becomes binary", (at) => writeFile(at("run.sh"), Buffer.of(0)), { "run.sh": "M" }],
  [
    "an emptied file, a filled one, a new empty one",
    async (at) => {
      await writeFile(at("src.ts"), "");
      await writeFile(at("empty"), "x");
      await writeFile(at("new"), "");
    },
    { "src.ts": "M", empty: "M", new: "A" },
  ],
  [
    "executable bits",
    async (at) => {
      await chmod(at("run.sh"), 0o644);
      await chmod(at("src.ts"), 0o755);
      await writeFile(at("src.ts"), "changed too\n");
    },
    { "run.sh": "M", "src.ts": "M" },
  ],
  [
    "another link, and a new one to nowhere",
    async (at) => {
      await rm(at("link"));
      await symlink("src", at("link"));
      await symlink("/nowhere/é", at("src/out"));
    },
    { link: "M", "src/out": "A" },
  ],
  [
    "a deleted folder and an empty one",
    async (at) => {
      await rm(at("src"), { recursive: true });
      await mkdir(at("void/void"), { recursive: true });
    },
    { "src/a.ts": "D", "src/deep/b c.ts": "D" },
  ],
  [
    "new files in new folders that sort oddly",
    async (at) => {
      for (const name of ["src-x/y", "src/deep.x", "src/deep/z/q r.txt", "src0"]) {
        await mkdir(dirname(at(name)), { recursive: true });
        await writeFile(at(name), `${name}\n`);
      }
    },
    { "src-x/y": "A", "src/deep.x": "A", "src/deep/z/q r.txt": "A", src0: "A" },
  ],
  ["a renamed file", (at) => rename(at("src/a.ts"), at("a.ts")), { "a.ts": "A", "src/a.ts": "D" }],
  [
    "a file in place of a folder, a folder in place of a file",
    async (at) => {
      await rm(at("src"), { recursive: true });
      await writeFile(at("src"), "file\n");
      await rm(at("src.ts"));
      await mkdir(at("src.ts"));
      await writeFile(at("src.ts/x"), "x\n");
    },
    { src: "A", "src.ts": "D", "src.ts/x": "A", "src/a.ts": "D", "src/deep/b c.ts": "D" },
  ],
  [
    "a link in place of a folder, to files of the same names",
    async (at) => {
      await rename(at("src"), at("moved"));
      await symlink("moved", at("src"));
    },
    { "moved/a.ts": "A", "moved/deep/b c.ts": "A", src: "A", "src/a.ts": "D", "src/deep/b c.ts": "D" },
  ],
  [
    "a name that is not UTF-8",
    (_, tree) => writeFile(Buffer.concat([Buffer.from(`${tree}/`), badName]), "even\n"),
    { "bad-\\xff x": "M" },
  ],
  [
    "a change within the moment of the check-out, its times set back",
    async (at) => {
      const { atime, mtime } = await stat(at("src.ts"));
      await writeFile(at("src.ts"), "SORTS between src and src/\n");
      await utimes(at("src.ts"), atime, mtime);
    },
    { "src.ts": "M" },
  ],
];

test.each(taken)("without git the harvest takes %s as git does", async (_title, change, changes) => {
  const worktree = await newTree();
  await change((name) => join(worktree.tree, name), worktree.tree);
  expect(await harvestBoth(worktree)).toEqual({ changes, isShort: true });
});

const left: readonly [title: string, change: Change, changes: Record<string, string>][] = [
  [
    "a file that becomes a link",
    async (at) => {
      await rm(at("empty"));
      await symlink("src", at("empty"));
    },
    { empty: "T" },
  ],
  ["git's own files", (at) => writeFile(at(".gitattributes"), "* filter=evil\n"), { ".gitattributes": "M" }],
  ["names that git quotes", (at) => writeFile(at('q"\n'), "x"), { 'q"\n': "A" }],
  ["names that other systems read in their way", (at) => writeFile(at("git~2"), "x"), { "git~2": "A" }],
  ["large files", (at) => writeFile(at("large"), "x\n".repeat(200_000)), { large: "A" }],
  [
    "many files",
    async (at) => {
      for (let index = 0; index < 70; index += 1) await writeFile(at(`f${index}`), "x");
    },
    Object.fromEntries(Array.from({ length: 70 }, (_, index) => [`f${index}`, "A"])),
  ],
];

test.each(left)("the harvest leaves %s to git", async (_title, change, changes) => {
  const worktree = await newTree();
  await change((name) => join(worktree.tree, name), worktree.tree);
  expect(await harvestBoth(worktree)).toEqual({ changes, isShort: false });
});

test("new files where something is ignored are found by git and committed without", async () => {
  const worktree = await newTree();
  await writeFile(join(worktree.tree, "src", ".gitignore"), "*.log\n.gitignore\n");
  await writeFile(join(worktree.tree, "src", "x.log"), "x");
  await writeFile(join(worktree.tree, "src", "x.ts"), "x");
  expect(await harvestBoth(worktree)).toEqual({ changes: { "src/x.ts": "A" }, isShort: true });
});

test("pipes, repositories and a file's replacement by one do not hold the harvest", async () => {
  const worktree = await newTree();
  const { tree } = worktree;
  await rm(join(tree, "empty"));
  await promisify(execFile)("mkfifo", [join(tree, "empty"), join(tree, "src", ".gitignore")]);
  await git(tree, "init", "-q", "nested");
  await writeFile(join(tree, "nested", "file"), "x");
  expect((await harvestBoth(worktree)).changes).toEqual({ empty: "D" });
});

test("a bundle that was written without git is taken as a result, and holds all that is new", async () => {
  const worktree = await newTree();
  await writeFile(join(worktree.tree, "src", "deep", "b c.ts"), "new\n");
  await writeFile(join(worktree.tree, "copy"), "new\n");
  // The cache has this content, but not in the base: the receiver need not have it.
  await cache.git.run(["hash-object", "-w", "--stdin"], { stdin: "new\n" }, signal);
  const { commit = "", repository, objects = [] } = await harvest(worktree, { message, author }, signal);
  const file = join(root, "small.bundle");
  expect(await writeSmallBundle(repository, { ref: "refs/agentd/result", commit, base, objects }, file)).toBe(true);
  const receiver = await openBareRepository({ directory: join(root, "receiver.git") }, signal);
  await fetchFromUrl(receiver, { url: join(root, "origin"), ref: "main" }, { environment: {} }, signal);
  using reader = createObjectReader(receiver);
  const deps = { repository: receiver, reader, refused: (why: string) => new Error(why) as never };
  const changed = await importSmallResult(deps, file, { commit, base }, signal);
  expect(changed?.map(({ path }) => path)).toEqual(["copy", "src/deep/b c.ts"]);
  await receiver.git.run(["fsck", "--strict", commit], {}, signal);
  const listed = await git(root, "bundle", "list-heads", file);
  expect(listed).toBe(`${commit} refs/agentd/result\n`);
});

async function replace(file: string, from: string, to: string): Promise<void> {
  await writeFile(file, (await readFile(file, "utf8")).replace(from, to));
}
