import { describe, expect, it } from "vitest";
import { otlpSettings } from "./otlp-settings.ts";

const endpoint = { OTEL_EXPORTER_OTLP_ENDPOINT: "http://127.0.0.1:4318" };

describe("the OTEL_* variables", () => {
  it("export nothing without an endpoint", () => {
    expect(otlpSettings({})).toEqual({ exportsSpans: false, exportsMetrics: false, warnings: [] });
  });

  it("export both with one, and one signal with an endpoint of its own", () => {
    expect(otlpSettings(endpoint)).toEqual({ exportsSpans: true, exportsMetrics: true, warnings: [] });
    const own = { OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: "http://127.0.0.1:4318/v1/traces" };
    expect(otlpSettings(own)).toMatchObject({ exportsSpans: true, exportsMetrics: false });
  });

  it("switch off one signal or all", () => {
    expect(otlpSettings({ ...endpoint, OTEL_METRICS_EXPORTER: "none" })).toMatchObject({
      exportsSpans: true,
      exportsMetrics: false,
    });
    expect(otlpSettings({ ...endpoint, OTEL_SDK_DISABLED: "true" })).toMatchObject({ exportsSpans: false });
  });

  it.each([
    ["grpc", { OTEL_EXPORTER_OTLP_PROTOCOL: "grpc" }],
    ["a console exporter", { OTEL_TRACES_EXPORTER: "console" }],
    ["an endpoint that is no address", { OTEL_EXPORTER_OTLP_ENDPOINT: "collector:4317" }],
  ])("are answered with a warning where they ask for %s", (_, env) => {
    const settings = otlpSettings({ ...endpoint, ...env });
    expect(settings.exportsSpans).toBe(false);
    expect(settings.warnings).not.toEqual([]);
  });
});
