/** One measured ratio. */
export interface Figure {
  readonly name: string;
  /** What was measured, divided by the baseline of the same run. */
  readonly ratio: number;
  /** What a ratio of 1 means. */
  readonly baseline: string;
  /** The measured values, for a person. */
  readonly detail: string;
}

/** The middle of some measurements. */
export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)] ?? Number.NaN;
}
