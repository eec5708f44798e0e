/** Work that many attempts want and one does. */
export interface SingleFlight<T> {
  /**
   * Joins the work under `key`, or starts it.
   *
   * The work's own signal aborts only when the last of those who wait has given up; that one then waits until the work has
   * cleaned up after itself.
   * @throws what the work throws, or the signal's reason.
   */
  run(key: string, work: (signal: AbortSignal) => Promise<T>, signal: AbortSignal): Promise<T>;
}

interface Flight<T> {
  readonly controller: AbortController;
  readonly result: Promise<T>;
  waiters: number;
}

/** An empty set of flights; its size is bounded by the number of callers. */
export function createSingleFlight<T>(): SingleFlight<T> {
  const flights = new Map<string, Flight<T>>();

  function join(key: string, work: (signal: AbortSignal) => Promise<T>): Flight<T> {
    const known = flights.get(key);
    if (known !== undefined) return known;
    const controller = new AbortController();
    const flight: Flight<T> = { controller, result: work(controller.signal), waiters: 0 };
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
          // Nobody may join work that is being called off.
          if (flights.get(key) === flight) flights.delete(key);
          flight.controller.abort(signal.reason);
          await flight.result.catch(() => undefined);
        }
      }
    },
  };
}
