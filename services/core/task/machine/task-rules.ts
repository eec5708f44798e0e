import type { JobSpec } from "../../job/job.ts";
import { verifyBackoffLimit } from "../outcomes.ts";
import type { TaskKind } from "../task.ts";

/** What the job says about its tasks, and the two things that a pure machine cannot know itself. */
export interface TaskRules {
  readonly backoffLimit: number;
  readonly allowNoChange: boolean;
  readonly allowUnverified: boolean;
  readonly onConflict: "Reopen" | "Fail";
  readonly nowMs: number;
  /** A number in [0, 1), for the jitter of back-offs. */
  readonly random: () => number;
}

/** The rules that a job's spec sets for its tasks of that kind. */
export function taskRules(spec: JobSpec, kind: TaskKind, nowMs: number, random: () => number): TaskRules {
  return {
    backoffLimit: kind === "Verify" ? verifyBackoffLimit : spec.backoffLimit,
    allowNoChange: spec.allowNoChange,
    allowUnverified: spec.allowUnverified,
    onConflict: spec.merge.onConflict,
    nowMs,
    random,
  };
}
