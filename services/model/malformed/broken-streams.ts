import { callPart, chunk, done, ending, event, type StreamCase, spoken, wholeCall } from "./stream-case.ts";

const one = '{"file_path":"1"}';
const call = ["read", { file_path: "1" }] as const;
const half = callPart({ index: 0, id: "a", function: { name: "write", arguments: '{"file_path":"a","content":"ha' } });
const harmony = { message: "unexpected tokens remaining in message header", type: "InternalServerError", code: 500 };

/** Streams that are broken as streams. */
export const brokenStreams: readonly StreamCase[] = [
  {
    id: "3c",
    title: "the parser's own error in the stream (vllm#30651)",
    body: event({ error: { message: "JSONDecodeError", type: "InternalServerError", code: 500 } }) + done,
    expected: { failure: "status" },
  },
  {
    id: "4",
    title: "a HarmonyError in the middle (vllm#51977)",
    body:
      spoken("I look").replace(done, "").split("data: ").slice(0, 3).join("data: ") + event({ error: harmony }) + done,
    expected: { failure: "status" },
  },
  {
    id: "25a",
    title: "an error object behind half a call",
    body: half + event({ error: { message: "engine died", code: 500 } }) + done,
    expected: { failure: "status" },
  },
  {
    id: "25b",
    title: "an error without a code behind a whole call",
    body: wholeCall(0, "a", "read", one) + event({ error: { message: "gone" } }) + done,
    expected: { failure: "brokenStream" },
  },
  {
    id: "25c",
    title: "an error as a named event",
    body: `${wholeCall(0, "a", "read", one)}event: error\n${event({ message: "overloaded", code: 503 })}`,
    expected: { failure: "status" },
  },
  {
    id: "S1",
    title: "a whole call and [DONE], but no finish reason",
    body: wholeCall(0, "a", "read", one) + done,
    expected: { calls: [call] },
  },
  {
    id: "S2",
    title: "half a call and [DONE], but no finish reason",
    body: half + done,
    expected: { failure: "brokenStream" },
  },
  {
    id: "S3",
    title: "a call that fits no schema and [DONE], but no finish reason",
    body: wholeCall(0, "a", "read", '{"file_path":1}') + done,
    expected: { failure: "brokenStream" },
  },
  {
    id: "S4",
    title: "text and [DONE], but no finish reason",
    body: chunk({ content: "I look." }) + done,
    expected: { calls: [], content: "I look." },
  },
  {
    id: "S5",
    title: "a whole call and then nothing",
    body: wholeCall(0, "a", "read", one),
    expected: { failure: "brokenStream" },
  },
  { id: "S6", title: "nothing at all", body: done, expected: { failure: "brokenStream" } },
  {
    id: "S7",
    title: "a chunk that is no JSON",
    body: `${chunk({ content: "a" })}data: {"choices": oops}\n\n${ending("stop")}`,
    expected: { failure: "brokenStream" },
  },
  {
    id: "S8",
    title: "comments, carriage returns and events without empty lines between them",
    body: `: keep-alive\n${wholeCall(0, "a", "read", one)}${ending("tool_calls")}`
      .replaceAll("\n\n", "\n")
      .replaceAll("\n", "\r\n"),
    expected: { calls: [call] },
  },
  {
    id: "S9",
    title: "a finish reason of abort",
    body: wholeCall(0, "a", "read", one) + ending("abort"),
    expected: { failure: "brokenStream" },
  },
];
