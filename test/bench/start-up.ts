import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { type Figure, median } from "./figure.ts";

const rounds = 15;

function timeMs(file: string, args: readonly string[]): number {
  const started = performance.now();
  const { status } = spawnSync(file, args, { stdio: "ignore" });
  if (status !== 0) throw new Error(`${file} ${args.join(" ")} ended with ${status}`);
  return performance.now() - started;
}

/** How long a user waits for the smallest command, against Node that does nothing. */
export function startUpBench(): Promise<readonly Figure[]> {
  const agentctl = fileURLToPath(new URL("../../services/agentctl/bin/agentctl", import.meta.url));
  const ours: number[] = [];
  const bare: number[] = [];
  timeMs(agentctl, ["version"]);
  // By turns, so that a busy moment hits both.
  for (let round = 0; round < rounds; round += 1) {
    ours.push(timeMs(agentctl, ["version"]));
    bare.push(timeMs(process.execPath, ["-e", "0"]));
  }
  const [own, base] = [median(ours), median(bare)];
  const detail = `${own.toFixed(0)} ms against ${base.toFixed(0)} ms, median of ${rounds}`;
  return Promise.resolve([{ name: "agentctl version", ratio: own / base, baseline: "node -e 0", detail }]);
}
