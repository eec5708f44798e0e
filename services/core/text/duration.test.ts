import { describe, expect, it } from "vitest";
import { formatDuration, parseCount, parseDuration } from "./duration.ts";

describe("durations and counts", () => {
  it.each([
    ["15m", 900_000],
    ["900s", 900_000],
    ["1h30m", 5_400_000],
    ["1.5s", 1_500],
    ["250ms", 250],
    ["2d", 172_800_000],
  ])("reads %s", (text, ms) => {
    expect(parseDuration(text)).toBe(ms);
    expect(parseDuration(formatDuration(ms))).toBe(ms);
  });
  it.each(["", "15", "15 m", "15 mins", "m", "-5m", "5m1h", "1m1m", "1e3s", "99999999999999999999d"])(
    "refuses %j as a duration",
    (text) => {
      expect(parseDuration(text)).toBeUndefined();
    },
  );
  it.each([
    ["400k", 400_000],
    ["2M", 2_000_000],
    ["1.5M", 1_500_000],
    ["60", 60],
    ["0", 0],
  ])("reads %s as a count", (text, count) => {
    expect(parseCount(text)).toBe(count);
  });
  it.each(["", "k", "1.5", "-1", "1e6", "2 M", "0x10", "Infinity"])("refuses %j as a count", (text) => {
    expect(parseCount(text)).toBeUndefined();
  });
});
