/** What a bench may be told. */
export interface BenchOptions {
  /** Everything a tenth as large or less: shows in seconds that the bench still runs, and measures nothing of use. */
  readonly isSmall: boolean;
}

/** One measured figure, as a ratio or as a number with a unit, and what it should be. */
export interface Figure {
  readonly name: string;
  readonly value: number;
  /** `×` for a ratio against the baseline; else the unit of `value`. */
  readonly unit: string;
  /** What a ratio of 1 means, or what the value is taken over. */
  readonly baseline: string;
  /** Undefined: shown for comparison only. */
  readonly target?: { readonly is: "at most" | "at least"; readonly value: number };
  /** The measured values, for a person. */
  readonly detail: string;
}

/** One part of `make bench`. */
export type Bench = (options: BenchOptions) => Promise<readonly Figure[]>;

/** Whether the figure is what it should be; undefined where nothing is asked of it. */
export function isMet({ value, target }: Figure): boolean | undefined {
  if (target === undefined) return undefined;
  return target.is === "at most" ? value <= target.value : value >= target.value;
}

/** The middle of some measurements. */
export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)] ?? Number.NaN;
}

/** The figures as a table in Markdown. */
export function figureTable(figures: readonly Figure[]): string {
  const rows = figures.map((figure) => {
    const { name, baseline, target, detail } = figure;
    const wanted = target === undefined ? "" : `${target.is === "at most" ? "≤" : "≥"} ${shortNumber(target.value)}`;
    const verdict = { true: "yes", false: "**no**", undefined: "" }[String(isMet(figure))] ?? "";
    return `| ${name} | ${shortNumber(figure.value)} ${figure.unit} | ${wanted} | ${verdict} | ${baseline} | ${detail} |`;
  });
  return ["| figure | measured | asked | met | against | values |", "|---|---|---|---|---|---|", ...rows].join("\n");
}

function shortNumber(value: number): string {
  if (!Number.isFinite(value)) return "–";
  if (Math.abs(value) >= 100) return String(Math.round(value));
  return String(Number(value.toPrecision(3)));
}
