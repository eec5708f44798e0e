import { mkdir, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { ripgrepPath } from "../../services/agent/agent-tools.ts";
import { detectSandbox } from "../../services/platform/process/sandbox.ts";
import { createSandboxedShell } from "../../services/worker/workspace/sandboxed-shell.ts";
import type { BenchOptions, Figure } from "./figure.ts";
import { startNode, treeCpuMs, treeMemoryBytes, watchPeak } from "./processes.ts";
import type { InProcessRun } from "./programs/in-process.ts";
import { type BenchRepository, createBenchRepository, fileName, runJob, startEngine, startWhole } from "./whole.ts";

const mib = 1_024 ** 2;
const inProcessMain = fileURLToPath(new URL("programs/in-process.ts", import.meta.url));
const check = "true";

/** Four turns: read, read, edit, finish. Every task changes a file of its own. */
const prompt = `Add the line "export const kept = \\"old\\";" to ${fileName(0)}\nReplace "old" with "new" in flat/file-{{item}}.ts`;

/** CPU of a check a task, measured as the gate runs it but by itself: it is the job's cost, not agentd's. */
async function checkCpuMs(count: number): Promise<number> {
  const signal = new AbortController().signal;
  const sandbox = await detectSandbox(process.env["PATH"] ?? "", signal);
  const shell = createSandboxedShell({ sandbox, host: process.env, hidden: [], readable: [dirname(ripgrepPath)] });
  const tree = await mkdtemp(join(tmpdir(), "agentd-bench-check-"));
  try {
    const place = { tree, home: join(tree, "home"), tmp: join(tree, "tmp"), readable: [], marker: "" };
    await mkdir(place.home);
    await mkdir(place.tmp);
    const before = treeCpuMs(process.pid);
    for (let at = 0; at < count; at += 1) {
      await shell.run({ command: check, place, timeoutMs: 60_000, network: false }, signal);
    }
    return (treeCpuMs(process.pid) - before) / count;
  } finally {
    await rm(tree, { recursive: true, force: true });
  }
}

interface Measured {
  readonly cpuMsEach: number;
  readonly peakBytes: number;
}

/** The second of two runs: what is started and compiled once counts for neither side. */
async function runInProcess(
  url: string,
  repository: BenchRepository,
  run: Omit<InProcessRun, "repository">,
): Promise<Measured> {
  await using program = await startNode(inProcessMain, [`${url}/v1`]);
  const once = async (): Promise<number> => {
    const before = treeCpuMs(program.pid);
    program.tell(JSON.stringify({ ...run, repository: repository.path } satisfies InProcessRun));
    await program.next();
    return treeCpuMs(program.pid) - before;
  };
  await once();
  if (!run.withGit) repository.git("checkout", "-q", ".");
  const memory = watchPeak(() => treeMemoryBytes([program.pid]));
  const used = await once();
  if (!run.withGit) repository.git("checkout", "-q", ".");
  return { cpuMsEach: used / run.count, peakBytes: memory.stop() };
}

async function runWhole(url: string, repository: BenchRepository, count: number): Promise<Measured> {
  await using agentd = await startWhole(url, { slots: count });
  const job = { count, prompt, check };
  await runJob(agentd, repository, { ...job, name: "first" });
  const memory = watchPeak(() => treeMemoryBytes([agentd.pid]));
  const before = treeCpuMs(agentd.pid);
  await runJob(agentd, repository, { ...job, name: "second" });
  return { cpuMsEach: (treeCpuMs(agentd.pid) - before) / count, peakBytes: memory.stop() };
}

/** N tasks from claim to merge, all durable, against N loops in one process with stock git around them. */
export async function endToEndBench({ isSmall }: BenchOptions): Promise<readonly Figure[]> {
  const count = isSmall ? 4 : 100;
  using repository = createBenchRepository(200 - count, { flat: count });
  await using engine = await startEngine(["--slots=256", "--decode-ms-per-token=0", "--prefill-tokens-per-second=1e9"]);
  const { url } = engine.ready;
  const run = { count, prompt };
  const bare = await runInProcess(url, repository, { ...run, withGit: false });
  const loops = await runInProcess(url, repository, { ...run, withGit: true });
  const ours = await runWhole(url, repository, count);
  const checkMs = await checkCpuMs(count);
  const ownMs = ours.cpuMsEach - checkMs;
  const ms = (value: number) => `${value.toFixed(1)} ms`;
  const cpu = `${ms(ownMs)} against ${ms(loops.cpuMsEach)} CPU a task`;
  const parts = `bare loop ${ms(bare.cpuMsEach)}, the check itself ${ms(checkMs)} (not counted)`;
  const what = `${count} tasks of 4 turns`;
  return [
    {
      name: `CPU of ${what}, end to end`,
      value: ownMs / loops.cpuMsEach,
      unit: "×",
      baseline: "loops in one process, with stock git's worktree add, commit, merge",
      target: { is: "at most", value: 1 },
      detail: `${cpu}; ${parts}`,
    },
    {
      name: `CPU of ${what}, against loops without git`,
      value: ownMs / bare.cpuMsEach,
      unit: "×",
      baseline: "loops in one process, no git",
      detail: `${ms(ownMs)} against ${ms(bare.cpuMsEach)}`,
    },
    {
      name: `memory of the whole system at ${count} agents`,
      value: ours.peakBytes / count / mib,
      unit: "MiB an agent",
      baseline: "agentd up, NATS, coordinator, worker and their children at their peak (PSS)",
      ...(isSmall ? {} : { target: { is: "at most" as const, value: 5 } }),
      detail: `${Math.round(ours.peakBytes / mib)} MiB; the loops with git: ${Math.round(loops.peakBytes / mib)} MiB`,
    },
  ];
}
