import { reapMarked } from "../../platform/process/reaper.ts";
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
  /**
   * Resolves when none of the target's processes is left that was there at the call.
   * @throws AgentdError INTERNAL when some cannot be killed.
   */
  reap(target: ReapTarget): Promise<void>;
}

interface Waiting {
  readonly target: ReapTarget;
  readonly done: PromiseWithResolvers<void>;
}

/**
 * One look at all processes serves everybody who asked before it began: reading the whole process table for each of a hundred
 * attempts by itself took a sixth of the worker's processor time (measured: 20 ms for 100 processes).
 */
export function createBatchedReaper(logger: Logger): BatchedReaper {
  let waiting: Waiting[] = [];
  let isRunning = false;

  async function drain(): Promise<void> {
    isRunning = true;
    while (waiting.length > 0) {
      const batch = waiting;
      waiting = [];
      try {
        await reapAll(batch, logger);
        for (const { done } of batch) done.resolve();
      } catch {
        // One that cannot be killed must not fail the others.
        for (const each of batch) await reapAll([each], logger).then(each.done.resolve, each.done.reject);
      }
    }
    isRunning = false;
  }

  return {
    async reap(target) {
      const entry = { target, done: Promise.withResolvers<void>() };
      waiting.push(entry);
      if (!isRunning) drain().catch((error: unknown) => logger.error({ err: error }, "reaping failed"));
      await entry.done.promise;
    },
  };
}

async function reapAll(batch: readonly Waiting[], logger: Logger): Promise<void> {
  const markers = new Set(batch.map(({ target }) => target.marker));
  const directories = batch.map(({ target }) => target.directory);
  const killed = await reapMarked((marker) => markers.has(marker), { directories }, AbortSignal.timeout(reapTimeoutMs));
  if (killed > 0)
    logger.info({ killed, markers: [...markers].slice(0, 10) }, "processes that outlived their command were killed");
}
