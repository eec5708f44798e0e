import { setNewest } from "../../core/set-newest.ts";
import type { ChatMessage, ChatReply, ChatRequest, ChatUsage, TokenCount } from "../chat.ts";
import { asRecord } from "../recovery/json-text.ts";
import type { ServerQuery } from "./server-query.ts";

/** A prompt as it is counted. */
export type CountedPrompt = Pick<ChatRequest, "messages" | "tools" | "affinityKey">;

/** Counts the prompts of one model. */
export interface PromptCounter {
  /** See `TokenCounter.countTokens` in `chat.ts`. */
  count(prompt: CountedPrompt, query: ServerQuery, contextTokensMax: number, signal: AbortSignal): Promise<TokenCount>;
  /** Learns from an answer: what the server counted for its prompt. */
  learn(prompt: CountedPrompt, usage: ChatUsage): void;
  /** What an answer cost whose server did not say, by the length of prompt and answer. */
  guessUsage(prompt: CountedPrompt, reply: Pick<ChatReply, "content" | "reasoning" | "toolCalls">): ChatUsage;
}

interface PromptCounterDeps {
  readonly now: () => number;
  /** The body of a tokenize request for a prompt, without anything that is not counted. */
  readonly toBody: (prompt: CountedPrompt) => unknown;
}

/** The start of a conversation whose tokens are known. */
interface Known {
  /** Number of messages, and the last of them: messages are never changed, so it stands for the whole prefix. */
  readonly length: number;
  readonly last: ChatMessage | undefined;
  readonly tokens: number;
  /** Output of the answer that followed it; it is the first message behind the prefix. */
  readonly answerTokens: number;
}

// English prose is near 4 characters a token, code near 3: a guess that is rather too high until an answer has been measured.
const firstRatio = 1 / 3;
const ratioShare = 0.3;
// Role marks of the chat template.
const messageTokens = 5;
/** Below this share of the window nobody needs the exact figure, and a whole prompt need not be sent just to be counted. */
const exactFromShare = 0.4;
// A server without the endpoint is asked again after this time.
const missingForMs = 10 * 60_000;
const conversationsMax = 1_024;

/**
 * Creates the counter of one model. Prefixes are known from the usage of earlier answers, and only what came since is estimated, by the
 * tokens a character measured on this model. From 40 % of the window on the server's `/tokenize` counts the whole prompt, tools and
 * template included, once for each prompt.
 */
export function createPromptCounter(deps: PromptCounterDeps): PromptCounter {
  const known = new Map<string, Known>();
  const missingUntil = new WeakMap<ServerQuery, number>();
  let ratio = firstRatio;

  const remember = (key: string, value: Known) => setNewest(known, key, value, conversationsMax);
  const prefixOf = (prompt: CountedPrompt): Known | undefined => {
    const found = known.get(prompt.affinityKey);
    const isPrefix = found !== undefined && prompt.messages[found.length - 1] === found.last;
    return isPrefix ? found : undefined;
  };
  const estimate = (prompt: CountedPrompt): number => {
    const prefix = prefixOf(prompt);
    const tail = prompt.messages.slice(prefix?.length ?? 0);
    const fresh =
      prefix !== undefined && tail[0]?.role === "assistant" && prefix.answerTokens > 0 ? tail.slice(1) : tail;
    const base = prefix === undefined ? toolCharacters(prompt) * ratio : prefix.tokens;
    const answer = fresh.length < tail.length ? (prefix?.answerTokens ?? 0) : 0;
    return Math.ceil(base + answer + fresh.reduce((sum, message) => sum + tokensOf(message, ratio), 0));
  };

  return {
    async count(prompt, query, contextTokensMax, signal) {
      const prefix = prefixOf(prompt);
      if (prefix !== undefined && prefix.length === prompt.messages.length)
        return { tokens: prefix.tokens, isExact: true };
      const estimated = { tokens: estimate(prompt), isExact: false };
      if (estimated.tokens < contextTokensMax * exactFromShare) return estimated;
      if ((missingUntil.get(query) ?? 0) > deps.now()) return estimated;
      const { status, body } = await query.post("../tokenize", deps.toBody(prompt), signal);
      const count = asRecord(body)?.["count"];
      if (typeof count !== "number" || !(count > 0)) {
        // No answer at all says nothing about the endpoint.
        if (status !== 0 && status !== 429 && status < 500) missingUntil.set(query, deps.now() + missingForMs);
        return estimated;
      }
      remember(prompt.affinityKey, knownOf(prompt, count, 0));
      return { tokens: count, isExact: true };
    },
    learn(prompt, usage) {
      if (usage.inputTokens === 0) return;
      const characters = prompt.messages.reduce((sum, message) => sum + charactersOf(message), toolCharacters(prompt));
      const measured = (usage.inputTokens - messageTokens * prompt.messages.length) / Math.max(1, characters);
      // A server that truncates silently, or counts nothing, must not spoil the ratio.
      if (measured > 0.05 && measured < 2) ratio += (measured - ratio) * ratioShare;
      remember(prompt.affinityKey, knownOf(prompt, usage.inputTokens, usage.outputTokens));
    },
    guessUsage: (prompt, reply) => ({
      inputTokens: estimate(prompt),
      cachedTokens: 0,
      outputTokens: Math.ceil(tokensOf({ role: "assistant", ...reply }, ratio)),
    }),
  };
}

function knownOf(prompt: CountedPrompt, tokens: number, answerTokens: number): Known {
  return { length: prompt.messages.length, last: prompt.messages.at(-1), tokens, answerTokens };
}

function tokensOf(message: ChatMessage, ratio: number): number {
  return charactersOf(message) * ratio + messageTokens;
}

function charactersOf(message: ChatMessage): number {
  if (message.role !== "assistant") return message.content.length;
  const calls = (message.toolCalls ?? []).reduce((sum, call) => sum + call.name.length + call.arguments.length + 32, 0);
  return message.content.length + (message.reasoning?.length ?? 0) + calls;
}

function toolCharacters(prompt: CountedPrompt): number {
  return prompt.tools.reduce((sum, tool) => sum + JSON.stringify(tool).length, 0);
}
