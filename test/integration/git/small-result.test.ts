import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { deflateSync } from "node:zlib";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { Repository } from "../../../services/platform/git/bare-repository.ts";
import { hasCommit, openBareRepository } from "../../../services/platform/git/bare-repository.ts";
import { createBundle, fetchBundle } from "../../../services/platform/git/bundles/bundle.ts";
import { importResult } from "../../../services/platform/git/bundles/result-bundle.ts";
import { createGit } from "../../../services/platform/git/git.ts";
import { commitTree } from "../../../services/platform/git/merge/merge.ts";
import { createObjectReader } from "../../../services/platform/git/objects/object-reader.ts";
import { scanPack } from "../../../services/platform/git/objects/pack-scan.ts";
import { diffTrees } from "../../../services/platform/git/objects/tree-diff.ts";
import { changedFiles } from "../../../services/platform/git/objects/trees.ts";

const signal = AbortSignal.timeout(600_000);
const author = { name: "w", email: "w@w.invalid", dateIso: "2026-01-01T00:00:00Z" };
const bounds = { maxObjects: 1_000, maxExpandedBytes: 1024 * 1024 };

let root: string;
let user: Repository;
let base: string;

beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), "agentd-git-"));
  user = await openBareRepository({ directory: join(root, "user.git") }, signal);
  base = await commit([], { "a.txt": "a\n", "d/x": "x\n", "d/e/y": "y\n", "was-file": "f\n", "was/folder": "g\n" });
});

afterAll(() => rm(root, { recursive: true, force: true }));

async function write(text: string): Promise<string> {
  return (await user.git.run(["hash-object", "-w", "--stdin"], { stdin: text }, signal)).stdout.toString().trim();
}

/** A commit of files; a text is content, anything else a mode and an object. */
async function commit(
  parents: readonly string[],
  files: Readonly<Record<string, string | readonly [mode: string, object: string]>>,
): Promise<string> {
  const index = { ...user.git.settings, indexFile: join(root, "index") };
  await rm(index.indexFile, { force: true });
  let lines = "";
  for (const [path, what] of Object.entries(files)) {
    const [mode, object] = typeof what === "string" ? ["100644", await write(what)] : what;
    lines += `${mode} ${object}\t${path}\0`;
  }
  await createGit(index).run(["update-index", "-z", "--index-info"], { stdin: lines }, signal);
  const { stdout } = await createGit(index).run(["write-tree", "--missing-ok"], {}, signal);
  return await commitTree(user, { tree: stdout.toString().trim(), parents, message: "m\n", author }, signal);
}

async function newCache(): Promise<Repository> {
  const directory = join(await mkdtemp(join(root, "cache-")), "r.git");
  const cache = await openBareRepository({ directory }, signal);
  const file = `${directory}.bundle`;
  await createBundle(user, { refs: { "refs/agentd/base": base } }, file, signal);
  await fetchBundle(cache, file, {}, signal);
  return cache;
}

async function bundleOf(tip: string, exclude: readonly string[] = [base]): Promise<string> {
  const file = join(root, `${tip}.bundle`);
  await createBundle(user, { refs: { "refs/agentd/result": tip }, exclude }, file, signal);
  return file;
}

test("a result's changes are the ones that git's own diff finds, whatever turns into what", async () => {
  const cache = await newCache();
  const link = await write("a.txt");
  const results = [
    await commit([base], { "a.txt": "b\n", "d/x": "x\n", "d/e/y": "y\n", "was-file": "f\n", "was/folder": "g\n" }),
    await commit([base], { "was-file/now/folder": "f\n", was: "file\n", "d/e.txt": "e\n", "d/e/y": "y\n" }),
    await commit([base], { "a.txt": ["120000", link], "d/x": ["100755", await write("x\n")], "d/é\n\t": "n\n" }),
    await commit([base], {}),
  ];
  for (const result of results) {
    const seen = await importResult(cache, await bundleOf(result), { base, commit: result }, signal);
    const told = await changedFiles(cache, base, result, signal);
    expect(seen).toEqual(told);
    expect(seen.length).toBeGreaterThan(0);
    expect(await hasCommit(cache, result, signal)).toBe(true);
  }
  await cache.git.run(["fsck", "--strict", "--no-dangling", ...results], {}, signal);
});

test("a result is taken again, with one that another result holds already", async () => {
  const cache = await newCache();
  using reader = createObjectReader(cache);
  const result = await commit([base], { "a.txt": "again\n" });
  const file = await bundleOf(result);
  const first = await importResult(cache, file, { base, commit: result, reader }, signal);
  expect(await importResult(cache, file, { base, commit: result, reader }, signal)).toEqual(first);
  const sibling = await commit([base], { "a.txt": "again\n", "b.txt": "again\n" });
  await importResult(cache, await bundleOf(sibling), { base, commit: sibling, reader }, signal);
  expect(await reader.typeOf(sibling, signal)).toBe("commit");
  await cache.git.run(["fsck", "--strict", "--no-dangling", result, sibling], {}, signal);
});

test("a result of several commits, or of other parents, is refused where one is wanted", async () => {
  const cache = await newCache();
  const first = await commit([base], { "a.txt": "one\n" });
  const [second, merge] = [
    await commit([first], { "a.txt": "two\n" }),
    await commit([base, first], { "a.txt": "m\n" }),
  ];
  for (const tip of [second, merge]) {
    const claim = { base, commit: tip, isOneCommit: true };
    await expect(importResult(cache, await bundleOf(tip), claim, signal)).rejects.toThrow("not one commit");
    expect(await hasCommit(cache, tip, signal)).toBe(false);
  }
  await importResult(cache, await bundleOf(second), { base, commit: second }, signal);
  expect(await hasCommit(cache, first, signal)).toBe(true);
});

test("a walk is given up at its bound, and finds what git finds below it", async () => {
  const cache = await newCache();
  const names = Array.from({ length: 1_100 }, (_, index) => `new/${index}`);
  const object = await write("same\n");
  const result = await commit([base], Object.fromEntries(names.map((name) => [name, ["100644", object] as const])));
  using reader = createObjectReader(user);
  const readTree = async (tree: string): Promise<Buffer> => {
    return (await reader.read(tree, { maxBytes: 1e6 }, signal))?.content ?? Buffer.alloc(0);
  };
  const treeOf = async (name: string): Promise<string> => {
    return (await user.git.run(["rev-parse", `${name}^{tree}`], {}, signal)).stdout.toString().trim();
  };
  const [from, to] = [await treeOf(base), await treeOf(result)];
  expect(await diffTrees({ readTree, visitsMax: 1_000 }, from, to)).toBeUndefined();
  const changes = await diffTrees({ readTree, visitsMax: 5_000 }, from, to);
  expect(changes).toEqual(await importResult(cache, await bundleOf(result), { base, commit: result }, signal));
});

test("a reader sees what is added later, and tells a missing object from a large one", async () => {
  const cache = await newCache();
  using reader = createObjectReader(cache);
  const result = await commit([base], { "late.txt": "late\n" });
  expect(await reader.typeOf(result, signal)).toBeUndefined();
  await importResult(cache, await bundleOf(result), { base, commit: result }, signal);
  expect(await reader.typeOf(result, signal)).toBe("commit");
  const late = await write("late\n");
  expect((await reader.read(late, { maxBytes: 5 }, signal))?.content.toString()).toBe("late\n");
  await expect(reader.read(late, { maxBytes: 4 }, signal)).rejects.toMatchObject({ reason: "LIMIT_EXCEEDED" });
  await expect(reader.typeOf(late, AbortSignal.abort(new Error("stop now")))).rejects.toThrow("stop now");
  const many = await Promise.all(Array.from({ length: 300 }, () => reader.read(late, { maxBytes: 5 }, signal)));
  expect(many.every((one) => one?.content.toString() === "late\n")).toBe(true);
  expect(await reader.typeOf("not\na name", signal)).toBeUndefined();
});

test("a pack is counted before git sees it: deltas by what they make, and nothing odd is let through", async () => {
  const long = Array.from({ length: 4_000 }, (_, line) => `line ${line} of a file\n`).join("");
  const before = await write(long);
  const after = await write(`${long}and one more\n`);
  const tip = await commit([base], { before: ["100644", before], after: ["100644", after] });
  const names = `${tip}\n${before}\n${after}\n`;
  const packed = await user.git.run(["pack-objects", "--stdout", "-q"], { stdin: names }, signal);
  const pack = packed.stdout;
  const scanned = scanPack(pack, bounds);
  expect(scanned?.objects).toBe(3);
  expect(scanned?.expandedBytes).toBeGreaterThan(2 * long.length);
  expect(pack.length).toBeLessThan(long.length);
  expect(scanPack(pack, { ...bounds, maxObjects: 2 })).toBeUndefined();
  expect(scanPack(pack, { ...bounds, maxExpandedBytes: 2 * long.length })).toBeUndefined();
  for (const odd of [
    pack.subarray(0, 40),
    Buffer.concat([pack, Buffer.from("x")]),
    Buffer.alloc(0),
    bomb(50_000_000),
    bomb(2 ** 40),
  ]) {
    expect(scanPack(odd, bounds)).toBeUndefined();
  }
});

/** A pack with one delta that claims to make so many bytes. */
function bomb(bytes: number): Buffer {
  const size = (value: number): number[] => {
    const digits: number[] = [];
    for (let rest = value; ; rest = Math.floor(rest / 128)) {
      if (rest < 128) return [...digits, rest];
      digits.push((rest % 128) | 128);
    }
  };
  const delta = Buffer.from([...size(2), ...size(bytes), 0x91, 0, 1]);
  const head = Buffer.from([(7 << 4) | delta.length]);
  const header = Buffer.from("PACK\0\0\0\x02\0\0\0\x01", "latin1");
  return Buffer.concat([header, head, Buffer.alloc(20, 1), deflateSync(delta), Buffer.alloc(20)]);
}

test("a bundle whose delta explodes is refused before it is unpacked", async () => {
  const cache = await newCache();
  const file = join(root, "bomb.bundle");
  const tip = "2".repeat(40);
  await writeFile(file, Buffer.concat([Buffer.from(`# v2 git bundle\n-${base}\n${tip} refs/x\n\n`), bomb(2 ** 40)]));
  await expect(importResult(cache, file, { base, commit: tip }, signal)).rejects.toMatchObject({
    reason: "BUNDLE_INVALID",
  });
});
