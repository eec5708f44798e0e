/** Gives a permit back; calling it again does nothing. */
export type Release = () => void;

/** A bounded number of permits, given in the order they were asked for. */
export interface Admission {
  /**
   * Resolves with the permit's release once one is free.
   * @param onQueued called when the permit is not free at once.
   * @throws the signal's reason when aborted while waiting.
   */
  acquire(signal: AbortSignal, onQueued?: () => void): Promise<Release>;
  readonly inUse: number;
  readonly waiting: number;
}

interface Waiter {
  readonly admit: () => void;
}

/** Creates an admission gate of `permitsMax` (at least 1) permits; waiters are served first come, first served. */
export function createAdmission(permitsMax: number): Admission {
  // A Set keeps insertion order and lets an aborted waiter leave in constant time.
  const waiters = new Set<Waiter>();
  let inUse = 0;

  const createRelease = (): Release => {
    let isReleased = false;
    return () => {
      if (isReleased) return;
      isReleased = true;
      inUse -= 1;
      const [next] = waiters;
      if (next !== undefined) {
        waiters.delete(next);
        next.admit();
      }
    };
  };

  return {
    get inUse() {
      return inUse;
    },
    get waiting() {
      return waiters.size;
    },
    async acquire(signal, onQueued) {
      signal.throwIfAborted();
      if (inUse < permitsMax && waiters.size === 0) {
        inUse += 1;
        return createRelease();
      }
      onQueued?.();
      return await new Promise<Release>((resolve, reject) => {
        const onAbort = () => {
          waiters.delete(waiter);
          reject(signal.reason);
        };
        const waiter: Waiter = {
          admit: () => {
            signal.removeEventListener("abort", onAbort);
            inUse += 1;
            resolve(createRelease());
          },
        };
        waiters.add(waiter);
        signal.addEventListener("abort", onAbort, { once: true });
      });
    },
  };
}
