/** Values that a span may carry: names, numbers and digests, never prompts, answers, file contents or secrets. */
export type SpanAttributes = Readonly<Record<string, string | number | boolean>>;

/** One span that has ended, in the form in which it is handed on and kept. */
export interface SpanRecord {
  readonly traceId: string;
  readonly spanId: string;
  /** Absent for the root of a trace. */
  readonly parentSpanId?: string;
  readonly name: string;
  readonly kind: "internal" | "server" | "client";
  /** Which part made it: agentctl, coordinator, worker. */
  readonly service: string;
  /** Milliseconds since the epoch, with fractions. */
  readonly startMs: number;
  readonly endMs: number;
  /** Kind of the failure, such as a reason or an outcome; absent where nothing failed. */
  readonly error?: string;
  readonly attributes: SpanAttributes;
  readonly links: readonly SpanLink[];
}

/** Another span that this one goes back to without being below it: the attempt before a retry. */
export interface SpanLink {
  readonly traceId: string;
  readonly spanId: string;
  readonly attributes: SpanAttributes;
}

const attributesMax = 32;
const linksMax = 32;
const textCharactersMax = 256;

/**
 * Reads a record that another process sent; undefined for one that is malformed. Texts, attributes and links beyond the
 * bounds are cut off, so that a record is at most some 20 KB.
 */
export function parseSpanRecord(value: unknown): SpanRecord | undefined {
  if (!isObject(value)) return undefined;
  const { traceId, spanId, parentSpanId, name, kind, service, startMs, endMs, error } = value;
  if (!isId(traceId, 32) || !isId(spanId, 16) || (parentSpanId !== undefined && !isId(parentSpanId, 16)))
    return undefined;
  if (typeof name !== "string" || typeof service !== "string") return undefined;
  if (kind !== "internal" && kind !== "server" && kind !== "client") return undefined;
  if (!isTime(startMs) || !isTime(endMs)) return undefined;
  return {
    traceId,
    spanId,
    ...(parentSpanId === undefined ? {} : { parentSpanId }),
    name: cut(name),
    kind,
    service: cut(service),
    startMs,
    endMs: Math.max(startMs, endMs),
    ...(typeof error === "string" ? { error: cut(error) } : {}),
    attributes: attributesOf(value["attributes"]),
    links: linksOf(value["links"]),
  };
}

/** Only what may stand in a span, cut to its bounds. */
export function attributesOf(value: unknown): SpanAttributes {
  if (!isObject(value)) return {};
  const entries = Object.entries(value)
    .slice(0, attributesMax)
    .flatMap(([name, each]): [string, string | number | boolean][] => {
      if (typeof each === "string") return [[cut(name), cut(each)]];
      return typeof each === "boolean" || Number.isFinite(each) ? [[cut(name), each as number | boolean]] : [];
    });
  return Object.fromEntries(entries);
}

function linksOf(value: unknown): readonly SpanLink[] {
  if (!Array.isArray(value)) return [];
  return value.slice(0, linksMax).flatMap((link: unknown): SpanLink[] => {
    if (!isObject(link)) return [];
    const { traceId, spanId, attributes } = link;
    if (!isId(traceId, 32) || !isId(spanId, 16)) return [];
    return [{ traceId, spanId, attributes: attributesOf(attributes) }];
  });
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function isId(value: unknown, digits: number): value is string {
  return typeof value === "string" && value.length === digits && /^[0-9a-f]+$/.test(value) && !/^0+$/.test(value);
}

function isTime(value: unknown): value is number {
  return typeof value === "number" && value > 0 && value < 1e15;
}

function cut(text: string): string {
  return text.length > textCharactersMax ? text.slice(0, textCharactersMax) : text;
}
