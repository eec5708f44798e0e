import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { type BenchOptions, type Figure, median } from "./figure.ts";
import { startNode } from "./processes.ts";

const agentctl = fileURLToPath(new URL("../../services/agentctl/bin/agentctl", import.meta.url));
const apiMain = fileURLToPath(new URL("programs/api-program.ts", import.meta.url));

function timeMs(file: string, args: readonly string[]): number {
  const started = performance.now();
  const { status, stderr } = spawnSync(file, args, { stdio: ["ignore", "ignore", "pipe"] });
  if (status !== 0) throw new Error(`${file} ${args.join(" ")} ended with ${status}: ${stderr.toString()}`);
  return performance.now() - started;
}

/** By turns with the baseline, so that a busy moment hits both. */
function compare(args: readonly string[], rounds: number): { readonly ratio: number; readonly detail: string } {
  const ours: number[] = [];
  const bare: number[] = [];
  timeMs(agentctl, args);
  for (let round = 0; round < rounds; round += 1) {
    ours.push(timeMs(agentctl, args));
    bare.push(timeMs(process.execPath, ["-e", "0"]));
  }
  const [own, base] = [median(ours), median(bare)];
  return { ratio: own / base, detail: `${own.toFixed(0)} ms against ${base.toFixed(0)} ms, median of ${rounds}` };
}

/** How long a user waits for the smallest command and for a list, against Node that does nothing. */
export async function startUpBench({ isSmall }: BenchOptions): Promise<readonly Figure[]> {
  const rounds = isSmall ? 3 : 25;
  const tasks = isSmall ? 20 : 1_000;
  await using api = await startNode<{ address: string }>(apiMain, [String(tasks)]);
  const version = compare(["version"], rounds);
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
      name: `\`agentctl get tasks\` of ${tasks} tasks`,
      value: list.ratio,
      unit: "×",
      baseline,
      target: { is: "at most", value: 8 },
      detail: list.detail,
    },
  ];
}
