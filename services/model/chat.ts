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

/** Tokens as the server counted them; zero where it did not say. */
export interface ChatUsage {
  readonly inputTokens: number;
  /** Part of `inputTokens` that came from the prefix cache. */
  readonly cachedTokens: number;
  readonly outputTokens: number;
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
}

/**
 * A pool of model endpoints that answers chats.
 *
 * Retries, time-outs and admission are inside: an engine that is down or overloaded makes `chat` wait (see `onWaiting`), not fail.
 * @throws AgentdError MODEL_REFUSED when the server refuses the request for good (4xx other than 408, 409, 425, 429).
 * @throws the signal's reason when aborted; the socket is closed by then.
 */
export interface ChatModel {
  chat(request: ChatRequest, signal: AbortSignal): Promise<ChatReply>;
}
