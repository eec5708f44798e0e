import type { ResourceStore } from "../../platform/nats/store/store.ts";
import type { Logger } from "../../platform/telemetry/log.ts";
import { sweepUploads } from "../api/repositories/uploads.ts";
import { runPeriodically } from "../leader/periodic.ts";

const everyMs = 10 * 60_000;

/** Forgets old uploads until the signal aborts; to be run by the leader only. */
export async function runUploadSweeps(
  deps: { readonly store: ResourceStore; readonly log: Logger; readonly nowMs: () => number },
  signal: AbortSignal,
): Promise<void> {
  const work = async (workSignal: AbortSignal): Promise<void> => {
    await sweepUploads(deps.store, deps.nowMs(), workSignal);
  };
  await runPeriodically({ name: "uploads", everyMs, log: deps.log, work }, signal);
}
