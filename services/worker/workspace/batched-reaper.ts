import { inBatches } from "../../platform/process/in-batches.ts";
import { reapMarked } from "../../platform/process/reaper/reaper.ts";
import type { Logger } from "../../platform/telemetry/log.ts";

/** Looking for and killing one batch may take this long. */
const reapTimeoutMs = 60_000;

/** What is to be ended: see `reapMarked`. */
export interface ReapTarget {
  readonly marker: string;
  /** Also processes that work here: a child may have emptied its environment. */
  readonly directory: string;
}

/** Ends the processes of attempts. */
export interface BatchedReaper {
  /** A process with this marker is being started: without that there is nothing to end. */
  noteStart(marker: string): void;
  /**
   * Resolves when none of the target's processes is left that was there at the call. Looks only after {@link noteStart}.
   * @throws AgentdError INTERNAL when some cannot be killed.
   */
  reap(target: ReapTarget): Promise<void>;
}

/**
 * One look at all processes serves everybody who asked before it began: reading the whole process table for each of a hundred
 * attempts by itself took a sixth of the worker's processor time (measured: 20 ms for 100 processes).
 */
export function createBatchedReaper(logger: Logger): BatchedReaper {
  const started = new Set<string>();
  const look = inBatches<ReapTarget>((batch) => reapAll(batch, logger));
  return {
    noteStart: (marker) => void started.add(marker),
    async reap(target) {
      if (!started.delete(target.marker)) return;
      try {
        await look(target);
      } catch (error) {
        started.add(target.marker);
        throw error;
      }
    },
  };
}

async function reapAll(batch: readonly ReapTarget[], logger: Logger): Promise<void> {
  const markers = new Set(batch.map(({ marker }) => marker));
  const directories = batch.map(({ directory }) => directory);
  const killed = await reapMarked((marker) => markers.has(marker), { directories }, AbortSignal.timeout(reapTimeoutMs));
  if (killed > 0)
    logger.info({ killed, markers: [...markers].slice(0, 10) }, "processes that outlived their command were killed");
}
