import { execFile } from "node:child_process";
import { randomUUID } from "node:crypto";
import { mkdir, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { pino } from "pino";
import { createEventLog } from "../../services/coordinator/event-log.ts";
import { observeJobOf } from "../../services/coordinator/job-entries.ts";
import { createJobRepositories } from "../../services/coordinator/merger/job-repository.ts";
import { mergeStep } from "../../services/coordinator/merger/merge-step.ts";
import type { JobHead } from "../../services/core/job/job.ts";
import { noUsage } from "../../services/core/resource.ts";
import type { Task } from "../../services/core/task/task.ts";
import { openBareRepository, type Repository } from "../../services/platform/git/bare-repository.ts";
import { createBundle, fetchBundle } from "../../services/platform/git/bundles/bundle.ts";
import { importResult } from "../../services/platform/git/bundles/result-bundle.ts";
import { createObjectReader } from "../../services/platform/git/objects/object-reader.ts";
import type { NatsLink } from "../../services/platform/nats/connect.ts";
import { putObject } from "../../services/platform/nats/objects/objects.ts";
import { openStore } from "../../services/platform/nats/store/store.ts";
import { defaultLimits } from "../../services/platform/nats/stream-limits.ts";
import { ensureStreams } from "../../services/platform/nats/streams.ts";
import { keys } from "../../services/platform/nats/subjects.ts";
import { startTestServer } from "../support/nats-server.ts";
import { sampleHead, sampleJob, sampleTask, sampleTimeMs } from "../support/resource-samples.ts";
import type { BenchOptions, Figure } from "./figure.ts";
import { treeCpuMs } from "./processes.ts";

const filesEach = 8;
/** Files of the repository for each branch; it changes the first of them. */
const filesAround = 40;

/** How much is landed, and how much of it git does by itself: that is slow, and a part of the branches says enough. */
interface Size {
  readonly branches: number;
  readonly compared: number;
}

const run = promisify(execFile);

function contentOf(branch: number, file: number, isChanged: boolean): string {
  return `export const value = ${isChanged ? -1 : branch * filesAround + file};\n`.repeat(20);
}

/** A fast-import stream: `main` with a folder of files for each branch, and the branches, each changing its own folder. */
function history(branches: number): string {
  const data = (text: string): string => `data ${Buffer.byteLength(text)}\n${text}\n`;
  const files = (branch: number, isChanged: boolean): string =>
    Array.from({ length: isChanged ? filesEach : filesAround }, (_, file) => {
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

/** For each piece of work. */
interface Spent {
  readonly ms: number;
  /** Processor time of this process and of all that it starts, a NATS server among it. */
  readonly cpuMs: number;
}

async function measure(count: number, work: () => Promise<void>): Promise<Spent> {
  const [startedMs, startedCpuMs] = [performance.now(), treeCpuMs(process.pid)];
  await work();
  return { ms: (performance.now() - startedMs) / count, cpuMs: (treeCpuMs(process.pid) - startedCpuMs) / count };
}

interface Stage {
  readonly folder: string;
  readonly origin: Repository;
  readonly cache: Repository;
  readonly base: string;
  readonly commits: readonly string[];
  readonly files: readonly string[];
  readonly compared: number;
  git(...args: readonly string[]): Promise<unknown>;
}

async function prepare(folder: string, { branches, compared }: Size, signal: AbortSignal): Promise<Stage> {
  const origin = await openBareRepository({ directory: join(folder, "origin.git") }, signal);
  await origin.git.run(["fast-import", "--quiet"], { stdin: history(branches) }, signal);
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
  return { folder, origin, cache, base, commits, files, compared, git };
}

/** What a script would do: fetch a branch with its objects checked, and list what it changes. */
async function fetchWithGit(stage: Stage): Promise<Spent> {
  const { folder, base, commits, files, git, compared } = stage;
  const target = join(folder, "fetched.git");
  await git("clone", "--quiet", "--bare", "--single-branch", "--branch=main", stage.origin.gitDir, target);
  const fetch = ["-C", target, "-c", "transfer.fsckObjects=true", "fetch", "--quiet", "--no-tags"];
  return await measure(compared, async () => {
    for (let at = 0; at < compared; at += 1) {
      await git(...fetch, files[at] ?? "", `refs/agentd/result:refs/heads/r-${at}`);
      await git("-C", target, "diff-tree", "-r", "--raw", base, commits[at] ?? "");
    }
  });
}

async function mergeWithGit(stage: Stage): Promise<Spent> {
  const tree = join(stage.folder, "tree");
  await mkdir(tree);
  await stage.git("clone", "--quiet", "--branch=main", stage.origin.gitDir, tree);
  return await measure(stage.compared, async () => {
    for (const commit of stage.commits.slice(0, stage.compared)) {
      await stage.git("-C", tree, "merge", "--quiet", "--no-ff", "--no-edit", "-m", "merge", commit);
    }
  });
}

/** All branches, from verified results in the cache to Succeeded: merged, bundled, stored, and the head moved. */
async function landDurably(stage: Stage, signal: AbortSignal): Promise<Spent> {
  const { base, commits, files, folder } = stage;
  await using server = await startTestServer();
  const link = await server.connectCoordinator();
  await ensureStreams(link, defaultLimits, signal);
  await using store = await openStore(link, {}, signal);
  const log = pino({ level: "silent" });
  const nowMs = (): number => Date.now();
  await using events = createEventLog({ link, log, nowMs });
  const repositories = createJobRepositories({ link, dataDirectory: join(folder, "coordinator") });
  const baseBundle = (await putObject(link, "agentd", { file: join(folder, "base.bundle") }, signal)).name;
  const uid = randomUUID();
  const status = { base: { commit: base, ref: "main", summary: "base" }, baseBundle, total: commits.length };
  const job = sampleJob({ uid, status });
  const head = sampleHead({ uid, base, commit: base });
  const tasks = await Promise.all(
    commits.map(async (commit, index) =>
      mergingTask({ uid, base, commit, index }, await put(link, files[index], signal)),
    ),
  );
  await store.commit(
    [
      { key: keys.job("default", "sample"), value: job, expected: 0 },
      { key: keys.head(uid), value: head, expected: 0 },
      ...tasks.map((task) => ({ key: keys.task(uid, task.metadata.name), value: task, expected: 0 })),
    ],
    signal,
  );
  const cache = await repositories.openAt(job, head, signal);
  await repositories.addResults(cache, tasks, signal);
  const deps = { store, repositories, events, nowMs, random: Math.random };
  return await measure(commits.length, async () => {
    for (;;) {
      const view = observeJobOf(store, uid);
      if (view === undefined) throw new Error("the job is gone");
      if ((await mergeStep(deps, view, signal)).kind === "idle") break;
    }
    const landed = store.get<JobHead>(keys.head(uid))?.value.landed;
    if (landed !== commits.length) throw new Error(`only ${landed} of ${commits.length} have landed`);
  });
}

async function put(link: NatsLink, file: string | undefined, signal: AbortSignal): Promise<string> {
  return (await putObject(link, "agentd", { file: file ?? "" }, signal)).name;
}

function mergingTask(of: { uid: string; base: string; commit: string; index: number }, bundle: string): Task {
  const { uid, base, commit, index } = of;
  const attempt = { attempt: 1, worker: "w-1", startedAtMs: sampleTimeMs, base, checks: [], usage: noUsage };
  return sampleTask(`t-${index}`, "Merging", {
    uid,
    spec: { index },
    status: { attempts: [attempt], result: { attempt: 1, commit, bundle } },
  });
}

/** How fast results are verified and landed, against git's own fetch and merge. */
export async function landingBench({ isSmall }: BenchOptions): Promise<readonly Figure[]> {
  const size: Size = isSmall ? { branches: 5, compared: 2 } : { branches: 200, compared: 40 };
  const signal = AbortSignal.timeout(600_000);
  const folder = await mkdtemp(join(tmpdir(), "agentd-bench-"));
  try {
    const stage = await prepare(folder, size, signal);
    const { cache, base, commits, files } = stage;
    using reader = createObjectReader(cache);
    const gitFetch = await fetchWithGit(stage);
    const verify = await measure(size.branches, async () => {
      for (const [at, commit] of commits.entries())
        await importResult(cache, files[at] ?? "", { base, commit, reader }, signal);
    });
    const gitMerge = await mergeWithGit(stage);
    const land = await landDurably(stage, signal);
    const what = `${size.branches} branches × ${filesEach} files on ${size.branches * filesAround} files`;
    const against = (ours: Spent, theirs: Spent) => {
      const cpu = `in processor time ${(theirs.cpuMs / ours.cpuMs).toFixed(1)} ×`;
      return `${ours.ms.toFixed(1)} ms each against ${theirs.ms.toFixed(1)} ms, ${cpu}`;
    };
    return [
      {
        name: `landed results, ${what}`,
        value: gitMerge.ms / land.ms,
        unit: "× faster",
        baseline: "`git merge` in a worktree",
        ...(isSmall ? {} : { target: { is: "at least" as const, value: 20 } }),
        detail: `${against(land, gitMerge)}; merged, bundled, stored and the head moved`,
      },
      {
        name: `verified results, ${what}`,
        value: gitFetch.ms / verify.ms,
        unit: "× faster",
        baseline: "`git fetch` with fsck, then `git diff-tree`",
        detail: against(verify, gitFetch),
      },
    ];
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
