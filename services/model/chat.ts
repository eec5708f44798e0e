/** One function the model may call, in the OpenAI wire shape; always sent with `strict: true`. */
export interface ToolSchema {
  readonly name: string;
  readonly description: string;
  /** JSON Schema of the arguments: `additionalProperties: false`, every property required, optional ones nullable. */
  readonly parameters: Readonly<Record<string, unknown>>;
}

/** A call as the model wrote it. `arguments` is the raw text: the caller parses and checks it against the schema. */
export interface ToolCall {
  readonly id: string;
  readonly name: string;
  readonly arguments: string;
  /** Set when the call must not be run although it may look valid: what to tell the model instead. */
  readonly problem?: string;
}

/** One message of a conversation, in the order it is sent. */
export type ChatMessage =
  | { readonly role: "system"; readonly content: string }
  | { readonly role: "user"; readonly content: string }
  | {
      readonly role: "assistant";
      readonly content: string;
      readonly reasoning?: string;
      readonly toolCalls?: readonly ToolCall[];
    }
  | { readonly role: "tool"; readonly toolCallId: string; readonly content: string };

/** Tokens as the server counted them; a model pool estimates them by length where it did not say. */
export interface ChatUsage {
  readonly inputTokens: number;
  /** Part of `inputTokens` that came from the prefix cache. */
  readonly cachedTokens: number;
  readonly outputTokens: number;
}

/** Nothing asked yet. */
export const noChatUsage: ChatUsage = { inputTokens: 0, cachedTokens: 0, outputTokens: 0 };

/** The tokens of both. */
export function addChatUsage(a: ChatUsage, b: ChatUsage): ChatUsage {
  return {
    inputTokens: a.inputTokens + b.inputTokens,
    cachedTokens: a.cachedTokens + b.cachedTokens,
    outputTokens: a.outputTokens + b.outputTokens,
  };
}

/** A piece of an answer while it comes in. */
export interface ChatDelta {
  readonly kind: "content" | "reasoning" | "arguments";
  readonly text: string;
}

/** What one model call needs. */
export interface ChatRequest {
  readonly messages: readonly ChatMessage[];
  readonly tools: readonly ToolSchema[];
  readonly toolChoice: "auto" | "required";
  /** Explicit output cap in tokens: without one a looping agent holds a slot for the whole window. */
  readonly outputTokensMax: number;
  /** Stable key of the task: the same key goes to the same endpoint while it is healthy (prefix cache). */
  readonly affinityKey: string;
  /** W3C trace context header value, sent to the engine as it is. */
  readonly traceparent?: string;
  /**
   * Called when the call starts to wait for (true) and stops waiting for (false) the engine, its first output included: wall-time
   * limits stand still meanwhile.
   */
  readonly onWaiting?: (isWaiting: boolean) => void;
  /** Called after each try that failed while the call goes on, with what was wrong, in words that hold no key. */
  readonly onFailure?: (message: string) => void;
  /**
   * Sees each piece of the answer as it comes; a returned text cuts the stream at once and frees the engine's slot. The reply then has
   * no calls, and that text as its `cutReason`.
   */
  readonly onDelta?: (delta: ChatDelta) => string | undefined;
}

/** How tools were asked for, from the cheapest to the one that works everywhere. */
export type Rung = "auto" | "required" | "envelope" | "text";

/** What it took to get the answer, beside the answer itself. */
export interface ReplyEffort {
  readonly rung: Rung;
  /** Calls found in the text or the thoughts instead of in the field made for them. */
  readonly recoveredCalls: number;
  /** What was mended in calls, as short words such as `name` or `json`; each once, sorted. */
  readonly repairs: readonly string[];
  /** Answers that were thrown away before this one (broken, empty), their tokens as far as the server told, and the time they took. */
  readonly discardedReplies: number;
  readonly discardedTokens: number;
  readonly discardedMs: number;
}

/** One finished answer. Calls cut by the output cap are never in `toolCalls`. */
export interface ChatReply {
  readonly content: string;
  readonly reasoning: string;
  readonly toolCalls: readonly ToolCall[];
  /** True when the output cap or a broken stream cut the answer: its text must not be taken as whole. */
  readonly isTruncated: boolean;
  readonly usage: ChatUsage;
  /** Host and port of the endpoint that answered, for traces. */
  readonly endpoint: string;
  /** Set when the request's `onDelta` cut the answer: the text that it gave. */
  readonly cutReason?: string;
  readonly effort?: ReplyEffort;
}

/**
 * A pool of model endpoints that answers chats.
 *
 * Retries, time-outs and admission are inside: an engine that is down or overloaded makes `chat` wait (see `onWaiting`), not fail.
 * @throws AgentdError CONTEXT_OVERFLOW when the conversation does not fit into the model's window: shorten it and ask again. Its
 * metadata holds `contextTokensMax` and `inputTokens` where the server told them.
 * @throws AgentdError MODEL_REFUSED when the server refuses the request for good (4xx other than 408, 409, 425, 429).
 * @throws the signal's reason when aborted; the socket is closed by then.
 */
export interface ChatModel {
  chat(request: ChatRequest, signal: AbortSignal): Promise<ChatReply>;
}

/** How long a prompt is. */
export interface TokenCount {
  readonly tokens: number;
  /** True when the server's own tokenizer counted, chat template and tools included; else it is an estimate from earlier answers. */
  readonly isExact: boolean;
}

/** Counts prompts before they are sent, for a conversation that must stay below the model's window. */
export interface TokenCounter {
  /**
   * Tokens of the prompt as the server would see it. Never fails: without a server that counts, the figure is estimated.
   * @throws the signal's reason when aborted.
   */
  countTokens(
    prompt: Pick<ChatRequest, "messages" | "tools" | "affinityKey">,
    signal: AbortSignal,
  ): Promise<TokenCount>;
  /** The model's window in tokens, prompt and answer together; what the server says, else the profile's default. */
  contextTokensMax(signal: AbortSignal): Promise<number>;
}

/** What is known of a model and matters to whoever prompts it. */
export interface ModelTraits {
  /** The edit tool that the model was trained on. */
  readonly editStyle: "edit" | "apply_patch";
  /** Whether it may be told that several calls fit into one answer. */
  readonly hasParallelCalls: boolean;
}
