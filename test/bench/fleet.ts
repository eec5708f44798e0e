import { tasksOf } from "../support/jobs.ts";
import type { BenchOptions, Figure } from "./figure.ts";
import { residentBytes, treeMemoryBytes, watchPeak } from "./processes.ts";
import { createBenchRepository, fileName, runJob, startEngine, startWhole } from "./whole.ts";

const mib = 1_024 ** 2;

/** A thousand sub-agents in one worker process, all at the engine at once. */
export async function fleetBench({ isSmall }: BenchOptions): Promise<readonly Figure[]> {
  const count = isSmall ? 8 : 1_000;
  // So slow that the first are still at work when the last has begun.
  const decode = isSmall ? 1 : 400;
  using repository = createBenchRepository(20);
  await using engine = await startEngine([`--slots=${count}`, `--decode-ms-per-token=${decode}`]);
  await using agentd = await startWhole(engine.ready.url, { slots: count });
  const prompt = `Add the line "export const kept = \\"old\\";" to ${fileName(0)}\nCreate made/{{item}}.ts with the text "x"`;
  await runJob(agentd, repository, { name: "first", count: 1, prompt, check: "true" });
  const worker = await agentd.pidOf(agentd.workers[0] ?? "");
  const idleBytes = residentBytes(worker).now;
  const memory = watchPeak(() => residentBytes(worker).now);
  const tree = watchPeak(() => treeMemoryBytes([worker]), 1_000);
  const startedMs = performance.now();
  await runJob(agentd, repository, { name: "fleet", count, prompt, check: "true" });
  const seconds = (performance.now() - startedMs) / 1_000;
  const peakBytes = memory.stop();
  const states = (await tasksOf(agentd, "fleet")).filter(({ status }) => status.state === "Succeeded").length;
  const stats = (await (await fetch(`${engine.ready.url}/sim/stats`)).json()) as { readonly runningPeak: number };
  return [
    {
      name: `memory of one worker process with ${count} agents`,
      value: (peakBytes - idleBytes) / count / mib,
      unit: "MiB an agent",
      baseline: "the idle worker (RSS)",
      ...(isSmall ? {} : { target: { is: "at most" as const, value: 2 } }),
      detail:
        `${mibText(peakBytes)} against ${mibText(idleBytes)}; with its children ${mibText(tree.stop())} (PSS); ` +
        `${stats.runningPeak} at the engine at once; ${states} of ${count} merged in ${seconds.toFixed(0)} s`,
    },
  ];
}

function mibText(bytes: number): string {
  return `${Math.round(bytes / mib)} MiB`;
}
