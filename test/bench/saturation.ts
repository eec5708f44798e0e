import { setTimeout as delay } from "node:timers/promises";
import type { BenchOptions, Figure } from "./figure.ts";
import { treeCpuMs } from "./processes.ts";
import { applyJob, createBenchRepository, fileName, runJob, startEngine, startWhole } from "./whole.ts";

interface EngineLoad {
  readonly running: number;
  readonly waiting: number;
  readonly requests: number;
}

/** Ten times as many tasks as the engine has slots: the share of its slots that is busy once all were busy. */
export async function saturationBench({ isSmall }: BenchOptions): Promise<readonly Figure[]> {
  const slots = isSmall ? 4 : 128;
  const count = 10 * slots;
  using repository = createBenchRepository(20);
  // An answer of some 30 tokens takes 15 s: what a large model that shares its engine takes for some hundreds (30 a second).
  await using engine = await startEngine([`--slots=${slots}`, `--decode-ms-per-token=${isSmall ? 10 : 500}`]);
  const prompt = `Add the line "export const kept = \\"old\\";" to ${fileName(0)}\nCreate made/{{item}}.ts with the text "x"`;
  // Agents at git and at their checks do not use the engine: half as many again keep it busy meanwhile.
  await using agentd = await startWhole(engine.ready.url, { slots: Math.ceil(slots * 0.75), workers: 2 });
  const job = { name: "supply", count, prompt, check: "true" };
  await runJob(agentd, repository, { ...job, name: "first", count: 1 });
  // Asked again at once where the engine had closed the kept connection in that moment.
  const ask = () => fetch(`${engine.ready.url}/sim/stats`, { headers: { connection: "close" } });
  const readLoad = async () => (await (await ask().catch(ask)).json()) as EngineLoad;
  const before = await readLoad();
  const cpuBefore = treeCpuMs(agentd.pid);
  const startedMs = performance.now();
  await applyJob(agentd, repository, job);
  const requestsMax = count * 3;
  const samples: EngineLoad[] = [];
  let warmMs = Number.NaN;
  // Until so few requests are left that the slots cannot all be busy any more.
  for (;;) {
    const load = await readLoad();
    const begun = load.requests - before.requests;
    if (begun >= requestsMax - 3 * slots) break;
    if (performance.now() - startedMs > 15 * 60_000) throw new Error(`only ${begun} of ${requestsMax} requests came`);
    if (Number.isNaN(warmMs) && load.running >= slots) warmMs = performance.now() - startedMs;
    if (!Number.isNaN(warmMs)) samples.push(load);
    await delay(50);
  }
  const cpuShare = (treeCpuMs(agentd.pid) - cpuBefore) / (performance.now() - startedMs);
  const busy = samples.reduce((sum, { running }) => sum + running, 0) / samples.length / slots;
  return [
    {
      name: `engine slots busy with ${count} tasks for ${slots} slots`,
      value: 100 * busy,
      unit: "%",
      baseline: "all slots from the first moment that all were busy, until the supply ends",
      ...(isSmall ? {} : { target: { is: "at least" as const, value: 97 } }),
      detail: `${samples.length} samples at the engine, warm after ${(warmMs / 1_000).toFixed(1)} s, ${cpuShare.toFixed(2)} processors used by agentd`,
    },
  ];
}
