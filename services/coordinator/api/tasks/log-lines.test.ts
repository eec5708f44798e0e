import { describe, expect, test } from "vitest";
import { logLines } from "./log-lines.ts";

const linesOf = (turn: unknown): string[] =>
  [...logLines({ attempt: 1, timeMs: 1_000, value: turn } as Parameters<typeof logLines>[0])].map(
    ({ source, text }) => `${source}: ${text}`,
  );

describe("the lines of a turn", () => {
  test("tell in plain words how the answer was got, and nothing of an ordinary one", () => {
    const effort = { rung: "auto", recoveredCalls: 0, repairs: [], discardedReplies: 0, discardedTokens: 0 };
    expect(linesOf({ turn: 1, content: "a", effort })).toEqual(["assistant: a"]);
    expect(linesOf({ turn: 1, effort: { ...effort, rung: "required", recoveredCalls: 1, repairs: ["json"] } })).toEqual(
      ["system: the request said that a tool call is required; 1 call was found in the text; mended in the call: json"],
    );
    expect(linesOf({ turn: 1, effort: { ...effort, rung: "envelope", recoveredCalls: 1 } })).toEqual([
      "system: a call was asked for as JSON of a given form",
    ]);
    const discarded = { ...effort, discardedReplies: 1, discardedTokens: 7, discardedMs: 1_250 };
    expect(linesOf({ turn: 1, effort: discarded })).toEqual(["system: 1 unusable answer before it (7 tokens, 1.3 s)"]);
  });

  test("end with what an answer without a call was answered", () => {
    expect(linesOf({ turn: 1, content: "Prose.", calls: [], session: { nudge: "No tool call." } })).toEqual([
      "assistant: Prose.",
      "system: the model was told: No tool call.",
    ]);
  });

  test("take nothing of the shape for granted", () => {
    for (const odd of [undefined, null, 7, "x", [], { calls: 7, effort: "x", session: [] }]) {
      expect(linesOf(odd)).toEqual([]);
    }
    expect(linesOf({ effort: { rung: "toString", recoveredCalls: Number.NaN } })).toEqual([]);
    expect(linesOf({ calls: [null] })).toEqual(["assistant:  ", "tool: "]);
  });
});
