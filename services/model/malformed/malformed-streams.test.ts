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

function summaryOf(reply: Extract<ChatTry, { ok: true }>["reply"]) {
  const { content, reasoning, isTruncated, repairs, recoveredCalls: recovered, toolCalls } = reply;
  const calls = toolCalls.map((call) => [call.name, parseJson(call.arguments) ?? call.arguments]);
  const ids = new Set(toolCalls.map((call) => call.id)).size;
  return {
    content,
    reasoning,
    isTruncated,
    repairs,
    recovered,
    calls,
    ids,
    runnable: runnable({ ok: true, reply }).length,
  };
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
    const { failure, runnable: runnableCount, recovered, ...texts } = streamCase.expected;
    const wanted = {
      isTruncated: false,
      repairs: [],
      ...texts,
      recovered: recovered ?? 0,
      runnable: runnableCount ?? texts.calls?.length ?? 0,
      // No two calls share an id.
      ids: texts.calls?.length ?? 0,
    };
    const outcome = whole.ok ? summaryOf(whole.reply) : { failure: whole.failure.kind };
    const success: Record<string, unknown> = wanted;
    expect(outcome).toMatchObject(failure === undefined ? success : { failure });
  });

  test("is the same wherever the network cuts it into pieces", () => {
    const wanted = JSON.stringify(whole);
    const different: number[] = [];
    for (let cut = 1; cut < bytes.length; cut += 1) {
      const result = readParts(streamCase, [bytes.subarray(0, cut), bytes.subarray(cut)]);
      if (JSON.stringify(result) !== wanted) different.push(cut);
    }
    expect(different).toEqual([]);
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
