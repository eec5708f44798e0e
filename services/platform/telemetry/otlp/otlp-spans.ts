import { type HrTime, type SpanContext, SpanKind, SpanStatusCode, TraceFlags } from "@opentelemetry/api";
import { OTLPTraceExporter } from "@opentelemetry/exporter-trace-otlp-proto";
import type { Resource } from "@opentelemetry/resources";
import { BatchSpanProcessor, type ReadableSpan } from "@opentelemetry/sdk-trace";
import type { SpanRecord } from "../spans/span-record.ts";
import type { SpanSink } from "../spans/tracer.ts";

/** Spans on their way out of the process. */
export interface SpanExport {
  readonly accept: SpanSink;
  /** Sends what is left. */
  close(): Promise<void>;
}

const kinds = { internal: SpanKind.INTERNAL, server: SpanKind.SERVER, client: SpanKind.CLIENT } as const;

/** Exports through the SDK's bounded batches (OTEL_BSP_*) to the endpoint that OTEL_EXPORTER_OTLP_* names. */
export function createSpanExport(resource: Resource, version: string): SpanExport {
  const processor = new BatchSpanProcessor({ exporter: new OTLPTraceExporter() });
  return {
    accept: (span) => processor.onEnd(toReadable(span, resource, version)),
    close: () => processor.shutdown(),
  };
}

function toReadable(span: SpanRecord, resource: Resource, version: string): ReadableSpan {
  const { traceId, spanId, parentSpanId, name, kind, startMs, endMs, error, attributes, links } = span;
  const context = contextOf(traceId, spanId);
  return {
    name,
    kind: kinds[kind],
    spanContext: () => context,
    ...(parentSpanId === undefined ? {} : { parentSpanContext: contextOf(traceId, parentSpanId) }),
    startTime: hrTime(startMs),
    endTime: hrTime(endMs),
    duration: hrTime(endMs - startMs),
    status: error === undefined ? { code: SpanStatusCode.UNSET } : { code: SpanStatusCode.ERROR, message: error },
    attributes: error === undefined ? attributes : { ...attributes, "error.type": error },
    links: links.map((link) => ({ context: contextOf(link.traceId, link.spanId), attributes: link.attributes })),
    events: [],
    ended: true,
    resource,
    instrumentationScope: { name: "agentd", version },
    droppedAttributesCount: 0,
    droppedEventsCount: 0,
    droppedLinksCount: 0,
  };
}

function contextOf(traceId: string, spanId: string): SpanContext {
  return { traceId, spanId, traceFlags: TraceFlags.SAMPLED };
}

function hrTime(timeMs: number): HrTime {
  const seconds = Math.floor(timeMs / 1_000);
  return [seconds, Math.round((timeMs - seconds * 1_000) * 1e6)];
}
