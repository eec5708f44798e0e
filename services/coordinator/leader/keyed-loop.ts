import { isAgentdError } from "../../core/errors.ts";
import { untilAborted } from "../../platform/lifecycle/abortable.ts";
import type { Logger } from "../../platform/telemetry/log.ts";

/** A reconcile loop: never one key twice at a time, a failed key again after a back-off, and rest after a long look. */
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
  /** Default `performance.now`. */
  readonly monotonicMs?: () => number;
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
/**
 * A look at a job of 10,000 tasks takes some ms of the only thread, and each of its tasks changes several times: a key rests
 * this many times as long as its look took, the time until its first wait. Below a millisecond none is worth a timer.
 */
const restFactor = 20;
const restFromMs = 1;
const restMaxMs = 1_000;

/** An idle loop; keys that are woken before `run` are its first. */
export function createKeyedLoop(options: KeyedLoopOptions): KeyedLoop {
  const ready = new Set<string>();
  const running = new Map<string, Promise<void>>();
  const failures = new Map<string, number>();
  /** Keys that wait for their time. */
  const delayed = new Map<string, { readonly timer: NodeJS.Timeout; readonly isFirm: boolean }>();
  let stopSignal: AbortSignal | undefined;

  const monotonicMs = options.monotonicMs ?? (() => performance.now());

  const later = (key: string, afterMs: number, isFirm: boolean, then: (key: string) => void): void => {
    const timer = setTimeout(() => {
      delayed.delete(key);
      then(key);
    }, afterMs);
    delayed.set(key, { timer, isFirm });
  };
  const reconcile = async (key: string, signal: AbortSignal): Promise<void> => {
    try {
      const startedMs = monotonicMs();
      const run = options.reconcile(key, signal);
      const restMs = restAfter(monotonicMs() - startedMs);
      const next = await run;
      failures.delete(key);
      if (signal.aborted) return;
      if (next !== undefined && next.afterMs >= restMs) later(key, next.afterMs, next.isFirm ?? false, wake);
      else if (restMs > 0) later(key, restMs, true, next === undefined ? startReady : wake);
    } catch (error) {
      if (signal.aborted) return;
      later(key, backOffMs(options, failures, key, error), true, wake);
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
      await untilAborted(signal);
      for (const { timer } of delayed.values()) clearTimeout(timer);
      delayed.clear();
      ready.clear();
      await Promise.all(running.values());
    },
  };
}

function restAfter(lookMs: number): number {
  return lookMs < restFromMs ? 0 : Math.min(restFactor * lookMs, restMaxMs);
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
