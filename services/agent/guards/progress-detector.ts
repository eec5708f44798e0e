import { changingTools } from "../tools/changing-tools.ts";
import { callKey, resultKey, type Step } from "./observation.ts";

/** `steps` calls in a row brought nothing new. */
export type ProgressVerdict = { readonly kind: "none" } | { readonly kind: "nudge" | "stuck"; readonly steps: number };

/** Notices that an agent is busy without getting anywhere. Pure state; one per attempt. */
export interface ProgressDetector {
  record(step: Step): ProgressVerdict;
}

/** Calls without anything new (research on agent loops: nudge at 12, stop at 20). */
const nudgeAt = 12;
const stuckAt = 20;
/** Calls and results remembered; beyond that the oldest count as new again. */
const rememberedMax = 4_096;

/**
 * A call is progress when it changed a file, when its result says something that no earlier result said, or when a command that
 * was not run before succeeds: what that changed is not known here.
 */
export function createProgressDetector(): ProgressDetector {
  const seen = new Set<string>();
  let idle = 0;
  let nudgedInTurn = -1;
  const isNew = (key: string) => {
    const wasSeen = seen.delete(key);
    seen.add(key);
    const oldest = seen.values().next();
    if (seen.size > rememberedMax && !oldest.done) seen.delete(oldest.value);
    return !wasSeen;
  };
  return {
    record(step) {
      const saysNews = isNew(`result ${resultKey(step)}`);
      const isNewCall = isNew(`call ${callKey(step)}`);
      const changes = !step.isError && changingTools.has(step.tool);
      if (changes || saysNews || (step.tool === "bash" && !step.isError && isNewCall)) {
        idle = 0;
        nudgedInTurn = -1;
        return { kind: "none" };
      }
      idle += 1;
      if (idle >= nudgeAt && nudgedInTurn === -1) {
        nudgedInTurn = step.turn;
        return { kind: "nudge", steps: idle };
      }
      return idle >= stuckAt && step.turn > nudgedInTurn ? { kind: "stuck", steps: idle } : { kind: "none" };
    },
  };
}
