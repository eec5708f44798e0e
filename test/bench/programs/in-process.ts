/**
 * What agentd is compared with, as a process of its own: N agent loops at once in one process, with the same engine, tools
 * and turns, nothing durable and no claim, and stock git around them. Each line on standard input is a run; the answer is a line.
 */
import { execFile } from "node:child_process";
import { mkdir, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { promisify } from "node:util";
import PQueue from "p-queue";
import { pino } from "pino";
import type { Assignment } from "../../../services/core/worker-protocol.ts";
import { createChatModel } from "../../../services/model/chat-model.ts";
import { openUserRepository } from "../../../services/platform/git/bare-repository.ts";
import { createAgentTask } from "../../../services/worker/attempt/agent-task.ts";
import { createSandboxedShell } from "../../../services/worker/workspace/sandboxed-shell.ts";

/** One run. */
export interface InProcessRun {
  readonly repository: string;
  readonly count: number;
  /** `{{item}}` is the number of the loop. */
  readonly prompt: string;
  /** Without it all loops work in one tree, which nothing makes or merges. */
  readonly withGit: boolean;
}

const execute = promisify(execFile);
const log = pino({ level: "silent" });
const signal = new AbortController().signal;
const modelUrl = process.argv[2] ?? "";
const model = createChatModel({ endpoints: [{ baseUrl: modelUrl }], model: "vllm-sim", requestsMax: 256, log });
const shell = createSandboxedShell({
  sandbox: { kind: "none", reason: "no command runs: the prompts ask for files only" },
  host: process.env,
  hidden: [],
  readable: [],
});
const nothing = (): Promise<void> => Promise.resolve();
const transcripts = { append: nothing, stored: nothing, end: nothing, say: () => undefined, close: () => undefined };
const runTask = createAgentTask({
  model,
  tokens: model,
  traits: model.traits,
  shell,
  network: true,
  transcripts,
  logger: log,
});
const identity = ["-c", "user.name=b", "-c", "user.email=b@b.invalid", "-c", "gc.auto=0"];

async function git(cwd: string, ...args: readonly string[]): Promise<string> {
  const env = { PATH: process.env["PATH"] ?? "", HOME: cwd, GIT_CONFIG_NOSYSTEM: "1" };
  return (await execute("git", [...identity, ...args], { cwd, env })).stdout.trim();
}

const place = { home: tmpdir(), tmp: tmpdir(), readable: [], marker: "" };

async function agentLoop(tree: string, run: InProcessRun, index: number): Promise<void> {
  const cache = await openUserRepository(run.repository, {}, signal);
  const worktree = { directory: tree, tree, base: "HEAD", indexFile: "", cache, readable: [] };
  const assignment: Assignment = {
    uid: "bench",
    task: `t-${index}`,
    attempt: 1,
    namespace: "default",
    job: "bench",
    kind: "Agent",
    token: "",
    base: "HEAD",
    bundles: [],
    setup: [],
    jobText: "Job: bench",
    taskText: run.prompt.replaceAll("{{item}}", String(index)),
    pool: "default",
    checks: [],
    limits: { turns: 60, tokens: 2_000_000, wallMs: 1_200_000 },
    isIsolated: false,
    traceparent: `00-${"1".repeat(32)}-${"2".repeat(16)}-01`,
  };
  const hooks = { onUsage: () => undefined, judge: async () => undefined };
  const result = await runTask(assignment, { worktree, place: { ...place, tree } }, hooks, signal);
  if (result.outcome !== "Done") throw new Error(`loop ${index}: ${result.outcome} ${result.detail}`);
}

async function runAll(run: InProcessRun): Promise<void> {
  const { repository, withGit } = run;
  const folder = await mkdtemp(join(tmpdir(), "agentd-bench-loops-"));
  // `git worktree add` and `git merge` are not made for several at once.
  const one = new PQueue({ concurrency: 1 });
  const target = join(folder, "target");
  if (withGit) await git(repository, "worktree", "add", "-q", "--detach", target, "main");
  else await mkdir(target);
  const loop = async (index: number): Promise<void> => {
    if (!withGit) {
      await agentLoop(repository, run, index);
      return;
    }
    const tree = join(folder, `tree-${index}`);
    await one.add(() => git(repository, "worktree", "add", "-q", "--detach", tree, "main"));
    await agentLoop(tree, run, index);
    await git(tree, "commit", "-q", "-a", "-m", `task ${index}`);
    const commit = await git(tree, "rev-parse", "HEAD");
    await one.add(() => git(target, "merge", "-q", "--no-edit", commit));
  };
  await Promise.all(Array.from({ length: run.count }, (_, index) => loop(index)));
  await rm(folder, { recursive: true, force: true });
  if (withGit) await git(repository, "worktree", "prune");
}

process.stdout.write("{}\n");
for await (const line of createInterface({ input: process.stdin })) {
  await runAll(JSON.parse(line) as InProcessRun);
  process.stdout.write("{}\n");
}
process.exit(0);
