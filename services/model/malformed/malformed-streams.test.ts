import { describe, expect, test } from "vitest";
import { findMismatch } from "../recovery/check-schema.ts";
import { asRecord, parseJson } from "../recovery/json-text.ts";
import { type ChatTry, createAnswerReader } from "../stream/answer-reader.ts";
import { brokenStreams } from "./broken-streams.ts";
import { callStreams } from "./call-streams.ts";
import { corpusTools, type StreamCase } from "./stream-case.ts";
import { textStreams } from "./text-streams.ts";

const cases: readonly StreamCase[] = [...textStreams, ...callStreams, ...brokenStreams];
// The rest of the list is about what is sent, or about answers that are no streams: openai-chat.test.ts and wire-request.test.ts.
const elsewhere = ["8", "27"];

function readParts(streamCase: StreamCase, parts: readonly Uint8Array[]): ChatTry {
  let next = 0;
  const reader = createAnswerReader({
    tools: corpusTools,
    outputTokensMax: streamCase.outputTokensMax ?? 1_000,
    newId: () => `new${++next}`,
    isKnown: () => false,
  });
  for (const part of parts) reader.push(part);
  return reader.finish();
}

/** The calls that an agent would run: offered, whole, and fitting. */
function runnable(result: ChatTry): readonly string[] {
  if (!result.ok) return [];
  return result.reply.toolCalls.flatMap((call) => {
    const schema = corpusTools.find((tool) => tool.name === call.name);
    const args = asRecord(parseJson(call.arguments));
    const isRunnable =
      schema !== undefined && args !== undefined && findMismatch(args, schema.parameters) === undefined;
    return isRunnable && call.problem === undefined ? [`${call.name} ${call.arguments}`] : [];
  });
}

test("the corpus holds every kind of malformed answer", () => {
  const numbers = new Set([...cases.map(({ id }) => String(Number.parseInt(id, 10))), ...elsewhere]);
  for (let number = 1; number <= 27; number += 1) expect(numbers, `case ${number}`).toContain(String(number));
  expect(new Set(cases.map(({ id }) => id)).size).toBe(cases.length);
});

describe.each(cases)("$id: $title", (streamCase) => {
  const bytes = new TextEncoder().encode(streamCase.body);
  const whole = readParts(streamCase, [bytes]);

  test("is survived", () => {
    const { expected } = streamCase;
    if (expected.failure !== undefined) {
      expect(whole).toMatchObject({ ok: false, failure: { kind: expected.failure } });
      return;
    }
    if (!whole.ok) throw new Error(whole.failure.message);
    const { reply } = whole;
    const calls = reply.toolCalls.map((call) => [call.name, parseJson(call.arguments) ?? call.arguments]);
    expect(calls).toEqual(expected.calls);
    expect(runnable(whole)).toHaveLength(expected.runnable ?? expected.calls?.length ?? 0);
    expect(reply.isTruncated).toBe(expected.isTruncated ?? false);
    expect(reply.recoveredCalls).toBe(expected.recovered ?? 0);
    expect(reply.repairs).toEqual(expected.repairs ?? []);
    expect(new Set(reply.toolCalls.map((call) => call.id)).size).toBe(reply.toolCalls.length);
    if (expected.content !== undefined) expect(reply.content).toBe(expected.content);
    if (expected.reasoning !== undefined) expect(reply.reasoning).toBe(expected.reasoning);
  });

  test("is the same wherever the network cuts it into pieces", () => {
    const wanted = JSON.stringify(whole);
    for (let cut = 1; cut < bytes.length; cut += 1) {
      const result = readParts(streamCase, [bytes.subarray(0, cut), bytes.subarray(cut)]);
      if (JSON.stringify(result) !== wanted) expect(result, `cut at byte ${cut}`).toEqual(whole);
    }
    const single = [...bytes].map((byte) => Uint8Array.of(byte));
    expect(readParts(streamCase, single)).toEqual(whole);
  });

  test("runs nothing that was not meant, wherever the connection is lost", () => {
    const meant = new Set(runnable(whole));
    const surprises: string[] = [];
    for (let cut = 0; cut < bytes.length; cut += 1) {
      const result = readParts(streamCase, [bytes.subarray(0, cut)]);
      for (const call of runnable(result)) if (!meant.has(call)) surprises.push(`lost at byte ${cut}: ${call}`);
      if (!result.ok && result.failure.kind !== "brokenStream" && result.failure.kind !== "status") {
        surprises.push(`lost at byte ${cut}: ${result.failure.kind}`);
      }
    }
    expect(surprises).toEqual([]);
  });
});
