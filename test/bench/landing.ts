import { execFile } from "node:child_process";
import { mkdir, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { buildChain } from "../../services/coordinator/merger/candidate.ts";
import type { Task } from "../../services/core/task.ts";
import { openBareRepository, type Repository } from "../../services/platform/git/bare-repository.ts";
import { createBundle, fetchBundle } from "../../services/platform/git/bundle.ts";
import { createObjectReader } from "../../services/platform/git/object-reader.ts";
import { importResult } from "../../services/platform/git/result-bundle.ts";
import { sampleHead, sampleJob, sampleTask } from "../support/resource-samples.ts";
import type { Figure } from "./figure.ts";

const branches = 200;
const filesEach = 8;
/** What is compared with is slow: a part of the branches says enough. */
const comparedBranches = 20;

const run = promisify(execFile);

function contentOf(branch: number, file: number, isChanged: boolean): string {
  return `export const value = ${isChanged ? -1 : branch * filesEach + file};\n`.repeat(20);
}

/** A fast-import stream: `main` with a folder of files for each branch, and the branches, each changing its own folder. */
function history(): string {
  const data = (text: string): string => `data ${Buffer.byteLength(text)}\n${text}\n`;
  const files = (branch: number, isChanged: boolean): string =>
    Array.from({ length: filesEach }, (_, file) => {
      return `M 100644 inline src/part-${branch}/file-${file}.ts\n${data(contentOf(branch, file, isChanged))}`;
    }).join("");
  const commit = (ref: string, mark: number, from: string, body: string): string =>
    `commit ${ref}\nmark :${mark}\ncommitter b <b@b.invalid> 1700000000 +0000\n${data("change")}${from}${body}\n`;
  const all = Array.from({ length: branches }, (_, branch) => branch);
  const base = commit("refs/heads/main", 1, "", all.map((branch) => files(branch, false)).join(""));
  return (
    base + all.map((branch) => commit(`refs/heads/r-${branch}`, branch + 2, "from :1\n", files(branch, true))).join("")
  );
}

async function measure(count: number, work: () => Promise<void>): Promise<number> {
  const started = performance.now();
  await work();
  return (performance.now() - started) / count;
}

interface Stage {
  readonly folder: string;
  readonly origin: Repository;
  readonly cache: Repository;
  readonly base: string;
  readonly commits: readonly string[];
  readonly files: readonly string[];
  git(...args: readonly string[]): Promise<unknown>;
}

async function prepare(folder: string, signal: AbortSignal): Promise<Stage> {
  const origin = await openBareRepository({ directory: join(folder, "origin.git") }, signal);
  await origin.git.run(["fast-import", "--quiet"], { stdin: history() }, signal);
  const listed = await origin.git.run(
    ["for-each-ref", "--format=%(refname:short) %(objectname)", "refs/heads"],
    {},
    signal,
  );
  const names = new Map(
    listed.stdout
      .toString("utf8")
      .trim()
      .split("\n")
      .map((line) => line.split(" ") as [string, string]),
  );
  const base = names.get("main") ?? "";
  const commits = Array.from({ length: branches }, (_, branch) => names.get(`r-${branch}`) ?? "");
  const cache = await openBareRepository({ directory: join(folder, "cache.git") }, signal);
  const baseFile = join(folder, "base.bundle");
  await createBundle(origin, { refs: { "refs/agentd/base": base } }, baseFile, signal);
  await fetchBundle(cache, baseFile, {}, signal);
  const files: string[] = [];
  for (const commit of commits) {
    const file = join(folder, `${commit}.bundle`);
    await createBundle(origin, { refs: { "refs/agentd/result": commit }, exclude: [base] }, file, signal);
    files.push(file);
  }
  const env = { PATH: process.env["PATH"] ?? "", HOME: folder, GIT_CONFIG_NOSYSTEM: "1", GIT_TERMINAL_PROMPT: "0" };
  const git = (...args: readonly string[]): Promise<unknown> =>
    run("git", ["-c", "user.name=b", "-c", "user.email=b@b.invalid", "-c", "gc.auto=0", ...args], { cwd: folder, env });
  return { folder, origin, cache, base, commits, files, git };
}

/** What a script would do: fetch a branch with its objects checked, and list what it changes. */
async function fetchWithGit(stage: Stage): Promise<number> {
  const { folder, base, commits, files, git } = stage;
  const target = join(folder, "fetched.git");
  await git("clone", "--quiet", "--bare", "--single-branch", "--branch=main", stage.origin.gitDir, target);
  const fetch = ["-C", target, "-c", "transfer.fsckObjects=true", "fetch", "--quiet", "--no-tags"];
  return await measure(comparedBranches, async () => {
    for (let at = 0; at < comparedBranches; at += 1) {
      await git(...fetch, files[at] ?? "", `refs/agentd/result:refs/heads/r-${at}`);
      await git("-C", target, "diff-tree", "-r", "--raw", base, commits[at] ?? "");
    }
  });
}

async function mergeWithGit(stage: Stage): Promise<number> {
  const tree = join(stage.folder, "tree");
  await mkdir(tree);
  await stage.git("clone", "--quiet", "--branch=main", stage.origin.gitDir, tree);
  return await measure(comparedBranches, async () => {
    for (const commit of stage.commits.slice(0, comparedBranches)) {
      await stage.git("-C", tree, "merge", "--quiet", "--no-ff", "--no-edit", "-m", "merge", commit);
    }
  });
}

function mergingTasks(stage: Stage): readonly Task[] {
  return stage.commits.map((commit, index) =>
    sampleTask(`t-${index}`, "Merging", {
      spec: { index },
      status: { result: { attempt: 1, commit, bundle: "unused" } },
    }),
  );
}

/** How fast results are verified and merged in memory, against git's own fetch and merge. */
export async function landingBench(): Promise<readonly Figure[]> {
  const signal = AbortSignal.timeout(300_000);
  const folder = await mkdtemp(join(tmpdir(), "agentd-bench-"));
  try {
    const stage = await prepare(folder, signal);
    const { cache, base, commits, files } = stage;
    using reader = createObjectReader(cache);
    const gitFetchMs = await fetchWithGit(stage);
    const verifyMs = await measure(branches, async () => {
      for (const [at, commit] of commits.entries())
        await importResult(cache, files[at] ?? "", { base, commit, reader }, signal);
    });
    const gitMergeMs = await mergeWithGit(stage);
    const head = sampleHead({ base, commit: base });
    const tasks = mergingTasks(stage);
    const mergeMs = await measure(branches, async () => {
      const chain = await buildChain(cache, { job: sampleJob(), head, tasks }, signal);
      if (chain.merged.length !== branches) throw new Error(`only ${chain.merged.length} of ${branches} were merged`);
    });
    const what = `${branches} branches × ${filesEach} files`;
    const against = (ours: number, theirs: number) => `${ours.toFixed(1)} ms each against ${theirs.toFixed(1)} ms`;
    return [
      {
        name: `verified results, ${what}`,
        ratio: gitFetchMs / verifyMs,
        baseline: "git fetch with fsck, then git diff-tree",
        detail: against(verifyMs, gitFetchMs),
      },
      {
        name: `merged results, ${what}`,
        ratio: gitMergeMs / mergeMs,
        baseline: "git merge in a worktree",
        detail: against(mergeMs, gitMergeMs),
      },
    ];
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
