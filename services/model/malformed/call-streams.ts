import { callPart, chunk, ending, event, type StreamCase, wholeCall } from "./stream-case.ts";

const one = '{"file_path":"1"}';
const two = '{"file_path":"2"}';
const both = [
  ["read", { file_path: "1" }],
  ["read", { file_path: "2" }],
] as const;
const first = [both[0]];
const fn = (name: string | undefined, args?: unknown) => ({
  function: { ...(name === undefined ? {} : { name }), ...(args === undefined ? {} : { arguments: args }) },
});

/** Calls that came in the field made for them, spoilt on the way. */
export const callStreams: readonly StreamCase[] = [
  {
    id: "5a",
    title: "Kimi's numbered names and ids",
    body:
      wholeCall(0, "functions.read:0", "functions.read:0", one) +
      wholeCall(1, "functions.read:1", "functions.read:1", two) +
      ending("tool_calls"),
    expected: { calls: both },
  },
  {
    id: "6",
    title: "the same id for two calls (vllm#50295)",
    body: wholeCall(0, "call_0", "read", one) + wholeCall(1, "call_0", "read", two) + ending("tool_calls"),
    expected: { calls: both },
  },
  {
    id: "7",
    title: "an id that Mistral's own template refuses (vllm#47734)",
    body: wholeCall(0, "chatcmpl-tool-0123456789", "read", one) + ending("tool_calls"),
    expected: { calls: first },
  },
  {
    id: "9a",
    title: "arguments that were lost, so that only {} is left (vllm#49248)",
    body: wholeCall(0, "a", "read", "{}") + ending("tool_calls"),
    expected: { calls: [["read", {}]], runnable: 0 },
  },
  {
    id: "10",
    title: "arguments that end in the middle although the server says they are whole (vllm#48702)",
    body: wholeCall(0, "a", "read", '{"file_path":"1","offset":12') + ending("tool_calls"),
    expected: { calls: [["read", '{"file_path":"1","offset":12']], runnable: 0 },
  },
  {
    id: "11a",
    title: "Gemma's quotation marks in the JSON (vllm#38946)",
    body: wholeCall(0, "a", "read", '{file_path:<|"|>1<|"|>}') + ending("tool_calls"),
    expected: { calls: first, repairs: ["json"] },
  },
  {
    id: "11b",
    title: "all bare values as text (vllm#47906)",
    body: wholeCall(0, "a", "read", '{"file_path":"1","offset":"12","limit":"null"}') + ending("tool_calls"),
    expected: { calls: [["read", { file_path: "1", offset: 12, limit: null }]], repairs: ["types"] },
  },
  {
    id: "12",
    title: "a call behind one without arguments (vllm#47901)",
    body: callPart({ index: 0, id: "a", ...fn("status", "") }) + wholeCall(1, "b", "read", one) + ending("tool_calls"),
    expected: { calls: [["status", {}], both[0]] },
  },
  {
    id: "13a",
    title: "the object twice (vllm#10395)",
    body: wholeCall(0, "a", "read", one + one) + ending("tool_calls"),
    expected: { calls: first, repairs: ["doubled"] },
  },
  {
    id: "13b",
    title: "stray quotation marks around the object",
    body: wholeCall(0, "a", "read", `"${one}"`) + ending("tool_calls"),
    expected: { calls: first, repairs: ["stray"] },
  },
  {
    id: "13c",
    title: "no arguments at all (vllm#21301)",
    body: callPart({ index: 0, id: "a", ...fn("status") }) + ending("tool_calls"),
    expected: { calls: [["status", {}]] },
  },
  {
    id: "13d",
    title: "the object encoded as text",
    body: wholeCall(0, "a", "read", JSON.stringify(one)) + ending("tool_calls"),
    expected: { calls: first, repairs: ["unwrapped"] },
  },
  {
    id: "14",
    title: "an array as text (Llama 3)",
    body: wholeCall(0, "a", "todo", '{"items":"[\\"x\\",\\"y\\"]","force":"True"}') + ending("tool_calls"),
    expected: { calls: [["todo", { items: ["x", "y"], force: true }]], repairs: ["types"] },
  },
  {
    id: "15a",
    title: "parallel calls all at index 0 (vercel/ai#14277)",
    body: wholeCall(0, "a", "read", one) + wholeCall(0, "b", "read", two) + ending("tool_calls"),
    expected: { calls: both },
  },
  {
    id: "15b",
    title: "one call at several indexes (LocalAI#9722)",
    body: wholeCall(0, "a", "read", one) + wholeCall(1, "a", "read", one) + ending("tool_calls"),
    expected: { calls: first },
  },
  {
    id: "15c",
    title: "pieces of two calls in turns",
    body:
      callPart({ index: 0, id: "a", ...fn("read", "") }) +
      callPart({ index: 1, id: "b", ...fn("read", "") }) +
      callPart({ index: 0, ...fn(undefined, one) }) +
      callPart({ index: 1, ...fn(undefined, two) }) +
      ending("tool_calls"),
    expected: { calls: both },
  },
  {
    id: "16",
    title: "a first piece without id and name",
    body:
      callPart({ index: 0, ...fn(undefined, '{"file_') }) +
      callPart({ index: 0, ...fn("read", 'path":"1"}') }) +
      ending("tool_calls"),
    expected: { calls: first },
  },
  {
    id: "17",
    title: "two chunks with a finish reason, the second with the call again",
    body:
      wholeCall(0, "a", "read", one) +
      chunk({}, "tool_calls") +
      chunk({ tool_calls: [{ index: 0, id: "a", ...fn("read", one) }] }, "tool_calls") +
      ending("tool_calls"),
    expected: { calls: first },
  },
  {
    id: "19",
    title: "a tool that was not offered",
    body: wholeCall(0, "a", "str_replace_editor", '{"path":"/"}') + ending("tool_calls"),
    expected: { calls: [["str_replace_editor", { path: "/" }]], runnable: 0 },
  },
  {
    id: "20a",
    title: "half a file at the cap",
    body:
      wholeCall(0, "a", "read", one) +
      wholeCall(1, "b", "write", '{"file_path":"2","content":"half') +
      ending("length"),
    expected: { calls: first, isTruncated: true },
  },
  {
    id: "20b",
    title: "half a file at the cap, called whole by the server",
    body: wholeCall(0, "a", "write", '{"file_path":"2","content":"half') + ending("tool_calls", 50),
    outputTokensMax: 50,
    expected: { calls: [], isTruncated: true },
  },
  {
    id: "20c",
    title: "half a file at the cap, closed by the server's parser",
    body: wholeCall(0, "a", "write", '{"file_path":"2","content":"half"}') + ending("length"),
    expected: { calls: [], isTruncated: true },
  },
  {
    id: "24",
    title: "arguments as an object instead of text",
    body: wholeCall(0, "a", "read", { file_path: "1" }) + ending("tool_calls"),
    expected: { calls: first },
  },
  {
    id: "26",
    title: "a finish reason of stop with a call there",
    body: wholeCall(0, "a", "read", one) + ending("stop"),
    expected: { calls: first },
  },
  {
    id: "C1",
    title: "Claude's spelling of the names",
    body: wholeCall(0, "a", "Bash", '{"command":"ls"}') + wholeCall(1, "b", "Read", one) + ending("tool_calls"),
    expected: { calls: [["bash", { command: "ls" }], both[0]], repairs: ["name"] },
  },
  {
    id: "C2",
    title: "the older function_call",
    body:
      chunk({ function_call: { name: "read", arguments: "" } }) +
      chunk({ function_call: { arguments: '{"file_path":' } }) +
      chunk({ function_call: { arguments: '"1"}' } }) +
      ending("function_call"),
    expected: { calls: first },
  },
  {
    id: "C3",
    title: "Python's way of writing JSON, with a raw line end",
    body: wholeCall(0, "a", "bash", "{'command': 'ls\n-l', 'timeout': None,}") + ending("tool_calls"),
    expected: { calls: [["bash", { command: "ls\n-l", timeout: null }]], repairs: ["json"] },
  },
  {
    id: "C4",
    title: "control tokens and thoughts in a file's text",
    body:
      wholeCall(0, "a", "write", '{"file_path":"a.ts","content":"<think>hm</think>let a = 1;\\n<|im_end|>"}') +
      ending("tool_calls"),
    expected: { calls: [["write", { file_path: "a.ts", content: "let a = 1;" }]], repairs: ["tokens"] },
  },
  {
    id: "C5",
    title: "an answer in one document",
    body:
      event({
        choices: [
          {
            message: { content: null, tool_calls: [{ id: "a", type: "function", ...fn("read", one) }] },
            finish_reason: "tool_calls",
          },
        ],
        usage: { prompt_tokens: 9, completion_tokens: 9 },
      }) + "data: [DONE]\n\n",
    expected: { calls: first },
  },
];
