/** A counting semaphore whose permits are given in the order they were asked for, the urgent ones first. */
export interface Slots {
  readonly total: number;
  /** Permits taken now. */
  readonly used: number;
  /**
   * Waits for a permit; who is urgent goes before those who wait already.
   * @returns the function that gives it back; calling it twice is harmless.
   * @throws the signal's reason when aborted first.
   */
  acquire(signal: AbortSignal, isUrgent?: boolean): Promise<() => void>;
}

/** A semaphore of `total` permits. The queue of waiters is bounded by its callers: each is an attempt that holds a slot itself. */
export function createSlots(total: number): Slots {
  let used = 0;
  const waiters: (() => void)[] = [];
  const permit = (): (() => void) => {
    let isHeld = true;
    return () => {
      if (!isHeld) return;
      isHeld = false;
      const next = waiters.shift();
      if (next === undefined) used -= 1;
      else next();
    };
  };
  return {
    total,
    get used() {
      return used;
    },
    async acquire(signal, isUrgent = false) {
      signal.throwIfAborted();
      if (used < total) {
        used += 1;
        return permit();
      }
      const { promise, resolve, reject } = Promise.withResolvers<void>();
      const onAbort = (): void => {
        const index = waiters.indexOf(resolve);
        if (index === -1) return; // the permit is on its way already
        waiters.splice(index, 1);
        reject(signal.reason);
      };
      if (isUrgent) waiters.unshift(resolve);
      else waiters.push(resolve);
      signal.addEventListener("abort", onAbort, { once: true });
      try {
        await promise;
      } finally {
        signal.removeEventListener("abort", onAbort);
      }
      return permit();
    },
  };
}
