import { setTimeout as sleep } from "node:timers/promises";

/** Resolves when `condition` holds; looks every few milliseconds. @throws Error after `deadlineMs` (default 10 s) */
export async function until(
  what: string,
  condition: () => boolean | Promise<boolean>,
  deadlineMs = 10_000,
): Promise<void> {
  const end = performance.now() + deadlineMs;
  while (!(await condition())) {
    if (performance.now() > end) throw new Error(`not in time: ${what}`);
    await sleep(5);
  }
}
