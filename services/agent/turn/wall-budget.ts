/** The current time; production gives {@link steadyClock}, tests a hand-driven one. */
export interface Clock {
  /** Milliseconds since the epoch. */
  now(): number;
}

/**
 * The time of day as it was when the process started, and what has passed since: a clock that is set or jumps takes no wall
 * time from an attempt, and gives it none.
 */
export const steadyClock: Clock = { now: () => performance.timeOrigin + performance.now() };

/** The wall time of one attempt, which stands still while the attempt waits for the engine. */
export interface WallBudget {
  /** Aborted once the time is used up. */
  readonly signal: AbortSignal;
  /** Milliseconds used up to now, without the waiting. */
  usedMs(): number;
  /** Stops (true) or goes on (false). Repeats have no effect. */
  setWaiting(isWaiting: boolean): void;
  /** Releases the timer. Idempotent. */
  close(): void;
}

/** Longest delay of a Node timer. */
const timerMsMax = 2 ** 31 - 1;

/** Starts to count at once, behind what an earlier life of the attempt has used. */
export function createWallBudget(clock: Clock, wallMs: number, usedAlreadyMs = 0): WallBudget {
  const controller = new AbortController();
  let usedBeforeMs = usedAlreadyMs;
  let runningSinceMs: number | undefined = clock.now();
  let timer: NodeJS.Timeout | undefined;
  let isClosed = false;
  const usedMs = () => usedBeforeMs + (runningSinceMs === undefined ? 0 : clock.now() - runningSinceMs);
  const arm = () => {
    clearTimeout(timer);
    if (runningSinceMs === undefined || controller.signal.aborted) return;
    const leftMs = wallMs - usedMs();
    if (leftMs <= 0) {
      controller.abort(new Error(`the wall time of ${wallMs} ms is used up`));
      return;
    }
    // The clock decides, the timer only wakes: it may be early, or the clock not the system's.
    timer = setTimeout(arm, Math.min(Math.max(leftMs, 1), timerMsMax));
  };
  arm();
  return {
    signal: controller.signal,
    usedMs,
    setWaiting(isWaiting) {
      if (isClosed || isWaiting === (runningSinceMs === undefined)) return;
      usedBeforeMs = usedMs();
      runningSinceMs = isWaiting ? undefined : clock.now();
      arm();
    },
    close: () => {
      isClosed = true;
      usedBeforeMs = usedMs();
      runningSinceMs = undefined;
      clearTimeout(timer);
    },
  };
}
