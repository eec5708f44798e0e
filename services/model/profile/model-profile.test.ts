import { describe, expect, test } from "vitest";
import { profileNames, profileOf } from "./model-profile.ts";

describe("the profile of a model", () => {
  test.each([
    ["openai/gpt-oss-120b", { name: "gpt-oss", editStyle: "apply_patch", reasoningFields: ["reasoning"] }],
    ["gpt-5-codex", { name: "openai", editStyle: "apply_patch" }],
    ["Qwen/Qwen3-Coder-30B-A3B-Instruct-FP8", { name: "qwen3-coder", reasoningFields: [] }],
    ["Qwen3.6-35B-A3B", { name: "qwen3-thinking", templateArguments: { preserve_thinking: true } }],
    ["Qwen/Qwen3-8B", { name: "qwen" }],
    ["zai-org/GLM-4.7", { name: "glm" }],
    ["moonshotai/Kimi-K2-Instruct", { name: "kimi", callIds: "kimi" }],
    ["mistralai/Devstral-Small-2-24B", { name: "mistral", callIds: "nine", foldsUserIntoResult: true }],
    ["meta-llama/Llama-3.3-70B-Instruct", { name: "llama", hasParallelCalls: false }],
    ["deepseek-ai/DeepSeek-V3.1", { name: "deepseek", reasoningFields: ["reasoning", "reasoning_content"] }],
    ["smollm2", { name: "smollm", firstRung: "required" }],
    ["something-else", { name: "default", firstRung: "auto", editStyle: "edit" }],
  ])("of %s", (model, expected) => {
    expect(profileOf(model)).toMatchObject(expected);
  });

  test("is the one that a setting names, whatever the model is called", () => {
    expect(profileOf("my-finetune", "kimi").callIds).toBe("kimi");
    expect(profileOf("gpt-oss", "default").name).toBe("default");
    for (const name of profileNames) expect(profileOf("x", name).name).toBe(name);
  });

  test("is refused with all names when there is none of that name", () => {
    expect(() => profileOf("x", "gpt")).toThrow(/no model profile is called "gpt"; there are: default, gpt-oss/);
  });
});
