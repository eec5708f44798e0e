import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { BinaryReader, WireType } from "@bufbuild/protobuf/wire";

/** A span as OTLP carried it. */
export interface ReceivedSpan {
  readonly service: string;
  readonly traceId: string;
  readonly spanId: string;
  /** Empty for a root. */
  readonly parentSpanId: string;
  readonly name: string;
  readonly startNs: bigint;
  readonly endNs: bigint;
  readonly attributes: Readonly<Record<string, string>>;
  readonly links: readonly { readonly traceId: string; readonly spanId: string }[];
}

/** What somebody exports to: OTLP over HTTP, protobuf. */
export interface OtlpReceiver extends AsyncDisposable {
  readonly url: string;
  readonly spans: readonly ReceivedSpan[];
  /** Names of all metrics that came. */
  readonly metricNames: ReadonlySet<string>;
  /** Headers of the last request. */
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  /** Everything that came, as text: to look for what must not be in it. */
  text(): string;
}

/** Starts one, on a free port where none is named. */
export async function startOtlpReceiver(port = 0): Promise<OtlpReceiver> {
  const spans: ReceivedSpan[] = [];
  const metricNames = new Set<string>();
  const bodies: Buffer[] = [];
  let headers: OtlpReceiver["headers"] = {};
  const server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on("data", (chunk: Buffer) => chunks.push(chunk));
    request.on("end", () => {
      const body = Buffer.concat(chunks);
      bodies.push(body);
      ({ headers } = request);
      if (request.url === "/v1/traces") spans.push(...readSpans(body));
      if (request.url === "/v1/metrics") for (const name of readMetricNames(body)) metricNames.add(name);
      response.writeHead(200, { "content-type": "application/x-protobuf" }).end();
    });
  });
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(port, "127.0.0.1", resolve);
  });
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    spans,
    metricNames,
    get headers() {
      return headers;
    },
    text: () => bodies.map((body) => body.toString("latin1")).join("\n"),
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise<void>((resolve) => server.close(() => resolve()));
    },
  };
}

/** The fields of a message by number; numbers and fixed ones as bytes of their text. */
function fieldsOf(bytes: Uint8Array): ReadonlyMap<number, readonly Uint8Array[]> {
  const fields = new Map<number, Uint8Array[]>();
  const reader = new BinaryReader(bytes);
  while (reader.pos < reader.len) {
    const [field, wireType] = reader.tag();
    let value: Uint8Array;
    if (wireType === WireType.LengthDelimited) value = reader.bytes();
    else if (wireType === WireType.Bit64) value = Buffer.from(String(reader.fixed64()));
    else if (wireType === WireType.Varint) value = Buffer.from(String(reader.uint64()));
    else {
      reader.skip(wireType, field);
      continue;
    }
    fields.set(field, [...(fields.get(field) ?? []), value]);
  }
  return fields;
}

const text = (value: Uint8Array | undefined): string => Buffer.from(value ?? []).toString("utf8");
const hex = (value: Uint8Array | undefined): string => Buffer.from(value ?? []).toString("hex");

/** `KeyValue`s; see https://github.com/open-telemetry/opentelemetry-proto, `common/v1/common.proto`. */
function attributesOf(values: readonly Uint8Array[] | undefined): Record<string, string> {
  const pairs = (values ?? []).map((bytes): [string, string] => {
    const pair = fieldsOf(bytes);
    const [value] = [...fieldsOf(pair.get(2)?.[0] ?? new Uint8Array()).values()].flat();
    return [text(pair.get(1)?.[0]), text(value)];
  });
  return Object.fromEntries(pairs);
}

/** `ExportTraceServiceRequest`, `trace/v1/trace.proto`. */
function readSpans(body: Uint8Array): readonly ReceivedSpan[] {
  return (fieldsOf(body).get(1) ?? []).flatMap((bytes) => {
    const resourceSpans = fieldsOf(bytes);
    const resource = fieldsOf(resourceSpans.get(1)?.[0] ?? new Uint8Array());
    const service = attributesOf(resource.get(1))["service.name"] ?? "";
    const scopes = resourceSpans.get(2) ?? [];
    return scopes.flatMap((scope) => (fieldsOf(scope).get(2) ?? []).map((span) => readSpan(service, span)));
  });
}

function readSpan(service: string, bytes: Uint8Array): ReceivedSpan {
  const span = fieldsOf(bytes);
  return {
    service,
    traceId: hex(span.get(1)?.[0]),
    spanId: hex(span.get(2)?.[0]),
    parentSpanId: hex(span.get(4)?.[0]),
    name: text(span.get(5)?.[0]),
    startNs: BigInt(text(span.get(7)?.[0])),
    endNs: BigInt(text(span.get(8)?.[0])),
    attributes: attributesOf(span.get(9)),
    links: (span.get(13) ?? []).map((link) => {
      const fields = fieldsOf(link);
      return { traceId: hex(fields.get(1)?.[0]), spanId: hex(fields.get(2)?.[0]) };
    }),
  };
}

/** `ExportMetricsServiceRequest`, `metrics/v1/metrics.proto`. */
function readMetricNames(body: Uint8Array): readonly string[] {
  return (fieldsOf(body).get(1) ?? [])
    .flatMap((bytes) => fieldsOf(bytes).get(2) ?? [])
    .flatMap((scope) => fieldsOf(scope).get(2) ?? [])
    .map((metric) => text(fieldsOf(metric).get(1)?.[0]));
}
