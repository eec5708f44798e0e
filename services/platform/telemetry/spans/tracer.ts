import { AsyncLocalStorage } from "node:async_hooks";
import { isAgentdError } from "../../../core/errors.ts";
import type { SpanAttributes, SpanLink, SpanRecord } from "./span-record.ts";
import { attributesOf } from "./span-record.ts";
import { formatTraceparent, newSpanId, parseTraceparent, type SpanContext } from "./trace-context.ts";

/** Takes spans that have ended. Must return at once, must not throw, and drops what it has no room for. */
export type SpanSink = (span: SpanRecord) => void;

/** How a span begins. */
export interface SpanOptions {
  readonly kind?: SpanRecord["kind"];
  readonly attributes?: SpanAttributes;
  readonly links?: readonly SpanLink[];
  /** Default: the span that this code runs in. */
  readonly parent?: SpanContext;
  /** The trace to begin where there is no parent; without it nothing is recorded outside of a trace. */
  readonly root?: { readonly traceId: string; readonly isSampled: boolean };
}

/** A span that is open. */
export interface OpenSpan {
  /** For what has no way to find its span by itself; undefined outside of a trace. */
  readonly context: SpanContext | undefined;
  set(attributes: SpanAttributes): void;
  /** Marks a failure that is not thrown; `kind` is an outcome or a reason, never a text of a model or a command. */
  fail(kind: string): void;
}

/** The span that code runs in. */
interface Current {
  readonly context: SpanContext;
  /** Present while a span of this process is open: what ended below it, to be told with it. */
  below: SpanRecord[] | undefined;
}

/** Spans below one open span that wait for its end; more are told at once. */
const belowMax = 2_048;

const current = new AsyncLocalStorage<Current | undefined>();
let active: { readonly service: string; readonly sink: SpanSink } | undefined;

/**
 * Begins to record the spans of this process; until then they cost nothing. Returns the way to stop.
 *
 * One for the process, as in OpenTelemetry's own API: where a span begins must not depend on who was handed what.
 */
export function startTracing(service: string, sink: SpanSink): () => void {
  const mine = { service, sink };
  active = mine;
  return () => {
    if (active === mine) active = undefined;
  };
}

/** The span that this code runs in. */
export function currentSpan(): SpanContext | undefined {
  return current.getStore()?.context;
}

/** The `traceparent` for what this code calls. */
export function currentTraceparent(): string | undefined {
  const context = currentSpan();
  return context === undefined ? undefined : formatTraceparent(context);
}

/** Runs `work` below a span of another process; an invalid or absent `traceparent` means outside of any trace. */
export function underTraceparent<T>(traceparent: string | undefined, work: () => T): T {
  return current.run(outside(parseTraceparent(traceparent)), work);
}

/**
 * Runs `work` as a span below the current one. Outside of a trace, or of one that is not sampled, it just runs.
 * What `work` throws marks the span as failed with its kind, never its text, and is thrown on.
 *
 * A span is told only when all those above it in this process have ended: a process that dies takes whole branches with it,
 * and leaves none that hang in the air.
 */
export async function inSpan<T>(name: string, options: SpanOptions, work: (span: OpenSpan) => Promise<T>): Promise<T> {
  const above = current.getStore();
  const parent = options.parent ?? above?.context;
  const trace = parent ?? options.root;
  if (active === undefined || trace?.isSampled !== true) {
    const passed = parent ?? (trace === undefined ? undefined : { ...trace, spanId: newSpanId() });
    return await current.run(outside(passed), () =>
      work({ context: passed, set: () => undefined, fail: () => undefined }),
    );
  }
  const context = { traceId: trace.traceId, spanId: newSpanId(), isSampled: true };
  const startMs = Date.now();
  const startedAtMs = performance.now();
  let attributes = options.attributes ?? {};
  let error: string | undefined;
  const mine: Current = { context, below: [] };
  const span: OpenSpan = {
    context,
    set(more) {
      attributes = { ...attributes, ...more };
    },
    fail(kind) {
      error = kind;
    },
  };
  try {
    return await current.run(mine, () => work(span));
  } catch (thrown) {
    error ??= errorKind(thrown);
    throw thrown;
  } finally {
    const record = completed({
      traceId: context.traceId,
      spanId: context.spanId,
      ...(parent === undefined ? {} : { parentSpanId: parent.spanId }),
      name,
      kind: options.kind ?? "internal",
      startMs,
      endMs: startMs + performance.now() - startedAtMs,
      ...(error === undefined ? {} : { error }),
      attributes,
      links: options.links ?? [],
    });
    const all = record === undefined ? [] : [...(mine.below ?? []), record];
    mine.below = undefined;
    const waiting = options.parent === undefined ? above?.below : undefined;
    if (waiting !== undefined && waiting.length + all.length <= belowMax) waiting.push(...all);
    else for (const each of all) active?.sink(each);
  }
}

/** Records a span that was measured by other means, or elsewhere: then it names its own service. */
export function recordSpan(span: Omit<SpanRecord, "service"> & { readonly service?: string }): void {
  const record = completed(span);
  if (record !== undefined) active?.sink(record);
}

function completed(span: Omit<SpanRecord, "service"> & { readonly service?: string }): SpanRecord | undefined {
  if (active === undefined) return undefined;
  return { service: active.service, ...span, attributes: attributesOf(span.attributes) };
}

function outside(context: SpanContext | undefined): Current | undefined {
  return context === undefined ? undefined : { context, below: undefined };
}

function errorKind(thrown: unknown): string {
  if (isAgentdError(thrown)) return thrown.reason;
  return thrown instanceof Error ? thrown.name : "Error";
}
