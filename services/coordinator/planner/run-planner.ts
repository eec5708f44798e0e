import type { Job, JobHead } from "../../core/job/job.ts";
import type { Task } from "../../core/task/task.ts";
import { keyPrefixes } from "../../platform/nats/subjects.ts";
import type { Logger } from "../../platform/telemetry/log.ts";
import { createKeyedLoop } from "../leader/keyed-loop.ts";
import type { PlannerDeps } from "./planner.ts";
import { createPlanner } from "./planner.ts";

/** Jobs planned at once: the largest plan must not make a small one wait. */
const plansAtOnce = 4;

/** Plans every job until the signal aborts; to be run by the leader only. */
export async function runPlanner(deps: PlannerDeps & { readonly log: Logger }, signal: AbortSignal): Promise<void> {
  const { store, log } = deps;
  const planner = createPlanner(deps);
  const loop = createKeyedLoop({
    name: "planner",
    log,
    concurrent: plansAtOnce,
    reconcile: (uid, keySignal) => planner.reconcile(uid, keySignal),
  });
  const stop = store.onChange(({ key, value }) => {
    if (value === undefined) return;
    if (key.startsWith(keyPrefixes.jobs)) loop.wake((value as Job).metadata.uid);
    else if (key.startsWith(keyPrefixes.tasks)) {
      const task = value as Task;
      if (task.spec.kind === "Plan") loop.wake(task.metadata.uid);
    }
  });
  try {
    for (const head of store.list<JobHead>(keyPrefixes.heads)) loop.wake(head.value.uid);
    await loop.run(signal);
  } finally {
    stop();
  }
}
