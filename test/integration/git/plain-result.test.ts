import { mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { hasCommit, openBareRepository, type Repository } from "../../../services/platform/git/bare-repository.ts";
import { importResult } from "../../../services/platform/git/bundles/result-bundle.ts";
import { isPlainResult } from "../../../services/platform/git/in-process/plain-result.ts";
import { writePackBundle } from "../../../services/platform/git/in-process/small-bundle.ts";
import { type NewObject, newObject } from "../../../services/platform/git/objects/commit-objects.ts";
import { createObjectReader } from "../../../services/platform/git/objects/object-reader.ts";
import { packObjects } from "../../../services/platform/git/objects/pack-file.ts";

const signal = AbortSignal.timeout(120_000);
const line = "Ada <ada@example.invalid> 1700000000 +0000";

let root: string;
let origin: Repository;
let base: string;
let cache: Repository;

type Entry = readonly [mode: string, name: string, object: NewObject | string];

const blob = (text: string): NewObject => newObject("blob", Buffer.from(text));
const nameOf = (object: NewObject | string): string => (typeof object === "string" ? object : object.name);
const tree = (...entries: readonly Entry[]): NewObject => {
  const bytes = entries.flatMap(([mode, name, object]) => [
    Buffer.from(`${mode} ${name}\0`),
    Buffer.from(nameOf(object), "hex"),
  ]);
  return newObject("tree", Buffer.concat(bytes));
};
const commit = (top: NewObject, header = `author ${line}\ncommitter ${line}\n`, parent = base): NewObject =>
  newObject("commit", Buffer.from(`tree ${top.name}\nparent ${parent}\n${header}\nm\n`));

const [old, kept, fresh] = [blob("old\n"), blob("kept\n"), blob("fresh\n")];
const folder = tree(["100644", "kept", kept]);

beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), "agentd-git-"));
  origin = await openBareRepository({ directory: join(root, "origin.git") }, signal);
  const top = tree(["100644", "a", old], ["40000", "d", folder]);
  const text = `tree ${top.name}\nauthor ${line}\ncommitter ${line}\n\nbase\n`;
  const objects = [old, kept, folder, top, newObject("commit", Buffer.from(text))];
  base = objects.at(-1)?.name ?? "";
  const { bytes } = await packObjects(objects);
  await origin.git.run(["unpack-objects", "--strict", "-q"], { stdin: bytes }, signal);
});
beforeEach(async () => {
  // A cache that has the base and nothing else.
  const directory = join(root, `cache-${Math.random()}.git`);
  cache = await openBareRepository({ directory }, signal);
  await writeFile(join(cache.objectDirectory, "info", "alternates"), `${origin.objectDirectory}\n`);
});
afterAll(() => rm(root, { recursive: true, force: true }));

async function take(objects: readonly NewObject[], change: (pack: Buffer) => void = () => undefined) {
  const tip = objects.find(({ type }) => type === "commit")?.name ?? "";
  const file = join(root, `bundle-${Math.random()}`);
  const { bytes } = await packObjects(objects);
  change(bytes);
  await writePackBundle({ ref: "refs/agentd/result", commit: tip, base }, bytes, file);
  return await importResult(cache, file, { base, commit: tip, isOneCommit: true }, signal);
}

async function isPlain(objects: readonly NewObject[]): Promise<boolean> {
  using reader = createObjectReader(cache);
  const tip = objects.find(({ type }) => type === "commit")?.name ?? "";
  const baseTree = tree(["100644", "a", old], ["40000", "d", folder]).name;
  const readTree = async (name: string) =>
    (await reader.read(name, { maxBytes: 1e6 }, signal))?.content ?? Buffer.alloc(0);
  const typeOf = (name: string) => reader.typeOf(name, signal);
  const found = { objects: new Map(objects.map((object) => [object.name, object])), commit: tip, base, baseTree };
  return await isPlainResult({ ...found, readTree, typeOf }).catch(() => false);
}

test("a plain result is taken without git, and is whole for git", async () => {
  const inner = tree(["100644", "kept", kept], ["100755", "new", fresh]);
  const top = tree(["100644", "a", fresh], ["40000", "d", inner], ["120000", "link", old]);
  const objects = [fresh, inner, top, commit(top)];
  expect(await isPlain(objects)).toBe(true);
  const changed = await take(objects);
  expect(changed.map(({ path, status }) => `${status} ${path}`)).toEqual(["M a", "A d/new", "A link"]);
  expect((await readdir(cache.gitDir)).filter((name) => name.startsWith("quarantine"))).toEqual([]);
  await cache.git.run(["fsck", "--strict", "--full", objects.at(-1)?.name ?? ""], {}, signal);
});

const rest: Entry = ["40000", "d", folder];
const missing = "1".repeat(40);
const odd: Readonly<Record<string, (made: (...entries: readonly Entry[]) => NewObject[]) => NewObject[]>> = {
  "entries in another order": (made) => [fresh, ...made(rest, ["100644", "a", fresh])],
  "a name twice": (made) => [fresh, ...made(["100644", "a", fresh], ["100644", "a", old], rest)],
  "a file and a folder of one name": (made) => [fresh, ...made(["100644", "d", fresh], rest)],
  "a mode with a zero before it": (made) => [fresh, ...made(["0100644", "a", fresh], rest)],
  "the name .git": (made) => [fresh, ...made(["100644", ".git", fresh], ["100644", "a", old], rest)],
  "the name .GIT in another case": (made) => [fresh, ...made(["100644", ".GiT", fresh], ["100644", "a", old], rest)],
  "the name ..": (made) => [fresh, ...made(["100644", "..", fresh], ["100644", "a", old], rest)],
  "a path as name": (made) => [fresh, ...made(["100644", "a", old], ["100644", "b/c", fresh], rest)],
  "an empty name": (made) => [fresh, ...made(["100644", "", fresh], ["100644", "a", old], rest)],
  "a blob that is nowhere": (made) => made(["100644", "a", missing], rest),
  "a folder that is nowhere": (made) => made(["100644", "a", old], ["40000", "d", missing]),
  "a folder where a file is": (made) => made(["100644", "a", old], ["40000", "d", old]),
  "a file where a folder is": (made) => made(["100644", "a", folder], rest),
};

test.each(Object.entries(odd))("a result with %s is refused, by git", async (_, make) => {
  const objects = make((...entries) => {
    const top = tree(...entries);
    return [top, commit(top)];
  });
  expect(await isPlain(objects)).toBe(false);
  await expect(take(objects)).rejects.toMatchObject({ reason: "BUNDLE_INVALID" });
  expect(await hasCommit(cache, objects.at(-1)?.name ?? "", signal)).toBe(false);
});

test("a commit in an odd form, other parents, a wrong checksum and what nobody names are not plain", async () => {
  const top = tree(["100644", "a", fresh], rest);
  for (const header of [
    `author ${line}\n`,
    `author ${line}\ncommitter Ada <ada> 01 +0000\n`,
    `x y\nauthor ${line}\ncommitter ${line}\n`,
  ]) {
    expect(await isPlain([fresh, top, commit(top, header)])).toBe(false);
  }
  expect(await isPlain([fresh, top, commit(top, undefined, missing)])).toBe(false);
  const unusual = tree(["100666", "a", fresh], rest);
  expect(await isPlain([fresh, unusual, commit(unusual)])).toBe(false);
  expect(await isPlain([fresh, blob("nobody's\n"), top, commit(top)])).toBe(false);
  const spoil = (pack: Buffer): void => void pack.writeUInt8(pack.readUInt8(pack.length - 1) ^ 1, pack.length - 1);
  await expect(take([fresh, top, commit(top)], spoil)).rejects.toMatchObject({ reason: "BUNDLE_INVALID" });
});
