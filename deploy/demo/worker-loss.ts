import type { LocalAgentd } from "./local-agentd.ts";
import { readTasks } from "./outcomes.ts";

/** A worker that was killed, and what it held. */
export interface WorkerLoss {
  readonly worker: string;
  readonly pid: number;
  /** Attempts that ran on it a moment before. */
  readonly held: number;
}

/** Kills (signal 9) the worker process that holds the most attempts of the job. @throws Error when none holds any */
export async function killBusiestWorker(agentd: LocalAgentd, job: string, signal: AbortSignal): Promise<WorkerLoss> {
  const tasks = await readTasks(agentd, job, signal);
  const running = tasks.filter((task) => task.status?.state === "Running");
  const loads = agentd.endpoints.workers.map((worker) => ({
    worker,
    held: running.filter((task) => task.status?.worker === worker).length,
  }));
  const busiest = loads.sort((a, b) => b.held - a.held)[0];
  if (busiest === undefined || busiest.held === 0)
    throw new Error("no worker held an attempt when one was to be killed");
  const pid = await agentd.pidOf(busiest.worker);
  process.kill(pid, "SIGKILL");
  return { ...busiest, pid };
}
