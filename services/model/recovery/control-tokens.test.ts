import { describe, expect, test } from "vitest";
import { cleanArguments, cleanContent } from "./control-tokens.ts";

const nothing = () => false;
const clean = (content: string, isKnown: (token: string) => boolean = nothing) =>
  cleanArguments({ file_path: "a", content }, isKnown);
const cleaned = (content: string) => (clean(content).value as { content: string }).content;

describe("text in a call's arguments", () => {
  test.each([
    ["thoughts at the start", "<think>let me see</think>\ncode", "code"],
    ["a token at the end", "code\n<|im_end|>", "code"],
    ["several tokens at the end", "code</parameter>\n</function></tool_call>", "code"],
    ["DeepSeek's token", "code<｜end▁of▁sentence｜>", "code"],
    ["harmony's token at the start", "<|message|>code", "code"],
    ["Gemma's quotation marks around it", '<|"|>code<|"|>', "code"],
  ])("loses %s", (_title, content, expected) => {
    expect(cleaned(content)).toBe(expected);
    expect(clean(content)).toMatchObject({ isChanged: true });
  });

  test.each([
    ["code without any", "const a = 1;\n"],
    ["a string literal about tokenizers", 'const eos = "<|im_end|>";\nstop(eos);'],
    ["a sentence about thoughts", "Models write <think> before they answer.\n"],
    ["an element that is opened in it", "<invoke name='x'>\n</invoke>"],
    ["HTML that is struck through", "<p><s>old</s>"],
  ])("keeps %s", (_title, content) => {
    expect(clean(content)).toMatchObject({ isChanged: false, value: { content } });
    expect(clean(content).suspect).toBeUndefined();
  });

  test("is suspect with a token alone on a line in the middle", () => {
    expect(clean("a\n</think>\nb").suspect).toBe("</think>");
  });

  test("keeps whatever the model was shown, wherever it stands", () => {
    const template = "<|im_start|>\nuser\n<|im_end|>\nassistant\n<|im_end|>";
    const isKnown = (token: string) => template.includes(token);
    expect(clean(template, isKnown)).toEqual({ value: { file_path: "a", content: template }, isChanged: false });
  });

  test("is cleaned inside of lists too", () => {
    expect(cleanArguments({ edits: [{ new_string: "b<|im_end|>" }] }, nothing).value).toEqual({
      edits: [{ new_string: "b" }],
    });
  });
});

test("the answer's own text loses tokens at its ends, and keeps a call that could not be read", () => {
  expect(cleanContent("Done.<|im_end|>")).toBe("Done.");
  expect(cleanContent("Say <|im_end|> to end.")).toBe("Say <|im_end|> to end.");
  expect(cleanContent('<tool_call>{"name')).toBe('<tool_call>{"name');
});
