import { isAgentdError } from "../../core/errors.ts";
import type { ChatMessage, ChatModel, ChatReply, ChatRequest, TokenCounter } from "../../model/chat.ts";
import type { Ledger } from "./ledger.ts";
import { charsOf, pruneResults, summarized } from "./shorten.ts";
import { summaryMessage, summaryRequest } from "./summary.ts";

/** How a conversation was made shorter before a turn. */
export interface Compaction {
  /** Old results replaced by stubs, or the whole earlier part by a summary. */
  readonly kind: "prune" | "summary";
  readonly tokensBefore: number;
  readonly tokensAfter: number;
  /** The message that replaces the earlier part; empty for `prune`. */
  readonly summary: string;
  /** Characters that the last turns beside the summary might have; 0 for `prune`. */
  readonly recentChars: number;
}

/** What came of a look at the conversation's length. */
export type Fitting =
  | { readonly kind: "fits" }
  | { readonly kind: "exhausted"; readonly detail: string }
  | {
      readonly kind: "shortened";
      readonly messages: readonly ChatMessage[];
      readonly compaction: Compaction;
      /** The answer that holds the summary; its tokens count. Absent for `prune`. */
      readonly reply?: ChatReply;
    };

/** The next request, before it is sent. */
export interface Upcoming {
  readonly request: ChatRequest;
  /** What the last answer's request and the answer took together, as the server counted; 0 where it did not say. */
  readonly tokensBefore: number;
  /** How many of the request's messages that covers. */
  readonly messagesBefore: number;
  /** The server has refused the request as too long. */
  readonly hasOverflowed: boolean;
}

/** Keeps one attempt's conversation inside the model's window. */
export interface ConversationFitter {
  /**
   * To be asked before each turn.
   * @throws what the model throws for the summary's request, but an overflow; the signal's reason when aborted.
   */
  fit(upcoming: Upcoming, signal: AbortSignal): Promise<Fitting>;
}

/** Share of the window at which a conversation is made shorter (qwen-code: services/chatCompressionService.ts). */
const triggerShare = 0.7;
/** Old results are dropped only if that frees so much at once: each time breaks the prefix cache (opencode: prune). */
const pruneShareMin = 0.15;
/** Share of the window for the last turns beside a summary. */
const recentShare = 0.25;
/** A summary must free at least this share, else it was of no use. */
const gainMin = 0.3;
const summariesMax = 4;
/** Summaries in a row that free less than this end the run: the task does not fit into the window. */
const stalledGain = 0.05;
const stallsMax = 2;
/** Longest answer with a summary, in tokens. */
const summaryTokensMax = 3_000;

/** A fitter for one attempt. */
export function createConversationFitter(deps: {
  readonly model: ChatModel;
  readonly tokens: TokenCounter;
  readonly ledger: Ledger;
  /** Compactions of an earlier life of the attempt, oldest first: they count. */
  readonly past?: readonly Compaction[];
}): ConversationFitter {
  const past = (deps.past ?? []).filter(({ kind }) => kind === "summary");
  let summaries = past.length;
  let stalls = past.reduce((count, compaction) => (isStalled(compaction) ? count + 1 : 0), 0);
  return {
    async fit(upcoming, signal) {
      const { request, hasOverflowed } = upcoming;
      if (!canShorten(request.messages)) return { kind: "fits" };
      const windowTokens = await deps.tokens.contextTokensMax(signal);
      const room = windowTokens * triggerShare;
      if (tokensAtMost(upcoming) < room && !hasOverflowed) return { kind: "fits" };
      const { tokens } = await deps.tokens.countTokens(request, signal);
      if (tokens < room && !hasOverflowed) return { kind: "fits" };
      const tokensPerChar = tokens / Math.max(1, charsOf(request.messages));
      const facts = deps.ledger.facts();
      const needed = facts.filter(({ kind }) => kind === "failing" || kind === "error").map(({ key }) => key);
      const pruned = pruneResults(request.messages, needed);
      const freedTokens = pruned.freedChars * tokensPerChar;
      const isEnough = tokens - freedTokens < room && freedTokens >= windowTokens * pruneShareMin;
      if (isEnough && !hasOverflowed) {
        const tokensAfter = Math.round(tokens - freedTokens);
        const compaction: Compaction = {
          kind: "prune",
          tokensBefore: tokens,
          tokensAfter,
          summary: "",
          recentChars: 0,
        };
        return { kind: "shortened", messages: pruned.messages, compaction };
      }
      if (summaries >= summariesMax || stalls >= stallsMax) {
        const why =
          stalls >= stallsMax ? "summaries free nothing any more" : `${summaries} summaries were made already`;
        return {
          kind: "exhausted",
          detail: `the conversation fills the model's window of ${windowTokens} tokens, and ${why}`,
        };
      }
      summaries += 1;
      const reply = await askForSummary(
        deps.model,
        request,
        hasOverflowed ? pruned.messages : request.messages,
        signal,
      );
      const summary = summaryMessage(reply?.content ?? "", facts);
      const recentChars = (windowTokens * recentShare) / tokensPerChar;
      const taken = shortest(pruned.messages, summary, recentChars, (tokens * (1 - gainMin)) / tokensPerChar);
      const { messages } = taken;
      const tokensAfter = Math.round(charsOf(messages) * tokensPerChar);
      const compaction: Compaction = {
        kind: "summary",
        tokensBefore: tokens,
        tokensAfter,
        summary,
        recentChars: taken.recentChars,
      };
      stalls = isStalled(compaction) ? stalls + 1 : 0;
      return { kind: "shortened", messages, compaction, ...(reply === undefined ? {} : { reply }) };
    },
  };
}

/** The opening alone is what is to be done: nothing of it can be left out, and whether it fits is the server's word. */
export function canShorten(messages: readonly ChatMessage[]): boolean {
  return messages.some(({ role }) => role === "assistant");
}

function isStalled({ tokensBefore, tokensAfter }: Compaction): boolean {
  return tokensAfter > tokensBefore * (1 - stalledGain);
}

/** A bound that asks nobody: a token of what came since is at least one byte. */
function tokensAtMost({ request, tokensBefore, messagesBefore }: Upcoming): number {
  if (tokensBefore === 0) return Number.POSITIVE_INFINITY;
  const since = request.messages.slice(messagesBefore);
  return tokensBefore + since.reduce((bytes, message) => bytes + Buffer.byteLength(message.content) + 16, 0);
}

/** The conversation with as much of its last turns as lets it have at most `charsMax` characters, where that can be. */
function shortest(
  messages: readonly ChatMessage[],
  summary: string,
  recentCharsMax: number,
  charsMax: number,
): { readonly messages: readonly ChatMessage[]; readonly recentChars: number } {
  for (let recentChars = recentCharsMax; recentChars > 500; recentChars /= 2) {
    const shorter = summarized(messages, summary, recentChars);
    if (charsOf(shorter) <= charsMax) return { messages: shorter, recentChars };
  }
  return { messages: summarized(messages, summary, 0), recentChars: 0 };
}

/** The model's summary; undefined where it called a tool instead, or where not even this request fits: the ledger must do then. */
async function askForSummary(
  model: ChatModel,
  request: ChatRequest,
  messages: readonly ChatMessage[],
  signal: AbortSignal,
): Promise<ChatReply | undefined> {
  const asked: ChatMessage[] = [...messages, { role: "user", content: summaryRequest }];
  try {
    return await model.chat(
      {
        ...request,
        messages: asked,
        toolChoice: "auto",
        outputTokensMax: Math.min(summaryTokensMax, request.outputTokensMax),
      },
      signal,
    );
  } catch (error) {
    if (isAgentdError(error, "CONTEXT_OVERFLOW")) return undefined;
    throw error;
  }
}
