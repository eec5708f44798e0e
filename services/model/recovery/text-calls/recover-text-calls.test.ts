import { describe, expect, test } from "vitest";
import type { ToolSchema } from "../../chat.ts";
import { recoverTextCalls } from "./recover-text-calls.ts";

const tools: readonly ToolSchema[] = [
  {
    name: "edit",
    description: "",
    parameters: {
      properties: {
        file_path: { type: "string" },
        old_string: { type: "string" },
        replace_all: { type: ["boolean", "null"] },
        limit: { type: "integer" },
      },
    },
  },
];

const parsed = (text: string) =>
  recoverTextCalls(text, tools).calls.map((call) => ({
    name: call.name,
    arguments: JSON.parse(call.arguments) as unknown,
  }));

describe("calls in the text", () => {
  test.each([
    ["Hermes", '<tool_call>\n{"name": "edit", "arguments": {"file_path": "a}b"}}\n</tool_call>'],
    ["Hermes without its end", '<tool_call>{"name": "edit", "arguments": {"file_path": "a}b"}}'],
    [
      "Hermes with arguments as a string",
      '<tool_call>{"name": "edit", "arguments": "{\\"file_path\\":\\"a}b\\"}"}</tool_call>',
    ],
    ["Llama parameters", '<tool_call>{"name": "edit", "parameters": {"file_path": "a}b"}}</tool_call>'],
    ["Mistral list", '[TOOL_CALLS] [{"name": "edit", "arguments": {"file_path": "a}b"}}]'],
    ["Mistral name", '[TOOL_CALLS]edit{"file_path": "a}b"}'],
    ["Mistral name and ARGS", '[TOOL_CALLS]edit[ARGS]{"file_path": "a}b"}'],
    ["function with JSON", '<function=edit>{"file_path": "a}b"}</function>'],
    ["Qwen coder", "<tool_call>\n<function=edit>\n<parameter=file_path>\na}b\n</parameter>\n</function>\n</tool_call>"],
  ])("are found in the form of %s", (_title, text) => {
    expect(parsed(text)).toEqual([{ name: "edit", arguments: { file_path: "a}b" } }]);
    expect(recoverTextCalls(`before\n${text}\nafter`, tools).rest).toMatch(/^before\s+after$/);
  });

  test("keep the types of the schema in XML parameters, and text as it is", () => {
    const text =
      "<function=edit><parameter=file_path>\n12\n</parameter><parameter=replace_all>true</parameter><parameter=limit>3</parameter>" +
      "<parameter=old_string>\n  two\nlines \n</parameter></function>";
    expect(parsed(text)[0]?.arguments).toEqual({
      file_path: "12",
      replace_all: true,
      limit: 3,
      old_string: "  two\nlines ",
    });
  });

  test("keep closing tags that belong to a value", () => {
    const text =
      "<function=edit><parameter=file_path>x</parameter><parameter=old_string>a </function> and </parameter> b</parameter></function>";
    expect(parsed(text)[0]?.arguments).toEqual({ file_path: "x", old_string: "a </function> and </parameter> b" });
  });

  test("are several in their order", () => {
    const block = (path: string) => `<tool_call>{"name":"edit","arguments":{"file_path":"${path}"}}</tool_call>`;
    expect(parsed(block("1") + block("2")).map((call) => call.arguments)).toEqual([
      { file_path: "1" },
      { file_path: "2" },
    ]);
  });

  test.each([
    ["names a tool that was not offered", '<tool_call>{"name":"rm","arguments":{}}</tool_call>'],
    ["is cut in its arguments", '<tool_call>{"name":"edit","arguments":{"file_path":"a'],
    ["is cut in a parameter", "<function=edit><parameter=file_path>a"],
    ["is cut before its end tag", "<function=edit><parameter=file_path>a</parameter>"],
    ["has text between its parameters", "<function=edit>so: <parameter=file_path>a</parameter></function>"],
    ["is only talked about", "Use <tool_call> to call, or [TOOL_CALLS] with Mistral."],
  ])("stay text when the block %s", (_title, text) => {
    expect(recoverTextCalls(text, tools)).toEqual({ calls: [], rest: text });
  });
});
