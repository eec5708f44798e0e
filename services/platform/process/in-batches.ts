interface Waiting<Item> {
  readonly item: Item;
  readonly done: PromiseWithResolvers<void>;
}

/** Items that one run of `work` takes at most: some programs are told of each in their arguments. */
const batchMax = 200;

/**
 * Makes a function that has `work` done for its item: while one run is on its way, all who ask wait, and the next run takes them
 * together. For work whose start costs more than its items do. When a run fails, each of its items is tried once more by itself.
 *
 * @returns a function that settles as the run with its item does.
 */
export function inBatches<Item>(work: (items: readonly Item[]) => Promise<void>): (item: Item) => Promise<void> {
  let waiting: Waiting<Item>[] = [];
  let isRunning = false;

  async function drain(): Promise<void> {
    isRunning = true;
    while (waiting.length > 0) {
      const batch = waiting.slice(0, batchMax);
      waiting = waiting.slice(batchMax);
      try {
        await work(batch.map(({ item }) => item));
        for (const { done } of batch) done.resolve();
      } catch (error) {
        if (batch.length === 1) batch[0]?.done.reject(error);
        // One that cannot be done must not fail the others.
        else for (const { item, done } of batch) await work([item]).then(done.resolve, done.reject);
      }
    }
    isRunning = false;
  }

  return async (item) => {
    const done = Promise.withResolvers<void>();
    waiting.push({ item, done });
    if (!isRunning) void drain();
    await done.promise;
  };
}
