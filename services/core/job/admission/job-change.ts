import type { FieldProblem } from "../../errors.ts";
import type { JobSpec } from "../job.ts";
import type { Note } from "./admission-checks.ts";
import { checkRange } from "./admission-checks.ts";
import { checkLabels } from "./job-admission.ts";
import { jobBounds } from "./job-bounds.ts";

/** What may be changed on a job that exists; what is absent stays. */
export interface JobChange {
  readonly labels?: Readonly<Record<string, string>>;
  readonly annotations?: Readonly<Record<string, string>>;
  readonly priority?: number;
  readonly parallelism?: number;
  readonly suspend?: boolean;
}

/** Paths that an update may name, and what each changes. */
export const changeableFields = {
  "spec.priority": "priority",
  "spec.parallelism": "parallelism",
  "spec.suspend": "suspend",
  "metadata.labels": "labels",
  "metadata.annotations": "annotations",
} as const satisfies Readonly<Record<string, keyof JobChange>>;

/** Everything that is wrong with a change; empty when it may be made. Pure. */
export function jobChangeProblems(change: JobChange): readonly FieldProblem[] {
  const problems: FieldProblem[] = [];
  const note: Note = (field, message) => {
    if (message !== undefined) problems.push({ field, message });
  };
  checkLabels(note, change.labels ?? {}, change.annotations ?? {});
  checkRange(note, "spec.parallelism", change.parallelism ?? 0, 0, jobBounds.parallelismMax);
  checkRange(note, "spec.priority", change.priority ?? 0, -jobBounds.priorityMax, jobBounds.priorityMax);
  return problems;
}

/** The spec with the change made to it. */
export function changedSpec(spec: JobSpec, change: JobChange): JobSpec {
  const { priority = spec.priority, parallelism = spec.parallelism, suspend = spec.suspend } = change;
  return { ...spec, priority, parallelism, suspend };
}
