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
  /** Converges one key; `afterMs` asks for another run, undefined waits for the next wake. */
  reconcile(key: string, signal: AbortSignal): Promise<{ readonly afterMs: number } | undefined>;
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
  /** Keys that wait for their time; a wake does not shorten it. */
  const delayed = new Map<string, NodeJS.Timeout>();
  let stopSignal: AbortSignal | undefined;

  const later = (key: string, afterMs: number): void => {
    const timer = setTimeout(() => {
      delayed.delete(key);
      wake(key);
    }, afterMs);
    delayed.set(key, timer);
  };
  const reconcile = async (key: string, signal: AbortSignal): Promise<void> => {
    try {
      const next = await options.reconcile(key, signal);
      failures.delete(key);
      if (next !== undefined) later(key, next.afterMs);
    } catch (error) {
      if (signal.aborted) return;
      later(key, backOffMs(key, error));
    }
  };
  const backOffMs = (key: string, error: unknown): number => {
    if (isAgentdError(error, "CONFLICT")) {
      options.log.debug({ loop: options.name, key, err: error }, "lost a race; looking again");
      return conflictMs;
    }
    const count = failures.get(key) ?? 0;
    failures.set(key, count + 1);
    const isOutside = isAgentdError(error, "STORE_UNAVAILABLE");
    const level = isOutside ? "debug" : "warn";
    options.log[level](
      { loop: options.name, key, err: error, failures: count + 1 },
      "reconciling failed; trying again",
    );
    return Math.min(firstBackOffMs * 2 ** Math.min(count, 10), longestBackOffMs);
  };
  const startReady = (): void => {
    const signal = stopSignal;
    if (signal === undefined || signal.aborted) return;
    for (const key of ready) {
      if (running.size >= options.concurrent) return;
      if (running.has(key) || delayed.has(key)) continue;
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
      for (const timer of delayed.values()) clearTimeout(timer);
      delayed.clear();
      ready.clear();
      await Promise.all(running.values());
    },
  };
}
