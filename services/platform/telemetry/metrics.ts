/** Names and values of one series. */
export type Labels = Readonly<Record<string, string>>;

/** Only goes up. */
export interface Counter {
  add(value: number, labels?: Labels): void;
}

/** Sorts values into buckets. */
export interface Histogram {
  record(value: number, labels?: Labels): void;
}

/** What a gauge shows at the moment in which it is asked. */
export type ReadGauge = () => readonly { readonly labels: Labels; readonly value: number }[];

/** Buckets of a histogram series. */
export interface Buckets {
  readonly boundaries: readonly number[];
  /** One more than there are boundaries: the last is for what is above them all. */
  readonly counts: readonly number[];
  readonly sum: number;
  readonly count: number;
}

/** One instrument with all its series, as they are now. */
export type InstrumentState = { readonly name: string; readonly help: string } & (
  | {
      readonly kind: "counter" | "gauge";
      readonly series: readonly { readonly labels: Labels; readonly value: number }[];
    }
  | { readonly kind: "histogram"; readonly series: readonly { readonly labels: Labels; readonly value: Buckets }[] }
);

/** The instruments of a process: read by `/metrics` and by the OTLP exporter alike. */
export interface Metrics {
  /** The same name gives the same counter. */
  counter(name: string, help: string): Counter;
  histogram(name: string, help: string, boundaries: readonly number[]): Histogram;
  /** Replaces a gauge of that name. Returns the way to take it out. */
  gauge(name: string, help: string, read: ReadGauge): () => void;
  /** Sorted by name. */
  collect(): readonly InstrumentState[];
}

/** Series of one instrument; what comes on top is counted under the label that OpenTelemetry has for it. */
const seriesMax = 500;
const overflow: Labels = { "otel.metric.overflow": "true" };

/** Boundaries in seconds for what takes between a hundredth of a second and ten minutes. */
export const secondsBoundaries: readonly number[] = [0.01, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600];

interface Instrument {
  readonly help: string;
  readonly state: () => InstrumentState;
  readonly of: Counter | Histogram | undefined;
}

/** An empty registry. */
export function createMetrics(): Metrics {
  const instruments = new Map<string, Instrument>();
  return {
    counter(name, help) {
      const known = instruments.get(name);
      if (known?.of !== undefined && "add" in known.of) return known.of;
      const series = createSeries<{ value: number }>(() => ({ value: 0 }));
      const of: Counter = {
        add(value, labels = {}) {
          series.at(labels).value += value;
        },
      };
      const state = (): InstrumentState => ({ name, help, kind: "counter", series: series.map(({ value }) => value) });
      instruments.set(name, { help, state, of });
      return of;
    },
    histogram(name, help, boundaries) {
      const known = instruments.get(name);
      if (known?.of !== undefined && "record" in known.of) return known.of;
      const series = createSeries(() => ({ counts: boundaries.map(() => 0).concat(0), sum: 0, count: 0 }));
      const of: Histogram = {
        record(value, labels = {}) {
          const at = series.at(labels);
          const bucket = boundaries.findIndex((boundary) => value <= boundary);
          const index = bucket === -1 ? boundaries.length : bucket;
          at.counts[index] = (at.counts[index] ?? 0) + 1;
          at.sum += value;
          at.count += 1;
        },
      };
      const state = (): InstrumentState => ({
        name,
        help,
        kind: "histogram",
        series: series.map(({ counts, sum, count }) => ({ boundaries, counts: [...counts], sum, count })),
      });
      instruments.set(name, { help, state, of });
      return of;
    },
    gauge(name, help, read) {
      const mine = {
        help,
        state: (): InstrumentState => ({ name, help, kind: "gauge", series: read().slice(0, seriesMax) }),
        of: undefined,
      };
      instruments.set(name, mine);
      return () => {
        if (instruments.get(name) === mine) instruments.delete(name);
      };
    },
    collect: () => [...instruments.keys()].sort().flatMap((name) => instruments.get(name)?.state() ?? []),
  };
}

/**
 * The instruments of this process. One for the process, as in OpenTelemetry's own API: what counts must not depend on who
 * was handed what.
 */
export const metrics: Metrics = createMetrics();

function createSeries<T>(create: () => T) {
  const all = new Map<string, { readonly labels: Labels; readonly data: T }>();
  return {
    at(labels: Labels): T {
      const key = keyOf(labels);
      const known = all.get(key);
      if (known !== undefined) return known.data;
      if (all.size >= seriesMax && labels !== overflow) return this.at(overflow);
      const data = create();
      all.set(key, { labels, data });
      return data;
    },
    map: <U>(show: (data: T) => U) => [...all.values()].map(({ labels, data }) => ({ labels, value: show(data) })),
  };
}

function keyOf(labels: Labels): string {
  const names = Object.keys(labels);
  if (names.length > 1) names.sort();
  return names.map((name) => `${name}=${labels[name] ?? ""}`).join("\u0000");
}
