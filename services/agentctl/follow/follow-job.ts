import { setTimeout as delay } from "node:timers/promises";
import { isAgentdError } from "../../core/errors.ts";
import type { Job } from "../../gen/agentd/v1/job_pb.ts";
import { type ProgressView, progressLine } from "../output/progress.ts";
import { hasEnded, trueCondition } from "../output/tables/job-table.ts";
import type { Session } from "../session.ts";
import { isAway } from "./over-losses.ts";

const slotsPollMs = 2_000;
const redrawMs = 250;
const reconnectMs = 1_000;

/** How a watched job ended, or that it was not waited for to the end. */
export type FollowResult = { readonly job: Job; readonly isReached: boolean } | "TimedOut";

/** Whether agentd itself still pushes the branch: nobody has to wait for what only a `fetch` would do. */
export function willBePublished(job: Job): boolean {
  const published = job.status?.conditions.find(({ type }) => type === "Published");
  if (published?.status === "True" || published?.reason === "Diverged" || published?.reason === "GaveUp") return false;
  return job.spec?.repository?.upload === "" && job.spec.target?.push === true;
}

interface FollowOptions {
  /**
   * Condition to wait for; the wait also ends on Complete, Failed and Cancelled. `Published` comes after these: that wait
   * goes on until agentd has given up pushing, or has nothing to push.
   */
  readonly condition: string;
  /** Before each progress line, where several jobs are followed. */
  readonly label?: string;
  /** Milliseconds; absent means for ever. */
  readonly timeoutMs?: number;
  readonly showsProgress: boolean;
}

/**
 * Watches a job until it has the condition or has ended, over reconnects, and shows how far it is:
 * a line that redraws itself on a terminal, one plain line a change in a pipe.
 * @throws the session's abort reason on Ctrl-C: the watching ends, never the job.
 */
export async function followJob(session: Session, name: string, options: FollowOptions): Promise<FollowResult> {
  const timeout = options.timeoutMs === undefined ? undefined : AbortSignal.timeout(options.timeoutMs);
  const stop = new AbortController();
  const signals = [session.signal, stop.signal, ...(timeout === undefined ? [] : [timeout])];
  const signal = AbortSignal.any(signals);
  const display = createDisplay(session, options);
  const slots = pollSlots(session, display, signal);
  try {
    for await (const job of changes(session, name, signal)) {
      display.show(job);
      const isReached = trueCondition(job, options.condition) !== undefined;
      if (isReached || (hasEnded(job) && !(options.condition === "Published" && willBePublished(job)))) {
        return { job, isReached };
      }
    }
    throw new Error("a watch ended without a reason");
  } catch (error) {
    if (session.signal.aborted) throw session.signal.reason;
    if (timeout?.aborted === true) return "TimedOut";
    throw error;
  } finally {
    stop.abort();
    await slots;
    display.close();
  }
}

/** Every state of the job from now on; a lost connection is made again, a deleted job is NOT_FOUND. */
async function* changes(session: Session, name: string, signal: AbortSignal): AsyncGenerator<Job> {
  const [, namespace = "", , job = ""] = name.split("/");
  let isLost = false;
  for (;;) {
    signal.throwIfAborted();
    try {
      yield await session.jobs.getJob({ name }, { signal });
      if (isLost) session.terminal.err("agentd is back\n");
      isLost = false;
      const parent = `namespaces/${namespace}`;
      for await (const change of session.jobs.watchJobs({ parent, job }, { signal })) {
        if (change.type === "DELETED") break;
        if (change.job !== undefined) yield change.job;
      }
    } catch (error) {
      if (signal.aborted || !(isAway(error) || isAgentdError(error, "WATCH_EXPIRED"))) throw error;
      if (!isLost) session.terminal.err(`waiting for agentd at ${session.server} …\n`);
      isLost = true;
    }
    await delay(reconnectMs, undefined, { signal });
  }
}

interface Display {
  show(job: Job): void;
  setSlots(slots: NonNullable<ProgressView["slots"]>): void;
  close(): void;
}

function createDisplay(session: Session, { showsProgress: isShown, label }: FollowOptions): Display {
  const prefix = label === undefined ? "" : `${label}   `;
  const { terminal } = session;
  const startMs = session.now();
  let job: Job | undefined;
  let slots: ProgressView["slots"];
  let last = "";
  const view = (): ProgressView | undefined =>
    job && { job, elapsedMs: session.now() - startMs, ...(slots === undefined ? {} : { slots }) };
  const redraw = (): void => {
    const present = view();
    if (present === undefined) return;
    const line = ` ${prefix}${progressLine(present, terminal.columns > 110)}`.slice(0, terminal.columns - 1);
    terminal.out(`\r\u001b[2K${line}`);
  };
  const timer = isShown && terminal.isInteractive ? setInterval(redraw, redrawMs) : undefined;
  return {
    show(next) {
      job = next;
      if (!isShown) return;
      if (terminal.isInteractive) return redraw();
      const present = view();
      // In a pipe a line stands for a change of the counts, not for the passing of time.
      const key = JSON.stringify([next.status?.counts, next.status?.reopened, next.status?.total]);
      if (present !== undefined && key !== last) terminal.out(`${prefix}${progressLine(present, false)}\n`);
      last = key;
    },
    setSlots(next) {
      slots = next;
    },
    close() {
      if (timer === undefined) return;
      clearInterval(timer);
      redraw();
      terminal.out("\n");
    },
  };
}

async function pollSlots(session: Session, display: Display, signal: AbortSignal): Promise<void> {
  while (!signal.aborted) {
    try {
      const { workers } = await session.workers.listWorkers({ pageSize: 1000 }, { signal });
      const ready = workers.filter((worker) => worker.status?.state !== "Lost");
      display.setSlots({
        busy: ready.reduce((sum, worker) => sum + (worker.status?.busy ?? 0), 0),
        total: ready.reduce((sum, worker) => sum + (worker.spec?.slots ?? 0), 0),
      });
      await delay(slotsPollMs, undefined, { signal });
    } catch {
      // Slots are decoration: without them the line is shorter, and the watch itself reports a lost server.
      if (signal.aborted) return;
      await delay(slotsPollMs, undefined, { signal }).catch(() => undefined);
    }
  }
}
