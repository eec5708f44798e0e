import { isAgentdError } from "../core/errors.ts";
import type { Logger } from "../platform/telemetry/log.ts";

/** A reconcile loop: never one key twice at a time, a failed key again after a back-off. */
export interface KeyedLoop {
  /** Something about `key` may have changed. Any number of calls before the next run are one. */
  wake(key: string): void;
  /** Reconciles until the signal aborts and the runs in flight have ended. Never throws. */
  run(signal: AbortSignal): Promise<void>;
}

/** What {@link createKeyedLoop} needs. */
export interface KeyedLoopOptions {
  readonly name: string;
  readonly log: Logger;
  /** Keys that are reconciled at once. */
  readonly concurrent: number;
  /** Converges one key; undefined waits for the next wake. */
  reconcile(key: string, signal: AbortSignal): Promise<NextRun | undefined>;
}

/** When a key wants to be reconciled again. */
export interface NextRun {
  readonly afterMs: number;
  /** A wake does not make it sooner: a bound of writes a second, not a time to come back. Default false. */
  readonly isFirm?: boolean;
}

const firstBackOffMs = 100;
const longestBackOffMs = 10_000;
/** A lost compare-and-swap is normal: look again soon. */
const conflictMs = 10;

/** An idle loop; keys that are woken before `run` are its first. */
export function createKeyedLoop(options: KeyedLoopOptions): KeyedLoop {
  const ready = new Set<string>();
  const running = new Map<string, Promise<void>>();
  const failures = new Map<string, number>();
  /** Keys that wait for their time. */
  const delayed = new Map<string, { readonly timer: NodeJS.Timeout; readonly isFirm: boolean }>();
  let stopSignal: AbortSignal | undefined;

  const later = (key: string, afterMs: number, isFirm: boolean): void => {
    const timer = setTimeout(() => {
      delayed.delete(key);
      wake(key);
    }, afterMs);
    delayed.set(key, { timer, isFirm });
  };
  const reconcile = async (key: string, signal: AbortSignal): Promise<void> => {
    try {
      const next = await options.reconcile(key, signal);
      failures.delete(key);
      if (next !== undefined && !signal.aborted) later(key, next.afterMs, next.isFirm ?? false);
    } catch (error) {
      if (signal.aborted) return;
      later(key, backOffMs(options, failures, key, error), true);
    }
  };
  const startReady = (): void => {
    const signal = stopSignal;
    if (signal === undefined || signal.aborted) return;
    for (const key of ready) {
      if (running.size >= options.concurrent) return;
      if (running.has(key) || delayed.get(key)?.isFirm === true) continue;
      clearTimeout(delayed.get(key)?.timer);
      delayed.delete(key);
      ready.delete(key);
      const run = reconcile(key, signal).finally(() => {
        running.delete(key);
        startReady();
      });
      running.set(key, run);
    }
  };
  const wake = (key: string): void => {
    ready.add(key);
    startReady();
  };

  return {
    wake,
    async run(signal) {
      stopSignal = signal;
      startReady();
      if (!signal.aborted)
        await new Promise<void>((resolve) => signal.addEventListener("abort", () => resolve(), { once: true }));
      for (const { timer } of delayed.values()) clearTimeout(timer);
      delayed.clear();
      ready.clear();
      await Promise.all(running.values());
    },
  };
}

function backOffMs(options: KeyedLoopOptions, failures: Map<string, number>, key: string, error: unknown): number {
  const { log, name: loop } = options;
  if (isAgentdError(error, "CONFLICT")) {
    log.debug({ loop, key, err: error }, "lost a race; looking again");
    return conflictMs;
  }
  const count = failures.get(key) ?? 0;
  failures.set(key, count + 1);
  const level = isAgentdError(error, "STORE_UNAVAILABLE") ? "debug" : "warn";
  log[level]({ loop, key, err: error, failures: count + 1 }, "reconciling failed; trying again");
  return Math.min(firstBackOffMs * 2 ** Math.min(count, 10), longestBackOffMs);
}
