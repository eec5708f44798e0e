import { createHash, randomBytes } from "node:crypto";

/** Where in which trace something happens; W3C trace context, https://www.w3.org/TR/trace-context/ */
export interface SpanContext {
  /** 32 hex digits, not all zero. */
  readonly traceId: string;
  /** 16 hex digits, not all zero. */
  readonly spanId: string;
  /** Whether the trace is recorded: whoever started it has decided, everybody else follows. */
  readonly isSampled: boolean;
}

/** Version 00 ends after the flags; a later version may go on behind another hyphen. */
const pattern = /^([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?$/;

/** Reads a `traceparent`; undefined for an invalid one, which is to be ignored. */
export function parseTraceparent(text: string | undefined): SpanContext | undefined {
  if (text === undefined || text.length > 256) return undefined;
  const [, version, traceId, spanId, flags, rest] = pattern.exec(text) ?? [];
  if (version === undefined || traceId === undefined || spanId === undefined || flags === undefined) return undefined;
  if (version === "ff" || (version === "00" && rest !== undefined)) return undefined;
  if (/^0+$/.test(traceId) || /^0+$/.test(spanId)) return undefined;
  return { traceId, spanId, isSampled: (Number.parseInt(flags, 16) & 1) === 1 };
}

/** The header that carries `context`. */
export function formatTraceparent({ traceId, spanId, isSampled }: SpanContext): string {
  return `00-${traceId}-${spanId}-${isSampled ? "01" : "00"}`;
}

/** A random trace id. */
export function newTraceId(): string {
  return randomBytes(16).toString("hex");
}

/** A random span id. */
export function newSpanId(): string {
  return randomBytes(8).toString("hex");
}

/**
 * The id of a span that several processes must know without asking each other: that of a job, of one of its tasks, of an
 * attempt. Whoever writes it down writes the same span, and whatever hangs below it is connected even if its author died.
 */
export function derivedSpanId(
  of: { readonly uid: string; readonly task?: string; readonly attempt?: number },
  part = "",
): string {
  const name = [of.uid, of.task, of.attempt, part].filter((each) => each !== undefined && each !== "").join("/");
  return createHash("sha256").update(name).digest("hex").slice(0, 16);
}
