import { execFile } from "node:child_process";
import { mkdir, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import PQueue from "p-queue";
import { pino } from "pino";
import { openBareRepository, type Repository } from "../../services/platform/git/bare-repository.ts";
import { createBundle, fetchBundle } from "../../services/platform/git/bundles/bundle.ts";
import { canMountOverlay } from "../../services/platform/git/worktree/overlay-mount.ts";
import { currentOwner } from "../../services/platform/process/reaper/attempt-marker.ts";
import { createAttemptSpace } from "../../services/worker/workspace/attempt-space.ts";
import { createBatchedReaper } from "../../services/worker/workspace/batched-reaper.ts";
import { openCacheDirectory } from "../../services/worker/workspace/cache-directory.ts";
import { copiedSparesMax, createTreeSource } from "../../services/worker/workspace/trees/tree-source.ts";
import { type BenchOptions, type Figure, median } from "./figure.ts";
import { type BenchRepository, createBenchRepository } from "./whole.ts";

const execute = promisify(execFile);
const mib = 1_024 ** 2;
const log = pino({ level: "silent" });

interface Ready {
  /** From the common start until the first `git status` has answered, one for each tree. */
  readonly readyMs: readonly number[];
  readonly diskBytesEach: number;
}

/** As an agent would call it: with the git of the tree itself. */
async function status(tree: string): Promise<void> {
  const env = { PATH: process.env["PATH"] ?? "", HOME: tree, GIT_CONFIG_NOSYSTEM: "1" };
  const { stdout } = await execute("git", ["status", "--porcelain"], { cwd: tree, env });
  if (stdout !== "") throw new Error(`a fresh tree is not clean: ${stdout.slice(0, 200)}`);
}

async function usedBytes(folder: string): Promise<number> {
  const { stdout } = await execute("du", ["-sk", "-x", folder]);
  return Number.parseInt(stdout, 10) * 1_024;
}

async function startTogether(count: number, make: (index: number) => Promise<string>): Promise<readonly number[]> {
  const startedMs = performance.now();
  return await Promise.all(
    Array.from({ length: count }, async (_, index) => {
      await status(await make(index));
      return performance.now() - startedMs;
    }),
  );
}

/** Git (2.39) fails where it meets the half-written record of another worktree; nothing is made then, and the user tries again. */
async function addWorktree(repository: BenchRepository, tree: string): Promise<void> {
  for (;;) {
    try {
      await execute("git", ["worktree", "add", "-q", "--detach", tree, "main"], { cwd: repository.path });
      return;
    } catch (error) {
      if (!(error as Error).message.includes("commondir")) throw error;
    }
  }
}

async function withGit(repository: BenchRepository, folder: string, count: number): Promise<Ready> {
  const readyMs = await startTogether(count, async (index) => {
    const tree = join(folder, `plain-${index}`);
    await addWorktree(repository, tree);
    return tree;
  });
  const diskBytesEach = (await usedBytes(folder)) / count;
  await rm(folder, { recursive: true, force: true });
  await mkdir(folder);
  return { readyMs, diskBytesEach };
}

async function withAgentd(
  cache: Repository,
  commit: string,
  folder: string,
  count: number,
): Promise<Ready & { readonly how: string }> {
  const signal = new AbortController().signal;
  const heavy = new PQueue({ concurrency: 2 });
  const deps = { directory: join(folder, "trees"), worker: "bench", owner: await currentOwner(), logger: log };
  const layersFolder = join(folder, "layers");
  await mkdir(layersFolder);
  const hasOverlays = await canMountOverlay(layersFolder, signal);
  const cacheOptions = { directory: layersFolder, bytesMax: 1e12, logger: log };
  const layers = hasOverlays ? await openCacheDirectory(cacheOptions) : undefined;
  const sparesMax = hasOverlays ? count : copiedSparesMax;
  const trees = createTreeSource({ directory: join(folder, "trees", "spare"), heavy, layers, sparesMax, logger: log });
  const options = { ...deps, trees, reaper: createBatchedReaper(log) };
  const spaces = Array.from({ length: count + 1 }, (_, index) =>
    createAttemptSpace(options, { uid: "bench", task: `t-${index}`, attempt: 1 }),
  );
  try {
    // One task has run before: what the worker keeps of it is warm.
    await spaces[count]?.addTree({ repository: cache, commit }, "work", signal);
    await trees.settled();
    const readyMs = await startTogether(count, async (index) => {
      const tree = await spaces[index]?.addTree({ repository: cache, commit }, "work", signal);
      return tree?.place.tree ?? "";
    });
    await trees.close();
    const diskBytesEach = ((await usedBytes(join(folder, "trees"))) + (await usedBytes(layersFolder))) / count;
    const how = hasOverlays ? "overlays, made ahead" : `${copiedSparesMax} whole trees made ahead`;
    return { readyMs, diskBytesEach, how };
  } finally {
    await trees.close();
    for (const space of spaces) await space.end();
  }
}

/** How long tasks that start together wait for a tree in which `git status` has answered once. */
export async function worktreesBench({ isSmall }: BenchOptions): Promise<readonly Figure[]> {
  const files = isSmall ? 200 : 50_000;
  const count = isSmall ? 2 : 32;
  const signal = new AbortController().signal;
  using repository = createBenchRepository(files, { isBare: true });
  const folder = await mkdtemp(join(tmpdir(), "agentd-bench-trees-"));
  try {
    const commit = repository.git("rev-parse", "main");
    const cache = await openBareRepository({ directory: join(folder, "cache.git") }, signal);
    const origin = await openBareRepository({ directory: join(repository.path, ".git") }, signal);
    const bundle = join(folder, "base.bundle");
    await createBundle(origin, { refs: { "refs/agentd/base": commit } }, bundle, signal);
    await fetchBundle(cache, bundle, {}, signal);
    const plainFolder = join(folder, "plain");
    await mkdir(plainFolder);
    const plain = await withGit(repository, plainFolder, count);
    const ours = await withAgentd(cache, commit, folder, count);
    const [own, base] = [median(ours.readyMs), median(plain.readyMs)];
    return [
      {
        name: `${count} trees of ${files} files at once, first \`git status\` included`,
        value: own / base,
        unit: "×",
        baseline: `\`git worktree add\`, then \`git status\`, ${count} at once`,
        ...(isSmall ? {} : { target: { is: "at most" as const, value: 1 / 20 } }),
        detail: `median ${(own / 1_000).toFixed(2)} s against ${(base / 1_000).toFixed(2)} s; ${ours.how}`,
      },
      {
        name: "disk of such a tree",
        value: ours.diskBytesEach / plain.diskBytesEach,
        unit: "×",
        baseline: "`git worktree add`",
        detail: `${Math.round(ours.diskBytesEach / mib)} MiB against ${Math.round(plain.diskBytesEach / mib)} MiB an agent`,
      },
    ];
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
