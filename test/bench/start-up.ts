import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { type BenchOptions, type Figure, median } from "./figure.ts";
import { startNode, waitedCpuMs } from "./processes.ts";

const agentctl = fileURLToPath(new URL("../../services/agentctl/bin/agentctl", import.meta.url));
const apiMain = fileURLToPath(new URL("programs/api-program.ts", import.meta.url));

interface Run {
  readonly wallMs: number;
  readonly cpuMs: number;
}

function runOnce(file: string, args: readonly string[]): Run {
  const cpuBefore = waitedCpuMs();
  const started = performance.now();
  const { status, stderr } = spawnSync(file, args, { stdio: ["ignore", "ignore", "pipe"] });
  const wallMs = performance.now() - started;
  if (status !== 0) throw new Error(`${file} ${args.join(" ")} ended with ${status}: ${stderr.toString()}`);
  return { wallMs, cpuMs: waitedCpuMs() - cpuBefore };
}

/** By turns with the baseline, so that a busy moment hits both. */
function compare(args: readonly string[], rounds: number): { readonly ratio: number; readonly detail: string } {
  const ours: Run[] = [];
  const bare: Run[] = [];
  runOnce(agentctl, args);
  for (let round = 0; round < rounds; round += 1) {
    ours.push(runOnce(agentctl, args));
    bare.push(runOnce(process.execPath, ["-e", "0"]));
  }
  const [own, base] = [ours, bare].map((runs) => median(runs.map(({ wallMs }) => wallMs))) as [number, number];
  // The kernel counts processor time in hundredths of a second: a sum of all rounds says more than their median.
  const [ownCpu, baseCpu] = [ours, bare].map((runs) => runs.reduce((sum, { cpuMs }) => sum + cpuMs, 0)) as [
    number,
    number,
  ];
  const wall = `${own.toFixed(0)} ms against ${base.toFixed(0)} ms, median of ${rounds}`;
  return { ratio: own / base, detail: `${wall}; in processor time ${(ownCpu / baseCpu).toFixed(1)} ×` };
}

/** How long a user waits for the smallest command and for a list, against Node that does nothing. */
export async function startUpBench({ isSmall }: BenchOptions): Promise<readonly Figure[]> {
  const rounds = isSmall ? 3 : 25;
  const tasks = isSmall ? 20 : 1_000;
  await using api = await startNode<{ address: string }>(apiMain, [String(tasks)]);
  const version = compare(["version", "--server", "127.0.0.1:1"], rounds);
  const answered = compare(["version", "--server", api.ready.address], rounds);
  const list = compare(["--server", api.ready.address, "get", "tasks"], rounds);
  const baseline = "`node -e 0`";
  return [
    {
      name: "`agentctl version`",
      value: version.ratio,
      unit: "×",
      baseline,
      target: { is: "at most", value: 4 },
      detail: version.detail,
    },
    {
      name: "`agentctl version`, the server's too",
      value: answered.ratio,
      unit: "×",
      baseline,
      target: { is: "at most", value: 4 },
      detail: answered.detail,
    },
    {
      name: `\`agentctl get tasks\` of ${tasks} tasks`,
      value: list.ratio,
      unit: "×",
      baseline,
      target: { is: "at most", value: 8 },
      detail: list.detail,
    },
  ];
}
