import type { ChatModel, ChatReply, ChatRequest, TokenCounter } from "../model/chat.ts";
import { charsOf } from "./context/shorten.ts";

/** What a test lets the model answer: a reply's interesting fields, or a function that may wait or throw. */
export type ScriptStep =
  | Partial<ChatReply>
  | ((request: ChatRequest, signal: AbortSignal) => Promise<Partial<ChatReply>>);

/** A ChatModel for tests that answers from a script, and repeats its last step when the script is over. */
export function scriptedModel(...script: readonly ScriptStep[]): ChatModel & { readonly requests: ChatRequest[] } {
  const requests: ChatRequest[] = [];
  return {
    requests,
    async chat(request, signal) {
      signal.throwIfAborted();
      requests.push(request);
      const step = script[Math.min(requests.length, script.length) - 1] ?? {};
      const reply = typeof step === "function" ? await step(request, signal) : step;
      return {
        content: "",
        reasoning: "",
        toolCalls: [],
        isTruncated: false,
        usage: { inputTokens: 100, cachedTokens: 80, outputTokens: 10 },
        endpoint: "model:8000",
        ...reply,
      };
    },
  };
}

/** A reply that makes these calls; arguments that are no string are written as JSON. */
export function calls(...made: readonly (readonly [name: string, args: unknown])[]): Partial<ChatReply> {
  return {
    toolCalls: made.map(([name, args], index) => ({
      id: `id-${index}`,
      name,
      arguments: typeof args === "string" ? args : JSON.stringify(args),
    })),
  };
}

/** A counter for tests: a token is four characters of what is sent. */
export function fixedWindow(contextTokensMax: number): TokenCounter {
  return {
    countTokens: async ({ messages }) => ({ tokens: Math.ceil(charsOf(messages) / 4), isExact: true }),
    contextTokensMax: async () => contextTokensMax,
  };
}
