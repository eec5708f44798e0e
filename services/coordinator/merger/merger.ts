import type { JobHead } from "../../core/job/job.ts";
import { keyPrefixes } from "../../platform/nats/subjects.ts";
import type { Logger } from "../../platform/telemetry/log.ts";
import { observeJobOf } from "../job-entries.ts";
import { createKeyedLoop } from "../leader/keyed-loop.ts";
import type { MergeStepDeps } from "./merge-step.ts";
import { mergeStep } from "./merge-step.ts";

/** What {@link runMerger} needs. */
export interface MergerDeps extends MergeStepDeps {
  readonly log: Logger;
}

/** Writes of one head are at most 20 a second: what arrives in between lands in the next batch. */
const headWriteGapMs = 50;
/** Jobs whose git work runs at once. */
const jobsAtOnce = 4;
const resyncMs = 5_000;

/** Lands results on every job's branch until the signal aborts; to be run by the leader only. */
export async function runMerger(deps: MergerDeps, signal: AbortSignal): Promise<void> {
  const { store, log } = deps;
  const loop = createKeyedLoop({
    name: "merger",
    log,
    concurrent: jobsAtOnce,
    async reconcile(uid, keySignal) {
      const view = observeJobOf(store, uid);
      if (view === undefined) return undefined;
      const result = await mergeStep(deps, view, keySignal);
      if (result.kind === "idle") return undefined;
      return result.isHeadWrite ? { afterMs: headWriteGapMs, isFirm: true } : { afterMs: 0 };
    },
  });
  const stop = store.onChange(({ key }) => {
    const [kind, uid] = key.split(".");
    if (kind !== undefined && uid !== undefined && (kind === "task" || kind === "head")) loop.wake(uid);
  });
  const wakeAll = (): void => {
    for (const head of store.list<JobHead>(keyPrefixes.heads)) loop.wake(head.value.uid);
  };
  const timer = setInterval(wakeAll, resyncMs);
  try {
    wakeAll();
    await loop.run(signal);
  } finally {
    clearInterval(timer);
    stop();
  }
}
