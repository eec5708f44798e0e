import type { Buckets, InstrumentState, Labels } from "./metrics.ts";

/** The instruments as Prometheus reads them; https://prometheus.io/docs/instrumenting/exposition_formats/ */
export function prometheusText(instruments: readonly InstrumentState[]): string {
  return instruments
    .map((instrument) => {
      const { name, help, kind } = instrument;
      const lines =
        kind === "histogram"
          ? instrument.series.flatMap(({ labels, value }) => histogramLines(name, labels, value))
          : instrument.series.map(({ labels, value }) => `${name}${labelText(labels)} ${numberText(value)}`);
      return [`# HELP ${name} ${escapeHelp(help)}`, `# TYPE ${name} ${kind}`, ...lines, ""].join("\n");
    })
    .join("");
}

function histogramLines(name: string, labels: Labels, value: Buckets): readonly string[] {
  let below = 0;
  const buckets = value.counts.map((count, index) => {
    below += count;
    const boundary = value.boundaries[index];
    const le = boundary === undefined ? "+Inf" : String(boundary);
    return `${name}_bucket${labelText({ ...labels, le })} ${below}`;
  });
  return [
    ...buckets,
    `${name}_sum${labelText(labels)} ${numberText(value.sum)}`,
    `${name}_count${labelText(labels)} ${value.count}`,
  ];
}

function labelText(labels: Labels): string {
  const pairs = Object.entries(labels).map(([name, value]) => {
    const escaped = value.replaceAll("\\", "\\\\").replaceAll('"', '\\"').replaceAll("\n", "\\n");
    return `${name.replaceAll(/[^a-zA-Z0-9_]/g, "_")}="${escaped}"`;
  });
  return pairs.length === 0 ? "" : `{${pairs.join(",")}}`;
}

function numberText(value: number): string {
  if (Number.isFinite(value)) return String(value);
  return Number.isNaN(value) ? "NaN" : value > 0 ? "+Inf" : "-Inf";
}

function escapeHelp(text: string): string {
  return text.replaceAll("\\", "\\\\").replaceAll("\n", "\\n");
}
