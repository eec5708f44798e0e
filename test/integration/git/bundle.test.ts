import { execFile } from "node:child_process";
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, expect, test } from "vitest";
import { isAgentdError } from "../../../services/core/errors.ts";
import type { Repository } from "../../../services/platform/git/bare-repository.ts";
import {
  hasCommit,
  isAncestor,
  openBareRepository,
  openUserRepository,
  resolveRef,
  updateRef,
} from "../../../services/platform/git/bare-repository.ts";
import { createBundle, fetchBundle } from "../../../services/platform/git/bundles/bundle.ts";
import { importResult, sweepQuarantines } from "../../../services/platform/git/bundles/result-bundle.ts";
import { changedFiles, diff, readBlob } from "../../../services/platform/git/objects/trees.ts";
import { fetchFromUrl, pushCommit, remoteBranch } from "../../../services/platform/git/remote.ts";

const signal = new AbortController().signal;
const local = { environment: {} };

let root: string;
let origin: string;
let user: Repository;
let base: string;

beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), "agentd-git-"));
  origin = join(root, "origin");
  await mkdir(join(origin, "deep", "folder"), { recursive: true });
  await git(origin, "init", "-q", "-b", "main");
  await writeFile(join(origin, "a.txt"), "a\n".repeat(1_000));
  await writeFile(join(origin, "deep", "folder", "b.txt"), "b\n");
  await git(origin, "add", "-A");
  await git(origin, "commit", "-qm", "base");
  await git(origin, "tag", "v1");
  user = await openUserRepository(join(origin, "deep", "folder"), {}, signal);
  base = await resolveRef(user, "main", signal);
});

afterAll(() => rm(root, { recursive: true, force: true }));

async function git(cwd: string, ...args: string[]): Promise<string> {
  const identity = ["-c", "user.name=t", "-c", "user.email=t@t.invalid"];
  const env = { PATH: process.env["PATH"] ?? "", HOME: root, GIT_CONFIG_GLOBAL: "/dev/null", GIT_CONFIG_NOSYSTEM: "1" };
  return (await promisify(execFile)("git", [...identity, ...args], { cwd, env })).stdout;
}

/** A commit with the given tree entries (mktree lines), made without any of git's own checks on names. */
async function commitOf(entries: string, parent: string): Promise<string> {
  const made = await user.git.run(["mktree", "--missing"], { stdin: entries }, signal);
  const who = { name: "w", email: "w@w.invalid", dateIso: "2026-01-01T00:00:00Z" };
  const args = ["commit-tree", made.stdout.toString().trim(), "-p", parent, "-m", "result"];
  return (await user.git.run(args, { author: who, committer: who }, signal)).stdout.toString().trim();
}

async function blob(text: string): Promise<string> {
  return (await user.git.run(["hash-object", "-w", "--stdin"], { stdin: text }, signal)).stdout.toString().trim();
}

async function newCache(): Promise<Repository> {
  const cache = await openBareRepository(
    { directory: await mkdtemp(join(root, "cache-")).then((d) => join(d, "r")) },
    signal,
  );
  const file = `${cache.gitDir}.bundle`;
  await createBundle(user, { refs: { "refs/heads/main": base } }, file, signal);
  await fetchBundle(cache, file, {}, signal);
  return cache;
}

async function bundleOf(commit: string, exclude: readonly string[] = [base]): Promise<string> {
  const file = join(root, `result-${commit}.bundle`);
  await createBundle(user, { refs: { "refs/agentd/result": commit }, exclude }, file, signal);
  return file;
}

async function reasonOf(promise: Promise<unknown>): Promise<string> {
  const error = await promise.then(
    () => undefined,
    (cause: unknown) => cause,
  );
  // Who reads it elsewhere has no use for a temporary file of ours.
  const isTelling = isAgentdError(error, "BUNDLE_INVALID") && Object.keys(error.metadata).length > 0;
  if (isTelling) return `metadata: ${JSON.stringify(error.metadata)}`;
  return isAgentdError(error) ? `${error.reason}: ${error.message}` : String(error);
}

test("a base bundle and a result bundle carry a commit into a cache without any ref", async () => {
  const cache = await newCache();
  const result = await commitOf(`100644 blob ${await blob("a\n".repeat(999))}\ta.txt\n`, base);
  const file = await bundleOf(result);
  expect(await git(origin, "bundle", "verify", file)).toContain("refs/agentd/result");
  const changes = await importResult(cache, file, { base, commit: result }, signal);
  expect(changes.map(({ status, path }) => `${status} ${path}`)).toEqual(["M a.txt", "D deep/folder/b.txt"]);
  expect(await hasCommit(cache, result, signal)).toBe(true);
  expect(await isAncestor(cache, base, result, signal)).toBe(true);
  expect(await isAncestor(cache, result, base, signal)).toBe(false);
  expect((await readBlob(cache, result, "a.txt", { maxBytes: 10_000 }, signal))?.length).toBe(1_998);
  expect(await readBlob(cache, result, "none", { maxBytes: 10 }, signal)).toBeUndefined();
  expect((await readdir(cache.gitDir)).filter((name) => name.startsWith("quarantine"))).toEqual([]);
  expect((await cache.git.run(["for-each-ref"], {}, signal)).stdout.length).toBe(0);
  await cache.git.run(["fsck", "--strict", "--no-dangling", result], {}, signal);
});

test("a second result may build on the first, whose commit no ref names", async () => {
  const cache = await newCache();
  const first = await commitOf(`100644 blob ${await blob("1\n")}\tone\n`, base);
  const second = await commitOf(`100644 blob ${await blob("2\n")}\ttwo\n`, first);
  const early = await importResult(cache, await bundleOf(second, [first]), { base, commit: second }, signal).catch(
    (error: unknown) => error,
  );
  expect(isAgentdError(early, "OBJECT_MISSING")).toBe(true);
  await importResult(cache, await bundleOf(first), { base, commit: first }, signal);
  await importResult(cache, await bundleOf(second, [first]), { base, commit: second }, signal);
  expect(await hasCommit(cache, second, signal)).toBe(true);
});

test("hostile results are refused and leave nothing in the cache", async () => {
  const cache = await newCache();
  const object = await blob("x\n");
  const evilModules = await blob('[submodule "x"]\n\tpath = x\n\turl = --upload-pack=touch pwned\n');
  const inner = (await user.git.run(["mktree"], { stdin: `100644 blob ${object}\tconfig\n` }, signal)).stdout
    .toString()
    .trim();
  const cases: Record<string, string> = {
    "a .git folder": `040000 tree ${inner}\t.git\n`,
    "a .GIT folder": `040000 tree ${inner}\t.GIT\n`,
    "a parent folder": `040000 tree ${inner}\t..\n`,
    "a .gitmodules with an option as URL": `100644 blob ${evilModules}\t.gitmodules\n160000 commit ${base}\tx\n`,
    "a .gitmodules that is a link": `120000 blob ${object}\t.gitmodules\n`,
    "a new submodule": `160000 commit ${base}\tx\n`,
  };
  for (const [name, entries] of Object.entries(cases)) {
    const commit = await commitOf(entries, base);
    expect(await reasonOf(importResult(cache, await bundleOf(commit), { base, commit }, signal)), name).toContain(
      "BUNDLE_INVALID",
    );
    expect(await hasCommit(cache, commit, signal), name).toBe(false);
  }
});

test("a result that is not what was claimed is refused", async () => {
  const cache = await newCache();
  const good = await commitOf(`100644 blob ${await blob("good\n")}\tgood\n`, base);
  const file = await bundleOf(good);
  const refused = (path: string, claim: Parameters<typeof importResult>[2]): Promise<string> =>
    reasonOf(importResult(cache, path, claim, signal));
  expect(await refused(file, { base, commit: base })).toContain("exactly the claimed commit");
  expect(await refused(file, { base: good, commit: good })).toContain("OBJECT_MISSING");
  expect(await refused(file, { base, commit: good, maxBytes: 100 })).toContain("UPLOAD_TOO_LARGE");
  expect(await refused(file, { base, commit: good, maxObjects: 1 })).toContain("UPLOAD_TOO_LARGE");
  const large = await commitOf(`100644 blob ${await blob("0".repeat(5_000_000))}\tlarge\n`, base);
  expect(await refused(await bundleOf(large), { base, commit: large, maxExpandedBytes: 1_000_000 })).toContain(
    "UPLOAD_TOO_LARGE",
  );
  const orphan = await git(origin, "commit-tree", `${base}^{tree}`, "-m", "orphan").then((text) => text.trim());
  expect(await refused(await bundleOf(orphan, []), { base, commit: orphan })).toContain("does not descend");

  const bytes = await readFile(file);
  const broken = join(root, "broken.bundle");
  for (const [name, content] of [
    ["cut", bytes.subarray(0, bytes.length - 30)],
    [
      "flipped",
      Buffer.concat([bytes.subarray(0, -40), Buffer.from([bytes.at(-40) ?? 0].map((b) => b ^ 1)), bytes.subarray(-39)]),
    ],
    ["empty", Buffer.alloc(0)],
    ["no bundle", Buffer.from("hello\n\n")],
  ] as const) {
    await writeFile(broken, content);
    expect(await refused(broken, { base, commit: good }), name).toContain("BUNDLE_INVALID");
  }
  // A pack that lacks the file that its tree names.
  const missing = await commitOf(`100644 blob ${"1".repeat(40)}\tmissing\n`, base);
  const pack = await user.git.run(
    ["pack-objects", "--stdout", "-q"],
    {
      stdin: `${missing}\n${(await git(origin, "rev-parse", `${missing}^{tree}`)).trim()}\n`,
    },
    signal,
  );
  await writeFile(
    broken,
    Buffer.concat([Buffer.from(`# v2 git bundle\n-${base}\n${missing} refs/x\n\n`), pack.stdout]),
  );
  expect(await refused(broken, { base, commit: missing })).toContain("BUNDLE_INVALID");
  expect(await reasonOf(fetchBundle(cache, broken, {}, signal))).toContain("history is incomplete");
  expect(await hasCommit(cache, missing, signal)).toBe(false);
  await importResult(cache, file, { base, commit: good }, signal);
});

test("a result of more objects than are stored one by one is taken as a pack", async () => {
  const cache = await newCache();
  const names = Array.from({ length: 1_200 }, (_, index) => `f${index}.txt`);
  const files = await mkdtemp(join(root, "many-"));
  await Promise.all(names.map((name) => writeFile(join(files, name), name)));
  const hashed = await user.git.run(
    ["hash-object", "-w", "--stdin-paths"],
    { stdin: names.map((name) => `${join(files, name)}\n`).join("") },
    signal,
  );
  const objects = hashed.stdout.toString().trim().split("\n");
  const commit = await commitOf(objects.map((object, at) => `100644 blob ${object}\t${names[at]}\n`).join(""), base);
  await importResult(cache, await bundleOf(commit), { base, commit }, signal);
  expect(await hasCommit(cache, commit, signal)).toBe(true);
  expect((await readdir(join(cache.objectDirectory, "pack"))).filter((name) => name.endsWith(".pack"))).toHaveLength(2);
});

test("many results are imported at once, and left quarantines are swept", async () => {
  const cache = await newCache();
  const results = await Promise.all(
    Array.from({ length: 12 }, async (_, index) =>
      commitOf(`100644 blob ${await blob(`${index}`)}\tf${index}\n`, base),
    ),
  );
  await Promise.all(
    results.map(async (commit) => importResult(cache, await bundleOf(commit), { base, commit }, signal)),
  );
  for (const commit of results) expect(await hasCommit(cache, commit, signal)).toBe(true);
  await mkdir(join(cache.gitDir, "quarantine-dead"));
  await sweepQuarantines(cache);
  expect((await readdir(cache.gitDir)).filter((name) => name.startsWith("quarantine"))).toEqual([]);
});

test("opening the same cache twenty times at once makes one", async () => {
  const directory = join(root, "raced");
  await Promise.all(Array.from({ length: 20 }, () => openBareRepository({ directory }, signal)));
  expect((await readdir(root)).filter((name) => name.startsWith("raced"))).toEqual(["raced"]);
});

test("refs are resolved and moved only as expected; what does not exist is REF_NOT_FOUND", async () => {
  for (const ref of ["main", "v1", "HEAD", "refs/heads/main", base, base.slice(0, 12)]) {
    expect(await resolveRef(user, ref, signal)).toBe(base);
  }
  for (const ref of ["", "none", "--all", "main..v1", "a b", "x\ny", "0".repeat(40), "@{-1}", ":/base"]) {
    expect(await reasonOf(resolveRef(user, ref, signal)), ref).toContain("REF_NOT_FOUND");
  }
  const cache = await newCache();
  expect(await reasonOf(resolveRef(cache, "HEAD", signal))).toContain("no commit yet");
  const ref = "refs/agentd/head";
  await updateRef(cache, { ref, commit: base, expected: null }, signal);
  expect(await reasonOf(updateRef(cache, { ref, commit: base, expected: null }, signal))).toContain("CONFLICT");
  expect(await reasonOf(updateRef(cache, { ref, commit: base, expected: "1".repeat(40) }, signal))).toContain(
    "CONFLICT",
  );
});

test("a remote is fetched by branch, tag, commit or HEAD; trouble has its own reason", async () => {
  const cache = await openBareRepository({ directory: join(root, "fetched") }, signal);
  for (const ref of ["main", "v1", "HEAD", base]) {
    expect(await fetchFromUrl(cache, { url: origin, ref }, local, signal)).toBe(base);
  }
  expect(await reasonOf(fetchFromUrl(cache, { url: origin, ref: "none" }, local, signal))).toContain("REF_NOT_FOUND");
  expect(await reasonOf(fetchFromUrl(cache, { url: origin, ref: base.slice(0, 12) }, local, signal))).toContain(
    "give its full hash of 40 digits",
  );
  const empty = join(root, "empty");
  await mkdir(empty);
  await git(empty, "init", "-q", "--bare");
  expect(await reasonOf(fetchFromUrl(cache, { url: empty, ref: "main" }, local, signal))).toContain(
    "repository is empty",
  );
  expect(await reasonOf(fetchFromUrl(cache, { url: empty, ref: "HEAD" }, local, signal))).toContain("REF_NOT_FOUND");
  for (const url of [
    join(root, "nowhere"),
    "--upload-pack=x",
    "ext::sh -c touch% pwned",
    "",
    "http://127.0.0.1:1/x.git",
  ]) {
    expect(await reasonOf(fetchFromUrl(cache, { url, ref: "main" }, local, signal)), url).toContain(
      "REPOSITORY_UNREACHABLE",
    );
  }
  const secret = await reasonOf(
    fetchFromUrl(cache, { url: "http://me:hunter2@127.0.0.1:1/x", ref: "main" }, local, signal),
  );
  expect(secret).not.toContain("hunter2");
});

test("a push moves the branch only from where it is expected", async () => {
  const cache = await newCache();
  const url = join(root, "target.git");
  await mkdir(url);
  await git(url, "init", "-q", "--bare");
  const target = { url, branch: "agentd/job" };
  const next = await commitOf(`100644 blob ${await blob("next\n")}\tnext\n`, base);
  await importResult(cache, await bundleOf(next), { base, commit: next }, signal);
  expect(await remoteBranch(cache, target, local, signal)).toBeUndefined();
  const push = (commit: string, expected: string | null) =>
    pushCommit(cache, { ...target, commit, expected }, local, signal);
  expect(await push(base, null)).toEqual({ kind: "pushed" });
  expect((await push(next, null)).kind).toBe("rejected");
  expect((await push(next, next)).kind).toBe("rejected");
  expect(await push(next, base)).toEqual({ kind: "pushed" });
  expect(await remoteBranch(cache, target, local, signal)).toBe(next);
  const hook = join(url, "hooks", "pre-receive");
  await writeFile(hook, "#!/bin/sh\necho 'Sign the CLA first.' >&2\necho 'See /cla' >&2\nexit 1\n", { mode: 0o755 });
  expect(await push(base, next)).toEqual({
    kind: "rejected",
    message: "[remote rejected] (pre-receive hook declined): Sign the CLA first; See /cla",
  });
  const nowhere = join(root, "x");
  expect(await reasonOf(remoteBranch(cache, { ...target, url: nowhere }, local, signal))).not.toContain("\n");
  expect(
    await reasonOf(pushCommit(cache, { ...target, url: join(root, "x"), commit: base, expected: null }, local, signal)),
  ).toContain("REPOSITORY_UNREACHABLE");
});

test("changes list both sides of a rename; a diff is cut at its cap", async () => {
  const { stdout } = await user.git.run(["ls-tree", base, "a.txt"], {}, signal);
  const moved = await commitOf(stdout.toString().replace("a.txt", "z\tz.txt"), base);
  const changes = await changedFiles(user, base, moved, signal);
  expect(changes.map(({ status, path }) => `${status} ${path}`)).toContain("D a.txt");
  expect(changes.filter(({ status }) => status === "A")).toHaveLength(1);
  const text = await diff(user, base, moved, { maxBytes: 1_000_000 }, signal);
  expect(text.text).toContain("rename from a.txt");
  const cut = await diff(user, base, moved, { maxBytes: 50 }, signal);
  expect(cut).toEqual({ text: text.text.slice(0, 50), isTruncated: true });
});

test("a linked worktree, a shallow clone and a folder without a repository are told apart", async () => {
  await git(origin, "worktree", "add", "-q", "--detach", join(root, "linked"), "v1");
  const linked = await openUserRepository(join(root, "linked"), {}, signal);
  expect(await resolveRef(linked, "HEAD", signal)).toBe(base);
  await createBundle(linked, { refs: { HEAD: base } }, join(root, "linked.bundle"), signal);
  await git(origin, "commit", "-q", "--allow-empty", "-m", "second");
  await git(root, "clone", "-q", "--depth=1", `file://${origin}`, "shallow");
  expect(await reasonOf(openUserRepository(join(root, "shallow"), {}, signal))).toContain("shallow");
  expect(await reasonOf(openUserRepository(root, {}, signal))).toContain("REPOSITORY_UNREACHABLE");
  expect(await reasonOf(openUserRepository(join(root, "none"), {}, signal))).toContain("There is no folder");
});
