import { setGlobalErrorHandler } from "@opentelemetry/core";
import { defaultResource, detectResources, envDetector, resourceFromAttributes } from "@opentelemetry/resources";
import type { Logger } from "../log.ts";
import type { Metrics } from "../metrics.ts";
import type { SpanSink } from "../spans/tracer.ts";
import { createMetricExport } from "./otlp-metrics.ts";
import type { OtlpSettings } from "./otlp-settings.ts";
import { createSpanExport } from "./otlp-spans.ts";

/** What of this process leaves by OTLP. */
export interface Otlp {
  /** Absent where spans are not exported. */
  readonly accept: SpanSink | undefined;
  /** Sends what is left, for at most 3 s. Never throws. */
  close(): Promise<void>;
}

/** How {@link openOtlp} names this process. */
export interface OtlpOptions {
  readonly settings: OtlpSettings;
  /** Default of OTEL_SERVICE_NAME. */
  readonly service: string;
  /** Tells processes of one service apart. */
  readonly instance: string;
  readonly version: string;
  readonly metrics: Metrics;
  readonly metricIntervalMs: number;
  readonly log: Logger;
}

const closeTimeoutMs = 3_000;
const warnEveryMs = 60_000;

/**
 * Starts the SDK's exporters, which read OTEL_* by themselves. To be imported only where an endpoint is set: the SDK costs
 * a tenth of a second and 20 MB. Trouble of the receiver is a line in the log once a minute, nothing else.
 */
export function openOtlp(options: OtlpOptions): Otlp {
  const { settings, service, instance, version } = options;
  let warnedAtMs = Number.NEGATIVE_INFINITY;
  setGlobalErrorHandler((error) => {
    if (performance.now() - warnedAtMs < warnEveryMs) return;
    warnedAtMs = performance.now();
    // Its text alone: the exporter's error carries the response, and what a proxy answers belongs into no log.
    const cause = typeof error === "string" ? error : ((error as Partial<Error>).message ?? "unknown");
    options.log.warn({ cause: cause.slice(0, 200) }, "spans or metrics cannot be exported");
  });
  const resource = defaultResource()
    .merge(
      resourceFromAttributes({
        "service.name": service,
        "service.namespace": "agentd",
        "service.instance.id": instance,
        "service.version": version,
      }),
    )
    .merge(detectResources({ detectors: [envDetector] }));
  const spans = settings.exportsSpans ? createSpanExport(resource, version) : undefined;
  const interval = { version, intervalMs: options.metricIntervalMs };
  const metrics = settings.exportsMetrics ? createMetricExport(options.metrics, resource, interval) : undefined;
  return {
    accept: spans?.accept,
    async close() {
      const late = Promise.withResolvers<void>();
      const timer = setTimeout(late.resolve, closeTimeoutMs);
      await Promise.race([Promise.allSettled([spans?.close(), metrics?.close()]), late.promise]);
      clearTimeout(timer);
    },
  };
}
