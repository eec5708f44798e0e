import type { ChatFailure } from "../chat-failure.ts";

/** Time as the model room needs it; a test passes its own. */
export interface ModelClock {
  /** Milliseconds since the epoch, about: it never jumps, whatever is done to the machine's clock. */
  now(): number;
  /** Runs `run` after `delayMs`; the returned function takes it back. */
  after(delayMs: number, run: () => void): () => void;
}

/** The clock of this machine. */
export const systemModelClock: ModelClock = {
  now: () => performance.timeOrigin + performance.now(),
  after: (delayMs, run) => {
    const timer = setTimeout(run, Math.min(delayMs, 2 ** 31 - 1));
    return () => {
      clearTimeout(timer);
    };
  },
};

/** Ends a request that says nothing for too long. */
export interface Watchdog {
  readonly signal: AbortSignal;
  /** Set once a time-out fired. */
  readonly failure: ChatFailure | undefined;
  chunk(isOutput: boolean): void;
  abort(): void;
  stop(): void;
}

interface WatchdogDeps {
  readonly firstTokenTimeoutMs: number;
  readonly gapTimeoutMs: number;
  readonly clock: ModelClock;
}

/** Two clocks: until the first output (a role alone is none: some servers send it before they prefill), then between chunks. */
export function createWatchdog(deps: WatchdogDeps): Watchdog {
  const controller = new AbortController();
  let failure: ChatFailure | undefined;
  let hasOutput = false;
  const arm = (kind: "firstTokenTimeout" | "gapTimeout", delayMs: number, what: string) =>
    deps.clock.after(delayMs, () => {
      failure = { kind, message: `${what} within ${Math.round(delayMs / 100) / 10} s` };
      controller.abort();
    });
  let disarm = arm("firstTokenTimeout", deps.firstTokenTimeoutMs, "no first token");
  return {
    signal: controller.signal,
    get failure() {
      return failure;
    },
    chunk(isOutput) {
      hasOutput ||= isOutput;
      if (!hasOutput) return;
      disarm();
      disarm = arm("gapTimeout", deps.gapTimeoutMs, "the stream went on with nothing");
    },
    abort() {
      controller.abort();
    },
    stop() {
      disarm();
    },
  };
}
