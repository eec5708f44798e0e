import { createHash } from "node:crypto";

/** One call that was made and what came back. */
export interface LoopStep {
  /** Turn of the attempt; several calls of one reply have the same. */
  readonly turn: number;
  readonly tool: string;
  /** The parsed arguments, or the raw text when they could not be parsed. */
  readonly args: unknown;
  readonly result: string;
}

/** `cycleLength` calls were made `repeats` times in a row with the same results. */
export type LoopVerdict =
  | { readonly kind: "none" }
  | { readonly kind: "nudge" | "stuck"; readonly cycleLength: number; readonly repeats: number };

/** Notices that an agent does the same thing again and again to no effect. Pure state; one per attempt. */
export interface LoopDetector {
  record(step: LoopStep): LoopVerdict;
}

/**
 * Same call with the same result 3 times: nudge; 5 times: stuck. The same for cycles of up to 5 calls.
 * (Cline: runtime/safety/loop-detection.ts, soft 3 and hard 5; gemini-cli: loopDetectionService.ts, cycles of 1 to 5.)
 */
const nudgeAt = 3;
const stuckAt = 5;
const cycleLengthMax = 5;

/**
 * A detector that compares calls and their results: polling that sees something new is no loop.
 *
 * A streak is stuck only in a later turn than its nudge, so the model has always seen the nudge before.
 */
export function createLoopDetector(): LoopDetector {
  const recent: string[] = [];
  // streaks[k]: how many calls in a row equalled the call k places before them.
  const streaks = Array.from({ length: cycleLengthMax + 1 }, () => ({ calls: 0, nudgedInTurn: -1 }));
  return {
    record(step) {
      const key = stepKey(step);
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
        const repeats = Math.floor(streak.calls / length) + 1;
        if (verdict.kind === "stuck" || repeats < nudgeAt) continue;
        if (streak.nudgedInTurn === -1) {
          streak.nudgedInTurn = step.turn;
          if (verdict.kind === "none") verdict = { kind: "nudge", cycleLength: length, repeats };
        } else if (repeats >= stuckAt && step.turn > streak.nudgedInTurn) {
          verdict = { kind: "stuck", cycleLength: length, repeats };
        }
      }
      recent.push(key);
      if (recent.length > cycleLengthMax) recent.shift();
      return verdict;
    },
  };
}

function stepKey(step: LoopStep): string {
  const text = JSON.stringify([step.tool, sortKeys(step.args), withoutTimes(step.result)]);
  return createHash("sha256").update(text).digest("base64");
}

function sortKeys(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sortKeys);
  if (typeof value !== "object" || value === null) return value;
  const entries = Object.entries(value).sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0));
  return entries.map(([name, item]) => [name, sortKeys(item)]);
}

/** Durations and times of day change in every test run and are no news. Quantifiers are bounded: the text is hostile. */
function withoutTimes(text: string): string {
  return text
    .replaceAll(/(?<!\d)\d{1,9}(?:\.\d{1,9})? ?(?:ms|s|sec|seconds)\b/gu, "<duration>")
    .replaceAll(/(?:\d{4}-\d{2}-\d{2}[T ])?\d{2}:\d{2}:\d{2}(?:[.,]\d{1,9})?Z?/gu, "<time>");
}
