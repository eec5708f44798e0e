/** What comes first: the next item of an iterator, or the end of the time. The item is not lost: ask again with the same promise. */
export async function nextOrTick<T>(next: Promise<IteratorResult<T>>, ms: number): Promise<IteratorResult<T> | "tick"> {
  let timer: NodeJS.Timeout | undefined;
  const tick = new Promise<"tick">((resolve) => {
    timer = setTimeout(resolve, ms, "tick");
  });
  try {
    return await Promise.race([next, tick]);
  } finally {
    clearTimeout(timer);
  }
}
