import { existsSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { mkdir, mkdtemp, readdir, readFile, readlink, rename, rm, stat, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import PQueue from "p-queue";
import { pino } from "pino";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { openUserRepository, type Repository } from "../../../services/platform/git/bare-repository.ts";
import { harvest } from "../../../services/platform/git/worktree/harvest.ts";
import { canMountOverlay } from "../../../services/platform/git/worktree/overlay-mount.ts";
import { removeWorktree, sweepWorktrees, type Worktree } from "../../../services/platform/git/worktree/worktree.ts";
import { openCacheDirectory } from "../../../services/worker/workspace/cache-directory.ts";
import { createTreeSource, type TreeSource } from "../../../services/worker/workspace/trees/tree-source.ts";
import { createRepository, type SampleRepository } from "../../support/sample-repository.ts";

const signal = AbortSignal.timeout(600_000);
const logger = pino({ level: "silent" });
const author = { name: "Ada", email: "ada@example.invalid", dateIso: "2026-01-02T03:04:05Z" };
const probe = await mkdtemp(join(tmpdir(), "agentd-probe-"));
const hasOverlays = await canMountOverlay(probe, signal);
await rm(probe, { recursive: true, force: true });

let folder: string;
let sample: SampleRepository;
let repository: Repository;
let commit: string;
let source: TreeSource;

async function open(isOverlay: boolean, sparesMax: number): Promise<TreeSource> {
  const cache = { directory: join(folder, "layers"), bytesMax: 1e12, logger };
  const layers = isOverlay ? await openCacheDirectory(cache) : undefined;
  const heavy = new PQueue({ concurrency: 2 });
  return createTreeSource({ directory: join(folder, "trees", "spare"), heavy, layers, sparesMax, filesMin: 2, logger });
}

function mounts(): number {
  if (process.platform !== "linux") return 0;
  return readFileSync("/proc/self/mountinfo", "utf8")
    .split("\n")
    .filter((line) => line.includes(` ${folder}/`)).length;
}

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "agentd-trees-"));
  sample = createRepository({ "a.txt": "a\n", "dir/b.txt": "b\n", "dir/c.txt": "c\n", "folder/d.txt": "d\n" });
  repository = await openUserRepository(sample.path, {}, signal);
  commit = sample.git("rev-parse", "HEAD");
});
afterEach(async () => {
  await source.close();
  await sweepWorktrees(join(folder, "trees"), new Set(), signal);
  await rm(folder, { recursive: true, force: true });
  sample[Symbol.dispose]();
});

async function add(name: string): Promise<Worktree> {
  const place = { repository, commit };
  return await source.add(place, place, join(folder, "trees", name), signal);
}

describe.each(hasOverlays ? [true, false] : [false])("trees of a large repository, as overlays: %s", (isOverlay) => {
  test("what one attempt does is seen by no other, whether its tree was made ahead or not", async () => {
    source = await open(isOverlay, 2);
    const first = await add("first");
    await source.settled();
    await writeFile(join(first.tree, "a.txt"), "hostile\n");
    await rm(join(first.tree, "dir"), { recursive: true });
    await symlink("/etc", join(first.tree, "dir"));
    await writeFile(join(first.tree, ".git", "config"), "[core]\n\tfsmonitor = touch /tmp/pwned\n");
    for (const name of ["second", "third", "fourth"]) {
      const other = await add(name);
      expect(await readFile(join(other.tree, "a.txt"), "utf8")).toBe("a\n");
      expect((await readdir(join(other.tree, "dir"))).toSorted()).toEqual(["b.txt", "c.txt"]);
      expect(await readFile(join(other.tree, ".git", "config"), "utf8")).not.toContain("fsmonitor");
    }
    const taken = await harvest(first, { message: "m", author }, signal);
    expect(taken.changes.map(({ path }) => path).toSorted()).toEqual(["a.txt", "dir", "dir/b.txt", "dir/c.txt"]);
  });

  test.each([true, false])(
    "a tree at a result has exactly the result's files, and its git says so: in process %s",
    async (isFew) => {
      source = await open(isOverlay, 0);
      const work = await add("work");
      writeFileSync(join(work.tree, "a.txt"), "changed\n");
      rmSync(join(work.tree, "dir", "b.txt"));
      writeFileSync(join(work.tree, "new.txt"), "new\n", { mode: 0o755 });
      rmSync(join(work.tree, "dir", "c.txt"));
      rmSync(join(work.tree, "folder"), { recursive: true });
      await symlink("dir", join(work.tree, "folder"));
      const taken = await harvest(work, { message: "m", author }, signal);
      expect(taken.few?.size).toBe(6);
      const few = isFew && taken.few !== undefined ? { few: taken.few } : {};
      const wanted = { repository: taken.repository, commit: taken.commit ?? "", ...few };
      const gate = await source.add(wanted, { repository, commit }, join(folder, "trees", "gate"), signal);
      expect((await readdir(gate.tree)).toSorted()).toEqual([".git", "a.txt", "folder", "new.txt"]);
      expect(await readlink(join(gate.tree, "folder"))).toBe("dir");
      expect((await stat(join(gate.tree, "new.txt"))).mode & 0o111).toBe(0o111);
      expect(await readFile(join(gate.tree, "a.txt"), "utf8")).toBe("changed\n");
      expect((await readFile(join(gate.tree, ".git", "HEAD"), "utf8")).trim()).toBe(taken.commit);
      expect(sample.git("-C", gate.tree, "status", "--porcelain")).toBe("");
      expect(await harvest(gate, { message: "m", author }, signal)).toMatchObject({ commit: undefined });
    },
  );

  test("nothing is left when the source is closed and the trees are swept, mounts neither", async () => {
    source = await open(isOverlay, 2);
    await add("left-by-a-killed-worker");
    await source.settled();
    expect(mounts()).toBe(isOverlay ? 3 : 0);
    await source.close();
    expect(existsSync(join(folder, "trees", "spare")) ? await readdir(join(folder, "trees", "spare")) : []).toEqual([]);
    await sweepWorktrees(join(folder, "trees"), new Set(), signal);
    expect(mounts()).toBe(0);
    expect(await readdir(join(folder, "trees"))).toEqual([]);
  });
});

test.runIf(hasOverlays)("a small repository is an overlay too, and nothing is made ahead", async () => {
  const layers = await openCacheDirectory({ directory: join(folder, "layers"), bytesMax: 1e12, logger });
  const heavy = new PQueue({ concurrency: 2 });
  const options = { directory: join(folder, "trees", "spare"), heavy, layers, sparesMax: 4, logger };
  source = createTreeSource({ ...options, hasSmallOverlays: true });
  const trees = await Promise.all(["one", "two", "three"].map(add));
  await source.settled();
  expect(mounts()).toBe(3);
  await writeFile(join(trees[0]?.tree ?? "", "a.txt"), "hostile\n");
  expect(await readFile(join(trees[1]?.tree ?? "", "a.txt"), "utf8")).toBe("a\n");
  await Promise.all(trees.map((tree) => removeWorktree(tree, signal)));
  expect(await readdir(join(folder, "trees"))).toEqual([]);
  expect(mounts()).toBe(0);
});

test("without overlays a small repository is checked out as it is, and nothing is made ahead", async () => {
  await mkdir(join(folder, "trees"));
  const heavy = new PQueue({ concurrency: 2 });
  source = createTreeSource({ directory: join(folder, "spare"), heavy, layers: undefined, sparesMax: 4, logger });
  const tree = await add("one");
  await source.settled();
  expect(await readFile(join(tree.tree, "a.txt"), "utf8")).toBe("a\n");
  expect(existsSync(join(folder, "spare"))).toBe(false);
});

test.skipIf(!hasOverlays)("gives a check-out where what is made in the tree is to be moved out of it", async () => {
  source = await open(true, 2);
  const place = { repository, commit, isCheckout: true as const };
  const { tree } = await source.add(place, place, join(folder, "trees", "setup"), signal);
  expect(mounts()).toBe(0);
  await mkdir(join(tree, "node_modules"));
  await rename(join(tree, "node_modules"), join(folder, "moved"));
});
