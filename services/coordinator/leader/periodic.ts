import { rest } from "../../platform/lifecycle/abortable.ts";
import type { Logger } from "../../platform/telemetry/log.ts";

/** Work that is repeated. */
export interface Periodic {
  /** For the log. */
  readonly name: string;
  readonly everyMs: number;
  readonly log: Logger;
  /** A failure is logged and the work repeated at its next time. */
  work(signal: AbortSignal): Promise<void>;
}

/** Does the work at once and then again and again, `everyMs` after its end, until the signal aborts. Never throws. */
export async function runPeriodically(periodic: Periodic, signal: AbortSignal): Promise<void> {
  while (!signal.aborted) {
    try {
      await periodic.work(signal);
    } catch (error) {
      if (!signal.aborted) periodic.log.warn({ err: error, work: periodic.name }, "periodic work failed; trying again");
    }
    await rest(periodic.everyMs, signal);
  }
}
