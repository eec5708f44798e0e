/**
 * Runs what is to be ended by its time, and again with more time where it had not begun by then: a busy machine may need seconds to start a
 * shell. Quick where it is quick; what never begins fails with the last result.
 */
export async function withEnoughTime<T>(
  run: (timeoutMs: number) => Promise<T>,
  hasBegun: (result: T) => boolean | Promise<boolean>,
): Promise<{ readonly result: T; readonly timeoutMs: number }> {
  for (const timeoutMs of [1_000, 6_000]) {
    const result = await run(timeoutMs);
    if (await hasBegun(result)) return { result, timeoutMs };
  }
  const timeoutMs = 30_000;
  return { result: await run(timeoutMs), timeoutMs };
}
