import { type HrTime, ValueType } from "@opentelemetry/api";
import { OTLPMetricExporter } from "@opentelemetry/exporter-metrics-otlp-proto";
import type { Resource } from "@opentelemetry/resources";
import {
  AggregationTemporality,
  DataPointType,
  MeterProvider,
  type MetricData,
  PeriodicExportingMetricReader,
} from "@opentelemetry/sdk-metrics";
import type { InstrumentState, Metrics } from "../metrics.ts";

/** What leaves by itself until it is closed. */
export interface MetricExport {
  /** Sends once more. */
  close(): Promise<void>;
}

/** Exports `metrics` every OTEL_METRIC_EXPORT_INTERVAL to the endpoint that OTEL_EXPORTER_OTLP_* names. */
export function createMetricExport(
  metrics: Metrics,
  resource: Resource,
  options: { readonly version: string; readonly intervalMs: number },
): MetricExport {
  const startTime = hrTime(Date.now());
  const scope = { name: "agentd", version: options.version };
  const collect = () => {
    const endTime = hrTime(Date.now());
    const data = metrics.collect().map((instrument) => toMetricData(instrument, startTime, endTime));
    return Promise.resolve({
      resourceMetrics: { resource, scopeMetrics: [{ scope, metrics: data }] },
      errors: [],
    });
  };
  const reader = new PeriodicExportingMetricReader({
    exporter: new OTLPMetricExporter(),
    exportIntervalMillis: options.intervalMs,
    exportTimeoutMillis: Math.min(options.intervalMs, 30_000),
    metricProducers: [{ collect }],
  });
  const provider = new MeterProvider({ resource, readers: [reader] });
  return { close: () => provider.shutdown() };
}

function toMetricData(instrument: InstrumentState, startTime: HrTime, endTime: HrTime): MetricData {
  const { name, help } = instrument;
  const unit = name.includes("_seconds") ? "s" : "";
  const base = {
    descriptor: { name, description: help, unit, valueType: ValueType.DOUBLE },
    aggregationTemporality: AggregationTemporality.CUMULATIVE,
  };
  if (instrument.kind === "histogram") {
    const dataPoints = instrument.series.map(({ labels, value }) => ({
      startTime,
      endTime,
      attributes: labels,
      value: {
        buckets: { boundaries: [...value.boundaries], counts: [...value.counts] },
        sum: value.sum,
        count: value.count,
      },
    }));
    return { ...base, dataPointType: DataPointType.HISTOGRAM, dataPoints };
  }
  const dataPoints = instrument.series.map(({ labels, value }) => ({ startTime, endTime, attributes: labels, value }));
  return instrument.kind === "counter"
    ? { ...base, dataPointType: DataPointType.SUM, isMonotonic: true, dataPoints }
    : { ...base, dataPointType: DataPointType.GAUGE, dataPoints };
}

function hrTime(timeMs: number): HrTime {
  return [Math.floor(timeMs / 1_000), (timeMs % 1_000) * 1e6];
}
