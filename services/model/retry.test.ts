import { describe, expect, test } from "vitest";
import type { ChatFailure } from "./chat-failure.ts";
import { backoffMs, classifyFailure, readRetryAfter } from "./retry.ts";

const status = (
  code: number,
  message = "x",
  rest: Partial<Extract<ChatFailure, { kind: "status" }>> = {},
): ChatFailure => ({
  kind: "status",
  status: code,
  message,
  ...rest,
});

describe("what is tried again", () => {
  test.each<[string, ChatFailure, "same" | "other", boolean]>([
    ["a refused connection", { kind: "connect", message: "" }, "other", true],
    ["429", status(429), "other", true],
    ["503", status(503), "other", true],
    ["504 of a proxy", status(504), "other", true],
    ["529", status(529), "other", true],
    ["500 of a parser", status(500), "same", false],
    ["408", status(408), "same", false],
    ["409", status(409), "same", false],
    ["425", status(425), "same", false],
    ["a broken stream", { kind: "brokenStream", message: "" }, "same", false],
    ["a gap", { kind: "gapTimeout", message: "" }, "same", false],
    ["no first token", { kind: "firstTokenTimeout", message: "" }, "other", false],
    ["an empty reply", { kind: "emptyReply", message: "" }, "same", false],
  ])("%s", (_title, failure, endpoint, isEngineTrouble) => {
    expect(classifyFailure(failure)).toMatchObject({ action: "retry", endpoint, isEngineTrouble });
  });

  test("passes on how long the server wants to be left alone", () => {
    expect(classifyFailure(status(429, "x", { retryAfterMs: 7_000 }))).toMatchObject({ retryAfterMs: 7_000 });
  });
});

describe("a context overflow", () => {
  test.each<[string, ChatFailure, object]>([
    [
      "vLLM's first text",
      status(
        400,
        "This model's maximum context length is 8192 tokens. However, you requested 9000 tokens (8000 in the messages, 1000 in the completion). Please reduce the length.",
      ),
      { contextTokensMax: 8192, inputTokens: 8000 },
    ],
    [
      "vLLM 0.15",
      status(400, "This model's maximum context length is 8192 tokens. However, your request has 8300 input tokens.", {
        param: "input_tokens",
      }),
      { contextTokensMax: 8192, inputTokens: 8300 },
    ],
    [
      "vLLM since then",
      status(
        400,
        "You passed 8100 input tokens and requested 500 output tokens. However, the model's context length is only 8192 tokens, resulting in a maximum input length of 7692 tokens.",
        { param: "input_tokens" },
      ),
      { contextTokensMax: 8192, inputTokens: 8100 },
    ],
    [
      "vLLM before tokenizing",
      status(
        400,
        "You passed 900000 input characters and requested 1 output tokens. However, the model's context length is only 8192 tokens.",
        { param: "input_text" },
      ),
      { contextTokensMax: 8192 },
    ],
    [
      "vLLM's cap",
      status(400, "max_tokens 9000 cannot be greater than max_model_len=8192", { param: "max_tokens" }),
      { contextTokensMax: 8192 },
    ],
    [
      "vLLM 0.32",
      status(
        400,
        "This model's maximum context length is 8192 tokens. However, your prompt contains at least 8193 input tokens, which exceeds this limit even without any output tokens. (parameter=input_tokens, value=8193)",
        { param: "input_tokens" },
      ),
      { contextTokensMax: 8192, inputTokens: 8193 },
    ],
    [
      "vLLM 0.32's cap",
      status(400, "max_tokens=9000 cannot be greater than max_model_len=8192. (parameter=max_tokens, value=9000)", {
        param: "max_tokens",
      }),
      { contextTokensMax: 8192 },
    ],
    ["OpenAI's code", status(400, "too long", { code: "context_length_exceeded invalid_request_error" }), {}],
    ["llama.cpp", status(400, "the request exceeds the available context size. try increasing it"), {}],
    [
      "llama.cpp with figures",
      status(400, "request (5000 tokens) exceeds the available context size (4096 tokens), try increasing it"),
      { contextTokensMax: 4096, inputTokens: 5000 },
    ],
    [
      "OpenAI's text",
      status(
        400,
        "This model's maximum context length is 8192 tokens. However, your messages resulted in 9000 tokens.",
      ),
      { contextTokensMax: 8192, inputTokens: 9000 },
    ],
    [
      "OpenAI's newer text",
      status(
        400,
        "Input tokens exceed the configured limit of 272000 tokens. Your messages resulted in 300000 tokens.",
      ),
      { contextTokensMax: 272_000, inputTokens: 300_000 },
    ],
    [
      "SGLang",
      status(400, "The input (9000 tokens) is longer than the model's context length (8192 tokens)."),
      { contextTokensMax: 8192, inputTokens: 9000 },
    ],
    [
      "SGLang with the answer",
      status(
        400,
        "Requested token count exceeds the model's maximum context length of 8192 tokens. You requested a total of 9000 tokens: 8000 tokens from the input messages and 1000 tokens for the completion.",
      ),
      { contextTokensMax: 8192, inputTokens: 8000 },
    ],
    [
      "TGI",
      status(
        422,
        "Input validation error: `inputs` tokens + `max_new_tokens` must be <= 4096. Given: 5000 `inputs` tokens and 100 `max_new_tokens`",
      ),
      { contextTokensMax: 4096, inputTokens: 5000 },
    ],
    [
      "Mistral",
      status(
        400,
        "Prompt contains 40000 tokens and 0 draft tokens, too large for model with 32768 maximum context length",
      ),
      { contextTokensMax: 32_768, inputTokens: 40_000 },
    ],
    [
      "Anthropic",
      status(400, "prompt is too long: 210000 tokens > 200000 maximum"),
      { contextTokensMax: 200_000, inputTokens: 210_000 },
    ],
    [
      "an error inside a stream, or a server that says 500",
      status(500, "This model's maximum context length is 8192 tokens. However, your request has 8300 input tokens."),
      { contextTokensMax: 8192, inputTokens: 8300 },
    ],
  ])("is known by %s", (_title, failure, overflow) => {
    expect(classifyFailure(failure)).toEqual({ action: "refused", kind: "context_overflow", overflow });
  });

  test("is not every complaint about the cap", () => {
    expect(classifyFailure(status(400, "max_tokens must be at least 1, got 0.", { param: "max_tokens" }))).toEqual({
      action: "refused",
      kind: "invalid_request",
    });
  });
});

test("an answer that only the server's parser refused is asked for again", () => {
  const failure = status(400, "Failed to call a function.", { code: "tool_use_failed", failedGeneration: "<tool" });
  expect(classifyFailure(failure)).toMatchObject({ action: "retry", endpoint: "same" });
});

describe("what is refused for good", () => {
  test.each([
    ["unauthorized", status(401)],
    ["unauthorized", status(403)],
    ["not_found", status(404)],
    [
      "not_found",
      status(
        400,
        "/chat/completions: Invalid model name passed in model=x. Call `/v1/models` to view available models",
        {
          code: "400 invalid_request_error",
        },
      ),
    ],
    [
      "unsupported_field",
      status(400, '"auto" tool choice requires --enable-auto-tool-choice and --tool-call-parser to be set'),
    ],
    [
      "unsupported_field",
      status(400, "Unrecognized request argument supplied: strict", { param: "tools[0].function.strict" }),
    ],
    ["unsupported_field", status(422, "tools.0.function.strict: Extra inputs are not permitted")],
    ["invalid_request", status(400, "temperature must be non-negative")],
    ["invalid_request", status(418)],
  ])("as %s", (kind, failure) => {
    expect(classifyFailure(failure)).toMatchObject({ action: "refused", kind });
  });
});

describe("the wait between tries", () => {
  test("doubles from half a second to half a minute, with 30 % of jitter", () => {
    expect([0, 1, 2, 6, 7, 50].map((tryIndex) => backoffMs(tryIndex, 0.5))).toEqual([
      500, 1_000, 2_000, 30_000, 30_000, 30_000,
    ]);
    expect(backoffMs(0, 0)).toBe(350);
    expect(backoffMs(7, 1)).toBe(39_000);
  });

  test("is never shorter than the server asked for, up to five minutes", () => {
    expect(backoffMs(0, 0.5, 8_000)).toBe(8_000);
    expect(backoffMs(0, 0.5, 86_400_000)).toBe(300_000);
  });

  test.each([
    ["3", 3_000],
    ["Thu, 01 Jan 1970 00:00:05 GMT", 4_000],
    ["soon", undefined],
  ])("reads Retry-After %j", (value, expected) => {
    expect(readRetryAfter(new Headers({ "retry-after": value }), 1_000)).toBe(expected);
  });

  test("has no Retry-After where none was sent", () => {
    expect(readRetryAfter(undefined, 0)).toBeUndefined();
  });
});
