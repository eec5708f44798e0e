/** What decides whether a job's results can be proven; the shape is both the manifest's and the Job's. */
export interface ProofView {
  readonly allowUnverified?: boolean | undefined;
  readonly templateChecks: number;
  /** For each explicit task the number of its own checks; absent for other plans. */
  readonly taskChecks?: readonly number[] | undefined;
}

/**
 * What to tell the author of a job with tasks that no check proves: they run, but they can only end as Failed. Undefined where
 * all are proven, or the author said that they need not be.
 */
export function unprovenWarning({ allowUnverified, templateChecks, taskChecks }: ProofView): string | undefined {
  if (allowUnverified === true || templateChecks > 0) return undefined;
  const unproven = taskChecks?.filter((count) => count === 0).length;
  if (unproven === 0) return undefined;
  const isAll = unproven === undefined || unproven === taskChecks?.length;
  const who = isAll ? "its tasks have" : `${unproven} of its ${taskChecks?.length} tasks have`;
  return `${who} no checks, so nothing proves their results (Verified=Unknown) and they will not be merged; add spec.template.checks, or set spec.allowUnverified: true`;
}
