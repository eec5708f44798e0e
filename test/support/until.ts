import { setTimeout as sleep } from "node:timers/promises";

/**
 * Resolves when `condition` holds. Looks every few milliseconds, and rests as long as a look takes.
 * @throws Error after `deadlineMs`; default 45 s: a machine may be slow, and who waits in vain has failed anyway
 */
export async function until(
  what: string,
  condition: () => boolean | Promise<boolean>,
  deadlineMs = 45_000,
): Promise<void> {
  const end = performance.now() + deadlineMs;
  for (;;) {
    const startedAt = performance.now();
    if (await condition()) return;
    const now = performance.now();
    if (now > end) throw new Error(`not in time (${deadlineMs} ms): ${what}`);
    await sleep(Math.min(250, Math.max(5, now - startedAt)));
  }
}
