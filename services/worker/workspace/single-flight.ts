/** Work that many attempts want and one does. */
export interface SingleFlight<T> {
  /**
   * Joins the work under `key`, or starts it.
   *
   * The work's own signal aborts only when the last of those who wait has given up; that one then waits until the work has
   * cleaned up after itself, and so does whoever asks meanwhile: then the work begins anew.
   * @throws what the work throws, or the signal's reason.
   */
  run(key: string, work: (signal: AbortSignal) => Promise<T>, signal: AbortSignal): Promise<T>;
}

interface Flight<T> {
  readonly controller: AbortController;
  readonly result: Promise<T>;
  waiters: number;
  isCalledOff: boolean;
}

/** An empty set of flights; its size is bounded by the number of callers. */
export function createSingleFlight<T>(): SingleFlight<T> {
  const flights = new Map<string, Flight<T>>();

  function join(key: string, work: (signal: AbortSignal) => Promise<T>): Flight<T> {
    const known = flights.get(key);
    if (known?.isCalledOff === false) return known;
    const controller = new AbortController();
    const begin = async (): Promise<T> => {
      controller.signal.throwIfAborted();
      return await work(controller.signal);
    };
    const result = known === undefined ? begin() : known.result.then(begin, begin);
    const flight: Flight<T> = { controller, result, waiters: 0, isCalledOff: false };
    flights.set(key, flight);
    const forget = (): void => {
      if (flights.get(key) === flight) flights.delete(key);
    };
    flight.result.then(forget, forget);
    return flight;
  }

  return {
    async run(key, work, signal) {
      signal.throwIfAborted();
      const flight = join(key, work);
      flight.waiters += 1;
      const left = Promise.withResolvers<never>();
      const leave = (): void => left.reject(signal.reason);
      signal.addEventListener("abort", leave, { once: true });
      try {
        return await Promise.race([flight.result, left.promise]);
      } finally {
        signal.removeEventListener("abort", leave);
        flight.waiters -= 1;
        if (flight.waiters === 0 && signal.aborted) {
          // Nobody may join it any more, nor begin on the same files before it has ended.
          flight.isCalledOff = true;
          flight.controller.abort(signal.reason);
          await flight.result.catch(() => undefined);
        }
      }
    },
  };
}
