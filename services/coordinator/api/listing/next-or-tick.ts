/** Waits for one item after the other, with one timer for all of them. */
export interface Ticks extends Disposable {
  /** What comes first: the next item of an iterator, or the end of the time. The item is not lost: ask again with the same promise. */
  nextOrTick<T>(next: Promise<IteratorResult<T>>): Promise<IteratorResult<T> | "tick">;
}

/** A tick comes when an item is waited for as long as `ms`. */
export function createTicks(ms: number): Ticks {
  let tick: (() => void) | undefined;
  const timer = setTimeout(() => tick?.(), ms);
  return {
    nextOrTick: (next) =>
      new Promise((resolve, reject) => {
        tick = () => resolve("tick");
        timer.refresh();
        next.then(resolve, reject);
      }),
    [Symbol.dispose]: () => clearTimeout(timer),
  };
}
