/** What the OTEL_* variables ask for; https://opentelemetry.io/docs/specs/otel/protocol/exporter/ */
export interface OtlpSettings {
  readonly exportsSpans: boolean;
  readonly exportsMetrics: boolean;
  /** Something that was asked for and is not there; for the log. */
  readonly warnings: readonly string[];
}

type Environment = Readonly<Record<string, string | undefined>>;
type Signal = "TRACES" | "METRICS";

/** Names of the variables that a part needs to export by itself. */
export function isOtelVariable(name: string): boolean {
  return name.startsWith("OTEL_");
}

/** Reads which signals leave by OTLP. Where an endpoint is named but cannot be used, nothing is exported. */
export function otlpSettings(env: Environment): OtlpSettings {
  const value = (name: string): string => (env[name] ?? "").trim();
  if (value("OTEL_SDK_DISABLED").toLowerCase() === "true") {
    return { exportsSpans: false, exportsMetrics: false, warnings: [] };
  }
  const warnings = new Set<string>();
  const exportsSignal = (signal: Signal): boolean => {
    const endpoint = value(`OTEL_EXPORTER_OTLP_${signal}_ENDPOINT`) || value("OTEL_EXPORTER_OTLP_ENDPOINT");
    const exporter = value(`OTEL_${signal}_EXPORTER`) || "otlp";
    if (endpoint === "" || exporter === "none") return false;
    if (!URL.canParse(endpoint) || !/^https?:$/.test(new URL(endpoint).protocol)) {
      warnings.add("OTEL_EXPORTER_OTLP_ENDPOINT is no http or https address: nothing is exported");
      return false;
    }
    if (exporter !== "otlp") {
      warnings.add(`OTEL_${signal}_EXPORTER=${exporter} is not supported: otlp and none are`);
      return false;
    }
    const protocol = value(`OTEL_EXPORTER_OTLP_${signal}_PROTOCOL`) || value("OTEL_EXPORTER_OTLP_PROTOCOL");
    if (protocol === "" || protocol === "http/protobuf") return true;
    warnings.add(`OTEL_EXPORTER_OTLP_PROTOCOL=${protocol} is not supported, http/protobuf is: nothing is exported`);
    return false;
  };
  return { exportsSpans: exportsSignal("TRACES"), exportsMetrics: exportsSignal("METRICS"), warnings: [...warnings] };
}
