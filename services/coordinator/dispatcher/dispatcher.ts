import { dispatchOrder } from "../../core/task/dispatch/dispatch-order.ts";
import { rest } from "../../platform/lifecycle/abortable.ts";
import type { ResourceStore } from "../../platform/nats/store/store.ts";
import type { HintKind } from "../../platform/nats/subjects.ts";
import type { Logger } from "../../platform/telemetry/log.ts";
import { formatTraceparent } from "../../platform/telemetry/spans/trace-context.ts";
import { underTraceparent } from "../../platform/telemetry/spans/tracer.ts";
import type { Fleet } from "../fleet/fleet.ts";
import { observeJobs } from "../job-entries.ts";
import type { TaskIndex } from "../lease/task-index.ts";
import { taskSpan } from "../observe/job-trace.ts";

/** What {@link runDispatcher} needs. */
export interface DispatcherDeps {
  readonly store: ResourceStore;
  readonly index: TaskIndex;
  readonly fleet: Fleet;
  readonly log: Logger;
  readonly nowMs: () => number;
  readonly monotonicMs: () => number;
  /** Puts a hint into the queue, where it may already be. */
  readonly publishHint: (kind: HintKind, uid: string, task: string, signal: AbortSignal) => Promise<unknown>;
}

/** Every runnable task of the front gets its hint again after this, whatever became of the last one. */
const repeatMs = 1_000;
/** Runs that are caused by changes keep this distance, so that a burst is one run. */
const gapMs = 20;
/** Hints above twice the free slots, so that a slot that becomes free finds one without waiting for a run. */
const spareHints = 8;
/** Most hints in one run. */
const hintsMax = 4_096;
/** Hints that are published at once. */
const publishedAtOnce = 32;

/** Keeps hints for the first runnable tasks in the queue until the signal aborts; to be run by the leader only. */
export async function runDispatcher(deps: DispatcherDeps, signal: AbortSignal): Promise<void> {
  const recent = new Map<string, number>();
  let wake: () => void = () => undefined;
  let isDirty = true;
  const stop = deps.store.onChange(({ key }) => {
    if (!key.startsWith("task.") && !key.startsWith("head.") && !key.startsWith("job.")) return;
    isDirty = true;
    wake();
  });
  const stopSlots = deps.fleet.onSlots(() => {
    isDirty = true;
    wake();
  });
  try {
    while (!signal.aborted) {
      const startedAtMs = deps.monotonicMs();
      isDirty = false;
      try {
        await dispatch(deps, recent, signal);
      } catch (error) {
        if (!signal.aborted) deps.log.debug({ err: error }, "dispatching failed; trying again");
      }
      const tookMs = deps.monotonicMs() - startedAtMs;
      // A fleet of many tasks must not make this loop eat the processor: it rests ten times as long as it works.
      await rest(Math.max(gapMs, 10 * Math.min(tookMs, repeatMs / 10)), signal);
      if (isDirty) continue;
      await Promise.race([
        rest(repeatMs, signal),
        new Promise<void>((resolve) => {
          wake = resolve;
        }),
      ]);
    }
  } finally {
    stop();
    stopSlots();
  }
}

/** One run: `recent` only spares the queue repeated refusals; forgetting it changes nothing but their number. */
async function dispatch(deps: DispatcherDeps, recent: Map<string, number>, signal: AbortSignal): Promise<void> {
  const { slots } = deps.fleet;
  const running = [...deps.index.running()].filter(({ status }) =>
    deps.fleet.takesTasks(status.lease?.worker ?? ""),
  ).length;
  const free = Math.max(0, slots - running);
  if (slots === 0) return;
  const limit = Math.min(hintsMax, 2 * free + spareHints);
  const jobs = observeJobs(deps.store).map(({ job, head, tasks }) => ({
    job: job.value,
    head: head.value,
    tasks: tasks.map((entry) => entry.value),
  }));
  const nowMs = deps.monotonicMs();
  for (const [key, atMs] of recent) if (nowMs - atMs >= repeatMs) recent.delete(key);
  const due = dispatchOrder(jobs, deps.nowMs(), limit).filter(({ uid, task }) => {
    const key = `${uid}/${task.metadata.name}/${task.status.attempt}`;
    if (recent.has(key)) return false;
    recent.set(key, nowMs);
    return true;
  });
  const jobOf = new Map(jobs.map(({ job }) => [job.metadata.uid, job]));
  const traceparentOf = (uid: string, task: string): string | undefined => {
    const job = jobOf.get(uid);
    return job === undefined ? undefined : formatTraceparent(taskSpan(job, task));
  };
  for (let at = 0; at < due.length; at += publishedAtOnce) {
    const part = due.slice(at, at + publishedAtOnce);
    await Promise.all(
      part.map(({ uid, task }) =>
        // Plan tasks go with Verify tasks: workers pull that kind first.
        underTraceparent(traceparentOf(uid, task.metadata.name), () =>
          deps.publishHint(task.spec.kind === "Agent" ? "run" : "verify", uid, task.metadata.name, signal),
        ),
      ),
    );
  }
}
