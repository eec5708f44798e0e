import { mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { openBareRepository, type Repository } from "../../../services/platform/git/bare-repository.ts";
import { createBundle, fetchBundle } from "../../../services/platform/git/bundles/bundle.ts";
import { writePackBundle } from "../../../services/platform/git/in-process/small-bundle.ts";
import { createMemoryMerger } from "../../../services/platform/git/merge/memory-merger.ts";
import { mergeTrees } from "../../../services/platform/git/merge/merge.ts";
import { createObjectReader, type ObjectReader } from "../../../services/platform/git/objects/object-reader.ts";
import { seededRandom } from "../../support/jobs.ts";

const signal = AbortSignal.timeout(120_000);
const author = { name: "agentd", email: "agentd@agentd.invalid", dateIso: "2026-01-02T03:04:05Z" };
const branches = 24;

let root: string;
let repository: Repository;
let reader: ObjectReader;
let base: string;
let made: readonly string[];

const data = (text: string): string => `data ${Buffer.byteLength(text)}\n${text}\n`;
const fileOf = (index: number): string => `p${index % 3}/q${index % 7}/file-${index}`;

/** What one branch does: mostly edits and new files; every third also removes, renames and replaces. */
function edits(branch: number): string {
  const random = seededRandom(branch + 1);
  const next = (below: number): number => Math.floor(random() * below);
  const lines: string[] = [];
  for (let count = 1 + next(4); count > 0; count -= 1) {
    const file = fileOf(next(60));
    lines.push(`M 100${next(5) === 0 ? "755" : "644"} inline ${file}\n${data(`${branch}\n`)}`);
    if (next(2) === 0) lines.push(`M 100644 inline ${file}-new-${next(3)}\n${data(`new ${next(2)}\n`)}`);
  }
  // A folder that others make too.
  const ofMade = seededRandom(branch + 1_001);
  if (ofMade() < 0.5) lines.push(`M 100644 inline made/${branch % 2}/${branch % 20}\n${data(`${branch % 4}\n`)}`);
  if (branch % 3 !== 0) return lines.join("");
  const odd = [`D ${fileOf(next(60))}\n`, `R p0/q${next(7)} moved/${next(2)}\n`, `D p1/q${next(7)}\n`];
  const folder = `p2/q${next(7)}`;
  return `${odd[next(3)]}${next(2) === 0 ? `M 120000 inline ${folder}\n${data("target")}` : ""}${lines.join("")}`;
}

beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), "agentd-git-"));
  repository = await openBareRepository({ directory: join(root, "r.git") }, signal);
  reader = createObjectReader(repository);
  const all = Array.from({ length: 60 }, (_, at) => `M 100644 inline ${fileOf(at)}\n${data(`${at}\n`.repeat(30))}`);
  const head = (ref: string, from: string) =>
    `commit refs/heads/${ref}\ncommitter b <b@b.invalid> 1700000000 +0000\n${data("m")}${from}`;
  let stream = `${head("main", "")}${all.join("")}\n`;
  for (let at = 0; at < branches; at += 1) stream += `${head(`b${at}`, "from refs/heads/main\n")}${edits(at)}\n`;
  await repository.git.run(["fast-import", "--quiet", "--force"], { stdin: stream }, signal);
  const nameOf = async (ref: string) =>
    (await repository.git.run(["rev-parse", ref], {}, signal)).stdout.toString().trim();
  base = await nameOf("main");
  made = await Promise.all(Array.from({ length: branches }, (_, at) => nameOf(`b${at}`)));
});
afterAll(async () => {
  reader[Symbol.dispose]();
  await rm(root, { recursive: true, force: true });
});

test("what is merged in memory is what git merges, and what it would refuse or guess at is left to it", async () => {
  const merger = createMemoryMerger({ repository, reader, bases: new Set([base]) });
  let inMemory = 0;
  for (const ours of made) {
    for (const theirs of made.slice(0, 12)) {
      if (ours === theirs) continue;
      const tree = await merger.merge(ours, theirs, signal);
      if (tree === undefined) continue;
      inMemory += 1;
      expect(await mergeTrees(repository, ours, theirs, signal)).toEqual({ kind: "clean", tree });
    }
  }
  expect(inMemory).toBeGreaterThan(100);
  const stranger = createMemoryMerger({ repository, reader, bases: new Set() });
  expect(await stranger.merge(base, made[1] ?? "", signal)).toBeUndefined();
});

test("a chain of merges is stored whole, as one pack where it is long, and its pack is the bundle that git makes", async () => {
  const packs = async () => {
    const names = await readdir(join(repository.objectDirectory, "pack")).catch(() => [] as string[]);
    return names.filter((name) => name.endsWith(".idx"));
  };
  const before = (await packs()).length;
  for (const count of [2, branches]) {
    const merger = createMemoryMerger({ repository, reader, bases: new Set([base]) });
    let tip = base;
    for (const theirs of made.slice(0, count)) {
      const tree = await merger.merge(tip, theirs, signal);
      if (tree !== undefined) tip = merger.commit({ tree, parents: [tip, theirs], message: `${count}\n`, author });
    }
    const pack = await merger.finish(signal);
    const fresh = await openBareRepository({ directory: join(root, `fresh-${count}.git`) }, signal);
    const [file, ofGit] = [join(root, `ours-${count}`), join(root, `git-${count}`)];
    await createBundle(repository, { refs: { "refs/x": base } }, `${file}-base`, signal);
    await fetchBundle(fresh, `${file}-base`, {}, signal);
    await writePackBundle({ ref: "refs/x", commit: tip, base }, pack?.bytes ?? Buffer.alloc(0), file);
    await fetchBundle(fresh, file, {}, signal);
    await createBundle(repository, { refs: { "refs/x": tip }, exclude: [base] }, ofGit, signal);
    const listed = async (at: Repository) =>
      (await at.git.run(["rev-list", "--objects", "--count", tip, `^${base}`], {}, signal)).stdout.toString().trim();
    expect(pack?.entries.length).toBe(Number(await listed(fresh)));
    expect(await listed(fresh)).toBe(await listed(repository));
    await fresh.git.run(["fsck", "--strict", "--full", tip], {}, signal);
  }
  await repository.git.run(["fsck", "--strict", "--full"], {}, signal);
  expect((await packs()).length - before).toBe(1);
});

test("nothing is called whole that git has a part in", async () => {
  const merger = createMemoryMerger({ repository, reader, bases: new Set([base]) });
  const [first = "", second = ""] = made.slice(1);
  const merged = await mergeTrees(repository, base, first, signal);
  await merger.store();
  const tip = merger.commit({ tree: merged.tree, parents: [base, first], message: "by git\n", author });
  const tree = (await merger.merge(tip, second, signal)) ?? "";
  merger.commit({ tree, parents: [tip, second], message: "in memory\n", author });
  expect(await merger.finish(signal)).toBeUndefined();
});
