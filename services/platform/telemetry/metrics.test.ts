import { describe, expect, it } from "vitest";
import { createMetrics } from "./metrics.ts";
import { prometheusText } from "./prometheus-text.ts";

describe("metrics", () => {
  it("are shown as Prometheus reads them", () => {
    const metrics = createMetrics();
    metrics.counter("a_total", "Counted.").add(2, { outcome: 'odd "one"\n' });
    metrics.counter("a_total", "Counted.").add(1, { outcome: 'odd "one"\n' });
    metrics.gauge("b", "Now.", () => [{ labels: {}, value: 1.5 }]);
    const seconds = metrics.histogram("c_seconds", "Took.", [1, 5]);
    for (const value of [0.5, 1, 3, 99]) seconds.record(value, { kind: "x" });
    expect(prometheusText(metrics.collect())).toBe(
      [
        "# HELP a_total Counted.",
        "# TYPE a_total counter",
        'a_total{outcome="odd \\"one\\"\\n"} 3',
        "# HELP b Now.",
        "# TYPE b gauge",
        "b 1.5",
        "# HELP c_seconds Took.",
        "# TYPE c_seconds histogram",
        'c_seconds_bucket{kind="x",le="1"} 2',
        'c_seconds_bucket{kind="x",le="5"} 3',
        'c_seconds_bucket{kind="x",le="+Inf"} 4',
        'c_seconds_sum{kind="x"} 103.5',
        'c_seconds_count{kind="x"} 4',
        "",
      ].join("\n"),
    );
  });

  it("do not grow with their labels for ever", () => {
    const metrics = createMetrics();
    const counter = metrics.counter("a_total", "Counted.");
    for (let index = 0; index < 2_000; index += 1) counter.add(1, { item: String(index) });
    const [instrument] = metrics.collect();
    expect(instrument?.series).toHaveLength(501);
    expect(instrument?.series.at(-1)).toEqual({ labels: { "otel.metric.overflow": "true" }, value: 1_500 });
  });

  it("show a gauge until it is taken out", () => {
    const metrics = createMetrics();
    const stop = metrics.gauge("b", "Now.", () => [{ labels: {}, value: 1 }]);
    stop();
    expect(metrics.collect()).toEqual([]);
  });
});
