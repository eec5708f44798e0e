import { describe, expect, it } from "vitest";
import { samplerOf } from "./sampling.ts";
import { derivedSpanId, formatTraceparent, parseTraceparent } from "./trace-context.ts";

const traceId = "0af7651916cd43dd8448eb211c80319c";
const spanId = "b7ad6b7169203331";

describe("a traceparent", () => {
  it("is read and written as it came", () => {
    const text = `00-${traceId}-${spanId}-01`;
    const context = parseTraceparent(text);
    expect(context).toEqual({ traceId, spanId, isSampled: true });
    expect(context === undefined ? "" : formatTraceparent(context)).toBe(text);
  });

  it("says whether the trace is recorded in the lowest bit of its flags alone", () => {
    expect(parseTraceparent(`00-${traceId}-${spanId}-02`)?.isSampled).toBe(false);
    expect(parseTraceparent(`00-${traceId}-${spanId}-03`)?.isSampled).toBe(true);
  });

  it("of a later version is read as far as it is known", () => {
    expect(parseTraceparent(`cc-${traceId}-${spanId}-01-more`)).toEqual({ traceId, spanId, isSampled: true });
  });

  it.each([
    ["nothing", undefined],
    ["another text", "traceparent"],
    ["capital digits", `00-${traceId.toUpperCase()}-${spanId}-01`],
    ["a trace id of zeros", `00-${"0".repeat(32)}-${spanId}-01`],
    ["a span id of zeros", `00-${traceId}-${"0".repeat(16)}-01`],
    ["the version that is forbidden", `ff-${traceId}-${spanId}-01`],
    ["more than version 00 has", `00-${traceId}-${spanId}-01-more`],
    ["a megabyte", `00-${traceId}-${spanId}-01-${"x".repeat(1_000_000)}`],
  ])("that is %s is ignored", (_, text) => {
    expect(parseTraceparent(text)).toBeUndefined();
  });
});

describe("a derived span id", () => {
  it("is the same wherever it is made, and another for each part", () => {
    const of = { uid: "u", task: "t", attempt: 1 };
    const ids = [
      derivedSpanId({ uid: "u" }),
      derivedSpanId({ uid: "u", task: "t" }),
      derivedSpanId(of),
      derivedSpanId({ ...of, attempt: 2 }),
      derivedSpanId(of, "merge"),
    ];
    expect(new Set(ids).size).toBe(ids.length);
    expect(ids[2]).toBe(derivedSpanId({ ...of }));
    for (const id of ids) expect(id).toMatch(/^[0-9a-f]{16}$/);
  });
});

describe("OTEL_TRACES_SAMPLER", () => {
  const sample = (name: string | undefined, argument?: string) =>
    samplerOf({ OTEL_TRACES_SAMPLER: name, OTEL_TRACES_SAMPLER_ARG: argument });

  it("follows the caller by default, and records where there is none", () => {
    expect(sample(undefined)(traceId, false)).toBe(false);
    expect(sample(undefined)(traceId, undefined)).toBe(true);
  });

  it("decides without looking at the caller where it is not parent-based", () => {
    expect(sample("always_off")(traceId, true)).toBe(false);
    expect(sample("always_on")(traceId, false)).toBe(true);
    expect(sample("parentbased_always_off")(traceId, undefined)).toBe(false);
  });

  it("takes about the share of the traces that it is told, the same ones everywhere", () => {
    const sampler = sample("traceidratio", "0.25");
    const ids = Array.from({ length: 4_000 }, (_, index) => derivedSpanId({ uid: String(index) }).repeat(2));
    const taken = ids.filter((id) => sampler(id, undefined));
    expect(taken.length / ids.length).toBeGreaterThan(0.2);
    expect(taken.length / ids.length).toBeLessThan(0.3);
    expect(ids.filter((id) => sample("parentbased_traceidratio", "0.25")(id, undefined))).toEqual(taken);
  });
});
