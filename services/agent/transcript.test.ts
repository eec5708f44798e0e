import { describe, expect, it } from "vitest";
import { boundTurnRecord, plainText, type TurnRecord, turnBytesMax } from "./transcript.ts";

const call = { id: "1", name: "bash", arguments: "{}", result: "ok", durationMs: 1, isError: false };

function record(changes: Partial<TurnRecord>): TurnRecord {
  return {
    turn: 1,
    atMs: 0,
    requestDigest: "d",
    toolChoice: "auto",
    content: "",
    reasoning: "",
    isTruncated: false,
    calls: [],
    callsOmitted: 0,
    usage: { inputTokens: 0, cachedTokens: 0, outputTokens: 0 },
    endpoint: "e",
    compactions: [],
    ...changes,
  };
}

const size = (turn: TurnRecord) => Buffer.byteLength(JSON.stringify(turn));

describe("boundTurnRecord", () => {
  it("leaves a small record as it is", () => {
    const small = record({ content: "hello", calls: [call] });
    expect(boundTurnRecord(small)).toEqual(small);
  });

  it.each([
    ["one long result", record({ calls: [{ ...call, result: "x".repeat(5_000_000) }] })],
    ["bytes that JSON escapes", record({ content: "\u0001".repeat(300_000), reasoning: "\u{1f600}".repeat(200_000) })],
    [
      "long arguments",
      record({ calls: Array.from({ length: 32 }, () => ({ ...call, arguments: "y".repeat(90_000) })) }),
    ],
    ["far too many calls", record({ calls: Array.from({ length: 20_000 }, () => call) })],
  ])("keeps %s below the limit and says that it was cut", (_, large) => {
    const bound = boundTurnRecord(large);
    expect(size(bound)).toBeLessThanOrEqual(turnBytesMax);
    expect(bound.callsOmitted > 0 || JSON.stringify(bound).includes("left out")).toBe(true);
    expect(bound.calls.length + bound.callsOmitted).toBe(large.calls.length);
  });
});

describe("plainText", () => {
  it.each([
    ["<think>secret plan</think>All done.", "All done."],
    ["<think>never closed", ""],
    ["done<|im_end|>", "done"],
    ["<tool_call>[TOOL_CALLS]x</think>", "x"],
    ["red \u001b[31mtext\u202e", "red [31mtext"],
  ])("makes %j into %j", (said, shown) => {
    expect(plainText(said, 1_000)).toBe(shown);
  });
});
