import { describe, expect, test } from "vitest";
import { parseSimConfig } from "../config.ts";
import { cutReply, joinPieces } from "../http/reply-stream.ts";
import { createPrefixCache } from "./prefix-cache.ts";
import { createUsageHistory } from "./usage-history.ts";

describe("the prefix cache", () => {
  const head = "x".repeat(640);

  test("finds whole blocks of a head that was stored, and never the last token", () => {
    const cache = createPrefixCache(1_000);
    expect(cache.match(head)).toBe(0);
    cache.store(head);
    expect(cache.match(`${head}${"y".repeat(100)}`)).toBe(160);
    expect(cache.match(head)).toBe(144);
    expect(cache.match(`z${head}`)).toBe(0);
  });

  test("forgets the least recently used blocks first", () => {
    const cache = createPrefixCache(10);
    const other = "a".repeat(640);
    cache.store(head);
    cache.store(other);
    expect(cache.match(`${head}${head}`)).toBe(0);
    expect(cache.match(`${other}${head}`)).toBe(160);
  });
});

describe("the history of slots in use", () => {
  test("keeps the peaks in a bounded number of buckets however long it runs", () => {
    let now = 0;
    const history = createUsageHistory(() => now);
    for (let index = 0; index < 100_000; index += 1) {
      now = index * 50;
      history.record(index === 77_777 ? 120 : 3, index === 5 ? 9 : 0);
    }
    const samples = history.samples();
    expect(samples.length).toBeLessThanOrEqual(601);
    expect(Math.max(...samples.map((sample) => sample.running))).toBe(120);
    expect(history).toMatchObject({ runningPeak: 120, waitingPeak: 9 });
    expect([...samples].sort((a, b) => a.atMs - b.atMs)).toEqual(samples);
  });
});

describe("an answer in pieces", () => {
  const reply = {
    content: "some words",
    reasoning: "",
    calls: [{ name: "write", arguments: JSON.stringify({ content: "ä\n".repeat(5_000) }) }],
  };

  test("gives the same answer when it is put together, in a bounded number of pieces", () => {
    const { pieces, finishReason } = cutReply(reply, 100_000, () => "id");
    expect(finishReason).toBe("tool_calls");
    expect(pieces.length).toBeLessThan(70);
    expect(joinPieces(pieces)).toEqual({
      role: "assistant",
      content: "some words",
      tool_calls: [{ id: "id", type: "function", function: { name: "write", arguments: reply.calls[0]?.arguments } }],
    });
  });

  test("never exceeds its cap, and says so", () => {
    for (const cap of [1, 2, 3, 5, 50, 500]) {
      const cut = cutReply(reply, cap, () => "id");
      expect(cut.outputTokens).toBeLessThanOrEqual(Math.max(cap, 1) + 1);
      expect(cut.finishReason).toBe("length");
    }
  });
});

describe("the settings", () => {
  test("have defaults and name every wrong flag", () => {
    expect(parseSimConfig({})).toMatchObject({ slots: 128, port: 0, model: "vllm-sim" });
    expect(() => parseSimConfig({ lieShare: 2, slots: 0 })).toThrow(/--lie-share.*--slots|--slots.*--lie-share/);
    expect(() => parseSimConfig({ lieShare: 0.6, loopShare: 0.6 })).toThrow(/more than 1/);
    expect(() => parseSimConfig({ nonsense: 1 })).toThrow(/nonsense/);
  });
});
