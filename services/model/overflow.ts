import type { ChatFailure } from "./chat-failure.ts";

/** Token figures of a context overflow, as far as the server's text holds them. */
export interface Overflow {
  readonly contextTokensMax?: number;
  readonly inputTokens?: number;
}

/** Parameters that vLLM names in a context overflow (`vllm/renderers/params.py`). */
const overflowParams = new Set(["input_tokens", "input_text"]);

/** vLLM's five texts by version, then OpenAI, llama.cpp, SGLang, TGI, Mistral, LiteLLM, Anthropic, Gemini and LM Studio. */
const overflowTexts = [
  /maximum context length/i,
  /context length is only/i,
  /cannot be greater than max_model_len|max_(?:completion_)?tokens\b.*cannot be greater than/i,
  /context_length_exceeded|exceed_context_size/i,
  /exceeds? the (?:available )?context (?:size|length|window)/i,
  /exceeds? (?:the )?(?:configured limit of \d+ tokens|context limit)/i,
  /longer than the model'?s context length/i,
  /inputs`? (?:tokens \+ `?max_new_tokens`? must be <=|must have less than) ?\d+/i,
  /too large for model with \d+ maximum context/i,
  /ContextWindowExceeded/i,
  /prompt is too long/i,
  /input token count.*exceeds/i,
  /greater than the context length/i,
];

const windowFigures = [
  /context length (?:is(?: only)?|of) (\d+)/i,
  /max_model_len ?=? ?(\d+)/i,
  /configured limit of (\d+)/i,
  /model'?s context length \((\d+)/i,
  /must be <= ?(\d+)/i,
  /must have less than (\d+)/i,
  /with (\d+) maximum context/i,
  /tokens? > (\d+)/i,
  /maximum number of tokens allowed \((\d+)/i,
  /context (?:size|window)\D{0,20}(\d+)/i,
];

const inputFigures = [
  /(\d+) in the messages/i,
  /(\d+) tokens from the input/i,
  /messages resulted in (\d+)/i,
  /(?:request has|passed) (?:at least )?(\d+) input tokens/i,
  /prompt contains (?:at least )?(\d+) (?:input )?tokens/i, // vLLM 0.32, Mistral
  /input (?:is|has) (\d+) tokens/i,
  /(?:input|request) \((\d+) tokens/i,
  /Given: (\d+)/i,
  /too long: (\d+) tokens/i,
  /input token count \((\d+)/i,
];

/** The figures when a refusal is about the context's length, else undefined. */
export function readOverflow(failure: Extract<ChatFailure, { kind: "status" }>): Overflow | undefined {
  // Some servers answer 500, and an error inside a stream may have any code.
  if (![400, 413, 422, 500].includes(failure.status)) return undefined;
  const text = `${failure.code ?? ""} ${failure.message}`;
  const isNamed = failure.param !== undefined && overflowParams.has(failure.param);
  if (!isNamed && !overflowTexts.some((pattern) => pattern.test(text))) return undefined;
  const contextTokensMax = readFigure(text, windowFigures);
  const inputTokens = readFigure(text, inputFigures);
  return {
    ...(contextTokensMax === undefined ? {} : { contextTokensMax }),
    ...(inputTokens === undefined ? {} : { inputTokens }),
  };
}

function readFigure(text: string, patterns: readonly RegExp[]): number | undefined {
  for (const pattern of patterns) {
    const digits = pattern.exec(text)?.[1];
    if (digits !== undefined && digits.length < 12) return Number(digits);
  }
  return undefined;
}
