import { toBinary } from "@bufbuild/protobuf";
import { DurationSchema, durationMs, TimestampSchema, timestampMs } from "@bufbuild/protobuf/wkt";
import { describe, expect, it } from "vitest";
import { duration, time } from "./convert-resource.ts";

describe("a time of a worker", () => {
  it.each([
    [1_700_000_000_123, 1_700_000_000_123],
    [1_700_000_000_123.25, 1_700_000_000_123],
    [-5, 0],
    [Number.NaN, 0],
    [1e300, 253_402_300_799_999],
  ])("of %d is one that can be sent", (ms, sent) => {
    expect(timestampMs(time(ms))).toBe(sent);
    expect(durationMs(duration(ms))).toBe(sent);
    expect(() => toBinary(TimestampSchema, time(ms))).not.toThrow();
    expect(() => toBinary(DurationSchema, duration(ms))).not.toThrow();
  });
});
