import { setTimeout as delay } from "node:timers/promises";

/** Why a process can do its work now, or cannot: named conditions, each with a reason while it does not hold. */
export interface Readiness extends AsyncDisposable {
  /** Empty = ready. In the order in which the conditions were first named. */
  reasons(): readonly string[];
  readonly isReady: boolean;
  /** Undefined: the condition holds. */
  set(condition: string, reason: string | undefined): void;
  /**
   * Looks again and again, until this is closed. A probe that gives no answer in time, or throws, is a reason itself.
   * @returns looks at once, besides
   */
  watch(condition: string, options: WatchOptions, probe: Probe): () => void;
  /** Told when `isReady` turned; returns the way to stop. */
  onChange(listener: (isReady: boolean) => void): () => void;
}

/** The reason why not; undefined = it holds. */
export type Probe = (signal: AbortSignal) => Promise<string | undefined> | string | undefined;

interface WatchOptions {
  /** Between the end of one look and the next. */
  readonly everyMs: number;
  /** Default 3,000. */
  readonly timeoutMs?: number;
}

const timeoutMsDefault = 3_000;

/** No condition yet: ready. */
export function createReadiness(): Readiness {
  const conditions = new Map<string, string | undefined>();
  const listeners = new Set<(isReady: boolean) => void>();
  const closing = new AbortController();
  const loops: Promise<void>[] = [];
  const reasons = (): readonly string[] => [...conditions.values()].filter((reason) => reason !== undefined);
  const set = (condition: string, reason: string | undefined): void => {
    const before = reasons().length === 0;
    conditions.set(condition, reason);
    const isReady = reasons().length === 0;
    if (isReady !== before) for (const listener of [...listeners]) listener(isReady);
  };
  return {
    reasons,
    get isReady() {
      return reasons().length === 0;
    },
    set,
    watch(condition, options, probe) {
      let wake = new AbortController();
      const loop = async (): Promise<void> => {
        while (!closing.signal.aborted) {
          const reason = await look(condition, options.timeoutMs ?? timeoutMsDefault, probe, closing.signal);
          if (closing.signal.aborted) return;
          set(condition, reason);
          const signal = AbortSignal.any([closing.signal, wake.signal]);
          await delay(options.everyMs, undefined, { signal }).catch(() => undefined);
          if (wake.signal.aborted) wake = new AbortController();
        }
      };
      loops.push(loop());
      return () => wake.abort();
    },
    onChange(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    async [Symbol.asyncDispose]() {
      closing.abort();
      listeners.clear();
      await Promise.all(loops);
    },
  };
}

async function look(
  condition: string,
  timeoutMs: number,
  probe: Probe,
  closing: AbortSignal,
): Promise<string | undefined> {
  const late = new AbortController();
  const signal = AbortSignal.any([closing, late.signal]);
  const timer = setTimeout(() => late.abort(), timeoutMs);
  const tooLate = new Promise<string>((resolve) => {
    signal.addEventListener("abort", () => resolve(`${condition}: no answer within ${timeoutMs / 1_000}s`), {
      once: true,
    });
  });
  try {
    return await Promise.race([Promise.resolve(probe(signal)), tooLate]);
  } catch (error) {
    return `${condition}: ${error instanceof Error ? error.message : String(error)}`;
  } finally {
    clearTimeout(timer);
  }
}
