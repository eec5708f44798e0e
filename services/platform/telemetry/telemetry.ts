import { packageVersion } from "../process/package-version.ts";
import type { Logger } from "./log.ts";
import { type Metrics, metrics } from "./metrics.ts";
import { otlpSettings } from "./otlp/otlp-settings.ts";
import type { SpanSink } from "./spans/tracer.ts";
import { startTracing } from "./spans/tracer.ts";

/** How a process tells what it does. */
export interface TelemetryOptions {
  /** `coordinator` or `worker`; also the default of OTEL_SERVICE_NAME, with `agentd-` before it. */
  readonly service: string;
  /** Tells processes of one service apart. */
  readonly instance: string;
  /** For the OTEL_* variables. */
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly log: Logger;
  /** Where spans go while no OTLP endpoint is set; must return at once. */
  readonly keep: SpanSink;
  /** Default: those of the process. */
  readonly metrics?: Metrics;
}

/** What of this process is told to others. */
export interface Telemetry extends AsyncDisposable {
  /** Whether spans leave by OTLP instead of being kept. */
  readonly exportsSpans: boolean;
  /** Sends what is left, for at most 3 s. Idempotent. */
  close(): Promise<void>;
}

const metricIntervalMsDefault = 60_000;

/**
 * Starts to record spans, and to export them and the metrics where the OTEL_* variables say so. Never throws: what cannot
 * be exported is a line in the log.
 */
export async function startTelemetry(options: TelemetryOptions): Promise<Telemetry> {
  const { env, log, service } = options;
  const settings = otlpSettings(env);
  for (const warning of settings.warnings) log.warn(warning);
  if (env["OTEL_SDK_DISABLED"]?.toLowerCase() === "true") return telemetryOf(false, () => Promise.resolve());
  const otlp =
    settings.exportsSpans || settings.exportsMetrics
      ? await openExport(options, settings).catch((error: unknown) => {
          log.warn({ err: error }, "the OTLP exporter cannot be started");
          return undefined;
        })
      : undefined;
  const stop = startTracing(service, otlp?.accept ?? options.keep);
  return telemetryOf(otlp?.accept !== undefined, async () => {
    stop();
    await otlp?.close();
  });
}

async function openExport(options: TelemetryOptions, settings: ReturnType<typeof otlpSettings>) {
  const { openOtlp } = await import("./otlp/open-otlp.ts");
  const interval = Number(options.env["OTEL_METRIC_EXPORT_INTERVAL"]);
  return openOtlp({
    settings,
    service: `agentd-${options.service}`,
    instance: options.instance,
    version: packageVersion(),
    metrics: options.metrics ?? metrics,
    metricIntervalMs: interval > 0 ? interval : metricIntervalMsDefault,
    log: options.log,
  });
}

function telemetryOf(exportsSpans: boolean, end: () => Promise<void>): Telemetry {
  let closing: Promise<void> | undefined;
  const close = (): Promise<void> => {
    closing ??= end();
    return closing;
  };
  return { exportsSpans, close, [Symbol.asyncDispose]: close };
}
