import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { startAgentd, type TestAgentd } from "../support/agentd.ts";
import { manifestOf } from "../support/jobs.ts";
import { type ReadyProgram, startNode } from "./processes.ts";

/** A repository of small files, with 40 in a folder, on `main`. */
export interface BenchRepository extends Disposable {
  readonly path: string;
  git(...args: readonly string[]): string;
}

/** Path of the repository's file with that number. */
export function fileName(index: number): string {
  return `src/part-${Math.floor(index / 400)}/folder-${Math.floor(index / 40)}/file-${index}.ts`;
}

/** What stands in that file: about 600 bytes. */
export function fileText(index: number): string {
  return `export const kept = "old";\n${`export const value = ${index};\n`.repeat(20)}`;
}

/** Makes a repository by one `git fast-import`; `flat` more files lie in one folder, `isBare` leaves them all unchecked-out. */
export function createBenchRepository(
  files: number,
  options: { readonly flat?: number; readonly isBare?: boolean } = {},
): BenchRepository {
  const path = mkdtempSync(join(tmpdir(), "agentd-bench-repo-"));
  const identity = ["-c", "user.name=b", "-c", "user.email=b@b.invalid", "-c", "gc.auto=0"];
  const git = (...args: readonly string[]): string => runGit(path, [...identity, ...args]);
  git("init", "-q");
  git("symbolic-ref", "HEAD", "refs/heads/main");
  const data = (text: string): string => `data ${Buffer.byteLength(text)}\n${text}\n`;
  const names = [
    ...Array.from({ length: files }, (_, index) => fileName(index)),
    ...Array.from({ length: options.flat ?? 0 }, (_, index) => `flat/file-${index}.ts`),
  ];
  const all = names.map((name, index) => `M 100644 inline ${name}\n${data(fileText(index))}`);
  const head = `commit refs/heads/main\nmark :1\ncommitter b <b@b.invalid> 1700000000 +0000\n${data("base")}`;
  runGit(path, ["fast-import", "--quiet"], head + all.join(""));
  if (options.isBare !== true) git("reset", "-q", "--hard", "main");
  return { path, git, [Symbol.dispose]: () => rmSync(path, { recursive: true, force: true }) };
}

function runGit(cwd: string, args: readonly string[], input?: string): string {
  const env = { PATH: process.env["PATH"] ?? "", HOME: cwd, GIT_CONFIG_NOSYSTEM: "1", GIT_TERMINAL_PROMPT: "0" };
  const options = { cwd, env, encoding: "utf8" as const, maxBuffer: 1 << 28 };
  return execFileSync("git", [...args], input === undefined ? options : { ...options, input }).trim();
}

const simulator = fileURLToPath(new URL("../../services/vllm-sim/main.ts", import.meta.url));

/** The simulated engine as a process of its own, so that its cost counts for nobody. */
export async function startEngine(flags: readonly string[]): Promise<ReadyProgram<{ readonly url: string }>> {
  return await startNode(simulator, ["--log-level=silent", "--kv-blocks=262144", ...flags]);
}

/** A whole agentd with the default lease, on that engine. */
export async function startWhole(engineUrl: string, options: { slots: number; workers?: number }): Promise<TestAgentd> {
  return await startAgentd({
    ...options,
    model: { url: `${engineUrl}/v1`, name: "vllm-sim" },
    args: [`--requests-max=${options.slots}`, "--lease-ms=30000", "--heartbeat-ms=5000", "--log-level=warn"],
  });
}

/** One job of `count` tasks, each with this prompt (`{{item}}` is its number) and this check. */
export interface BenchJob {
  readonly name: string;
  readonly count: number;
  readonly prompt: string;
  readonly check: string;
}

/** Creates the job and waits for its end. @throws Error when not every task has succeeded */
export async function runJob(agentd: TestAgentd, repository: BenchRepository, job: BenchJob): Promise<void> {
  await applyJob(agentd, repository, job);
  const wait = ["wait", `job/${job.name}`, "--for=condition=Complete"];
  const { code, stderr } = await agentd.ctl(wait, { timeoutMs: 20 * 60_000 });
  if (code !== 0) throw new Error(`job ${job.name} did not complete: ${stderr}`);
}

/** Creates the job. */
export async function applyJob(agentd: TestAgentd, repository: BenchRepository, job: BenchJob): Promise<void> {
  const items = Array.from({ length: job.count }, (_, index) => `"${index}"`);
  const input = manifestOf(
    job.name,
    `  repository: { url: ., ref: main }
  plan: { forEach: { lines: [${items.join(", ")}] } }
  template:
    prompt: ${JSON.stringify(job.prompt)}
    checks: [{ name: check, run: ${JSON.stringify(job.check)} }]
`,
  );
  const { code, stderr } = await agentd.ctl(["apply", "-f", "-"], { cwd: repository.path, input });
  if (code !== 0) throw new Error(`job ${job.name} was not created: ${stderr}`);
}
