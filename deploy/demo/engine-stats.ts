import type { LoadSample } from "./slots-chart.ts";

/** What the simulated engine counted: `/sim/stats`. */
export interface EngineStats {
  readonly slots: number;
  readonly runningPeak: number;
  readonly requests: number;
  /** Faulty answers that it gave on purpose, by kind. */
  readonly faults: Readonly<Record<string, number>>;
  readonly samples: readonly LoadSample[];
}

const timeoutMs = 10_000;

/** Asks the simulator at an OpenAI base URL (`…/v1`). @throws Error when it does not answer */
export async function readEngineStats(baseUrl: string): Promise<EngineStats> {
  const response = await fetch(new URL("/sim/stats", baseUrl), { signal: AbortSignal.timeout(timeoutMs) });
  if (!response.ok) throw new Error(`the simulated engine answered ${response.status}`);
  return (await response.json()) as EngineStats;
}
