import { clipEnd } from "../clip.ts";
import { createLoopDetector } from "./loop-detector.ts";
import type { Step } from "./observation.ts";
import { createProgressDetector } from "./progress-detector.ts";

/** What a guard says of a step: nothing, a word to the model, or that the run ends as StuckLoop. */
export type GuardVerdict = { readonly kind: "none" } | { readonly kind: "nudge" | "stuck"; readonly text: string };

/** All guards over the calls of one attempt. Pure state. */
export interface Guards {
  /** Steps in the order in which they were made; each gets a nudge at most once before it is stuck. */
  record(step: Step): GuardVerdict;
}

/** Watches for repeated calls, cycles of calls, and calls that bring nothing new. */
export function createGuards(): Guards {
  const loops = createLoopDetector();
  const progress = createProgressDetector();
  return {
    record(step) {
      const loop = loops.record(step);
      const idle = progress.record(step);
      if (loop.kind === "stuck") return { kind: "stuck", text: describeLoop(step, loop.cycleLength, loop.repeats) };
      if (idle.kind === "stuck") return { kind: "stuck", text: describeIdle(idle.steps) };
      if (loop.kind === "nudge") {
        return {
          kind: "nudge",
          text: `You are repeating yourself: ${describeLoop(step, loop.cycleLength, loop.repeats)}. ${advice}`,
        };
      }
      if (idle.kind === "nudge")
        return { kind: "nudge", text: `You make no progress: ${describeIdle(idle.steps)}. ${advice}` };
      return { kind: "none" };
    },
  };
}

const advice =
  "More of the same changes nothing. " +
  'Try something different, or call finish with status "blocked" and say what stands in the way.';

function describeLoop(step: Step, cycleLength: number, repeats: number): string {
  const name = clipEnd(step.tool, 64);
  if (cycleLength > 1)
    return `the same ${cycleLength} calls (the last is ${name}) gave the same results ${repeats} times`;
  const error = step.isError ? ` (an error: ${JSON.stringify(clipEnd(step.result.trim(), 200))})` : "";
  return `the same ${name} call gave the same result ${repeats} times${error}`;
}

function describeIdle(steps: number): string {
  return `the last ${steps} calls changed no file and brought nothing that was not known before`;
}
