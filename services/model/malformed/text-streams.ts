import { chunk, ending, type StreamCase, spoken } from "./stream-case.ts";

const read = ["read", { file_path: "a.ts" }] as const;
const json = '{"name": "read", "arguments": {"file_path": "a.ts"}}';
const recovered = (calls: StreamCase["expected"]["calls"] = [read]) => ({ calls, recovered: calls?.length ?? 0 });

/** Calls and thoughts that a server left in the wrong place. */
export const textStreams: readonly StreamCase[] = [
  {
    id: "1",
    title: "a call inside the thoughts, with no content (vllm#39056)",
    body: spoken(`Look first.\n<tool_call>\n${json}\n</tool_call>`, "stop", "reasoning"),
    expected: { ...recovered(), content: "", reasoning: "Look first." },
  },
  {
    id: "2a",
    title: "Hermes' call in the content (missing parser)",
    body: spoken(`I read it.\n<tool_call>\n${json}\n</tool_call>`),
    expected: { ...recovered(), content: "I read it." },
  },
  {
    id: "2b",
    title: "Qwen3-Coder's call in the content",
    body: spoken(
      "<tool_call>\n<function=write>\n<parameter=file_path>\na.ts\n</parameter>\n<parameter=content>\nlet a = 1;\n</parameter>\n</function>\n</tool_call>",
    ),
    expected: recovered([["write", { file_path: "a.ts", content: "let a = 1;" }]]),
  },
  {
    id: "3a",
    title: "Mistral's call in the content (vllm#30651)",
    body: spoken('[TOOL_CALLS]read[ARGS]{"file_path": "a.ts"}'),
    expected: recovered(),
  },
  {
    id: "3b",
    title: "Mistral's list of calls in the content",
    body: spoken(`[TOOL_CALLS] [${json}, {"name": "status", "arguments": {}}]`),
    expected: recovered([read, ["status", {}]]),
  },
  {
    id: "5b",
    title: "Kimi's marks in the content after foreign ids (vllm#29596)",
    body: spoken(
      '<|tool_calls_section_begin|><|tool_call_begin|>functions.read:0<|tool_call_argument_begin|>{"file_path":"a.ts"}<|tool_call_end|><|tool_calls_section_end|>',
    ),
    expected: { ...recovered(), content: "" },
  },
  {
    id: "2c",
    title: "Llama 4's Python list in the content (missing parser llama4_pythonic)",
    body: spoken(
      "<|python_start|>[read(file_path='a.ts', offset=None, limit=20), todo(items=[\"a\", 'b'], force=True)]<|python_end|>",
    ),
    expected: {
      ...recovered([
        ["read", { file_path: "a.ts", offset: null, limit: 20 }],
        ["todo", { items: ["a", "b"], force: true }],
      ]),
      content: "",
    },
  },
  {
    id: "2d",
    title: "a Python list alone, with an escaped quote, a line end and an optional argument left out",
    body: spoken(`[write(file_path="a.ts", content='it\\'s\\nnew, [x]'), bash(command="""ls "a"\nls""")]`),
    expected: recovered([
      ["write", { file_path: "a.ts", content: "it's\nnew, [x]" }],
      ["bash", { command: 'ls "a"\nls' }],
    ]),
  },
  {
    id: "2e",
    title: "LFM2's list in the content, with text before it (missing parser lfm2)",
    body: spoken('I look.<|tool_call_start|>[read(file_path="a.ts")]<|tool_call_end|><|im_end|>'),
    expected: { ...recovered(), content: "I look." },
  },
  {
    id: "2f",
    title: "a Python list that was cut inside a text",
    body: spoken("<|python_start|>[write(file_path='a.ts', content='let a", "length"),
    expected: { calls: [], isTruncated: true },
  },
  {
    id: "2g",
    title: "a Python list with a call that is no literal: nothing of it is run",
    body: spoken('[read(file_path="a.ts"), bash(command=open("x").read())]'),
    expected: { calls: [], content: '[read(file_path="a.ts"), bash(command=open("x").read())]' },
  },
  {
    id: "9b",
    title: "GLM's call without one of its values (vllm#49248)",
    body: spoken("<tool_call>read\n<arg_key>file_path</arg_key>\n</tool_call>"),
    expected: { calls: [], content: "<tool_call>read\n<arg_key>file_path</arg_key>\n</tool_call>" },
  },
  {
    id: "9c",
    title: "GLM's whole call in the content",
    body: spoken("<tool_call>read\n<arg_key>file_path</arg_key>\n<arg_value>a.ts</arg_value>\n</tool_call>"),
    expected: recovered(),
  },
  {
    id: "18a",
    title: "thoughts that leak with their end mark (vllm#51641)",
    body: spoken(`I must look.\n</think>\n<tool_call>${json}</tool_call>`),
    expected: { ...recovered(), content: "", reasoning: "I must look." },
  },
  {
    id: "18b",
    title: "thoughts in Magistral's marks, and a token at the end",
    body: spoken("[THINK]hm[/THINK]Done so far.<|im_end|>"),
    expected: { calls: [], content: "Done so far.", reasoning: "hm" },
  },
  {
    id: "20d",
    title: "a call in the text that the cap cut",
    body: spoken('<tool_call>\n{"name": "write", "arguments": {"file_path": "a.ts", "content": "half a fi', "length"),
    expected: { calls: [], isTruncated: true },
  },
  {
    id: "20e",
    title: "a call in markup that looks whole, in an answer that the cap cut",
    body: spoken(
      "<function=write><parameter=file_path>a.md</parameter><parameter=content>End with </parameter></function>",
      "length",
    ),
    expected: { calls: [], isTruncated: true },
  },
  {
    id: "21",
    title: "an empty turn: only thoughts",
    body: spoken("I should look at the file.", "stop", "reasoning"),
    expected: { calls: [], content: "", reasoning: "I should look at the file." },
  },
  {
    id: "22",
    title: "the same words to the cap",
    body: spoken("again and ".repeat(20), "length"),
    expected: { calls: [], isTruncated: true },
  },
  {
    id: "23",
    title: "content that is null, absent, empty and a list of parts",
    body:
      chunk({ role: "assistant", content: null }) +
      chunk({}) +
      chunk({ content: "" }) +
      chunk({
        content: [
          { type: "text", text: "Hel" },
          { type: "text", text: "lo" },
        ],
      }) +
      ending("stop"),
    expected: { calls: [], content: "Hello" },
  },
  {
    id: "T1",
    title: "a fenced call in prose",
    body: spoken(`I call it now:\n\`\`\`json\n${json}\n\`\`\`\n`),
    expected: { ...recovered(), content: "I call it now:" },
  },
  {
    id: "T2",
    title: "a fenced example that is no valid call",
    body: spoken('Like this:\n```json\n{"name": "read", "arguments": {"path": "a.ts"}}\n```'),
    expected: { calls: [] },
  },
  {
    id: "T3",
    title: "Llama's tag, with capitals in the name",
    body: spoken('<|python_tag|>{"name": "Read", "parameters": {"file_path": "a.ts"}}'),
    expected: recovered(),
  },
  {
    id: "T4",
    title: "text that is nothing but a call",
    body: spoken('{"name": "bash", "parameters": {"command": "ls", "timeout": "5"}}'),
    expected: recovered([["bash", { command: "ls", timeout: 5 }]]),
  },
  {
    id: "T5",
    title: "harmony's channels",
    body: spoken(
      '<|channel|>analysis<|message|>Look.<|end|><|start|>assistant<|channel|>commentary to=functions.read <|constrain|>json<|message|>{"file_path":"a.ts"}<|call|>',
    ),
    expected: { ...recovered(), content: "", reasoning: "Look." },
  },
  {
    id: "T6",
    title: "DeepSeek's marks",
    body: spoken(
      '<｜tool▁calls▁begin｜><｜tool▁call▁begin｜>function<｜tool▁sep｜>read\n```json\n{"file_path": "a.ts"}\n```<｜tool▁call▁end｜><｜tool▁calls▁end｜>',
    ),
    expected: { ...recovered(), content: "" },
  },
  {
    id: "T7",
    title: "elements named invoke",
    body: spoken(
      '<function_calls><invoke name="bash"><parameter name="command">ls && pwd</parameter></invoke></function_calls>',
    ),
    expected: { ...recovered([["bash", { command: "ls && pwd" }]]), content: "" },
  },
  {
    id: "T8",
    title: "a file about this very markup, in this markup",
    body: spoken(
      "<function=write><parameter=file_path>a.md</parameter><parameter=content>Say <function=x><parameter=y>1</parameter></function> then</parameter></function>",
    ),
    expected: { calls: [] },
  },
];
