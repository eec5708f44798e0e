import { outcomeRules } from "../outcomes.ts";
import type { Outcome } from "../task.ts";

const firstDelayMs = 1_000;
const longestDelayMs = 60_000;
const jitterShare = 0.3;

/**
 * Whether a task's back-off is over. One that would last longer than any that {@link retryDelayMs} gives was written by a clock
 * that has been set back since, or runs ahead of ours: it must not hold the task for as long as the clocks differ.
 */
export function isBackOffOver(notBeforeMs: number, nowMs: number): boolean {
  return notBeforeMs <= nowMs || notBeforeMs - nowMs > longestDelayMs * (1 + jitterShare);
}

/**
 * Milliseconds until the next attempt may start after an attempt ended with `outcome`.
 *
 * Infrastructure ends wait min(1 s · 2^n, 60 s) ± 30 %, where n is the number of such ends directly before this one; the
 * first lost lease and every burned outcome start at once.
 *
 * @param earlierInfraEnds consecutive infrastructure ends before this one, from 0
 * @param random a number in [0, 1)
 */
export function retryDelayMs(outcome: Outcome, earlierInfraEnds: number, random: () => number): number {
  if (outcomeRules[outcome].delay === "AtOnce") return 0;
  if (outcome === "LeaseLost" && earlierInfraEnds === 0) return 0;
  // 2^6 s is above the longest delay already; a larger exponent would only lose precision.
  const delayMs = Math.min(firstDelayMs * 2 ** Math.min(earlierInfraEnds, 6), longestDelayMs);
  return Math.round(delayMs * (1 - jitterShare + 2 * jitterShare * random()));
}
