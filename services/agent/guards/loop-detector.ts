import { callKey, resultKey, type Step } from "./observation.ts";

/** `cycleLength` calls were made `repeats` times in a row with the same results. */
export type LoopVerdict =
  | { readonly kind: "none" }
  | { readonly kind: "nudge" | "stuck"; readonly cycleLength: number; readonly repeats: number };

/** Notices that an agent does the same thing again and again to no effect. Pure state; one per attempt. */
export interface LoopDetector {
  record(step: Step): LoopVerdict;
}

/**
 * Same call with the same result 3 times: nudge; 5 times: stuck. The same for cycles of up to 5 calls.
 * (Cline: runtime/safety/loop-detection.ts, soft 3 and hard 5; gemini-cli: loopDetectionService.ts, cycles of 1 to 5.)
 */
const nudgeAt = 3;
const stuckAt = 5;
/** The same call with the same error (OpenHands: stuck_detector.py, nudge once and stop on the next). */
const stuckAtError = 4;
const cycleLengthMax = 5;

interface Streak {
  calls: number;
  nudgedInTurn: number;
}

/**
 * A detector that compares calls and their results: polling that sees something new is no loop.
 *
 * A streak is stuck only in a later turn than its nudge, so the model has always seen the nudge before.
 */
export function createLoopDetector(): LoopDetector {
  const recent: string[] = [];
  // streaks[k]: how many calls in a row equalled the call k places before them.
  const streaks: Streak[] = Array.from({ length: cycleLengthMax + 1 }, () => ({ calls: 0, nudgedInTurn: -1 }));
  return {
    record(step) {
      const key = `${callKey(step)} ${resultKey(step)}`;
      let verdict: LoopVerdict = { kind: "none" };
      for (let length = 1; length <= cycleLengthMax; length += 1) {
        const streak = streaks[length];
        if (streak === undefined) continue;
        if (recent[recent.length - length] !== key) {
          streak.calls = 0;
          streak.nudgedInTurn = -1;
          continue;
        }
        streak.calls += 1;
        const found = judge(streak, length, step);
        // The shortest cycle describes what happens best; being stuck outranks a nudge.
        if (verdict.kind === "none" || (verdict.kind === "nudge" && found.kind === "stuck")) verdict = found;
      }
      recent.push(key);
      if (recent.length > cycleLengthMax) recent.shift();
      return verdict;
    },
  };
}

function judge(streak: Streak, cycleLength: number, step: Step): LoopVerdict {
  const repeats = Math.floor(streak.calls / cycleLength) + 1;
  if (repeats < nudgeAt) return { kind: "none" };
  if (streak.nudgedInTurn === -1) {
    streak.nudgedInTurn = step.turn;
    return { kind: "nudge", cycleLength, repeats };
  }
  const limit = cycleLength === 1 && step.isError ? stuckAtError : stuckAt;
  return repeats >= limit && step.turn > streak.nudgedInTurn
    ? { kind: "stuck", cycleLength, repeats }
    : { kind: "none" };
}
