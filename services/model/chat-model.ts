import { randomBytes } from "node:crypto";
import type { Logger } from "../platform/telemetry/log.ts";
import type { ChatModel, ChatReply, ChatRequest, ModelTraits, TokenCounter } from "./chat.ts";
import { type ChatCore, chatUntilAnswered } from "./chat-tries.ts";
import { linkSignals } from "./link-signals.ts";
import { createAdmission } from "./pool/admission.ts";
import { createEndpointPool, type EndpointPool, type EndpointSnapshot, hostOf } from "./pool/endpoint-pool.ts";
import { createEffortCounts, type EffortFigures } from "./profile/effort-counts.ts";
import { createLadder } from "./profile/ladder.ts";
import { profileOf } from "./profile/model-profile.ts";
import { createServerLimits } from "./profile/server-limits.ts";
import { type BackoffLimits, defaultBackoff } from "./retry.ts";
import { createHttpTransport } from "./stream/http-transport.ts";
import { createOpenAiChat, type OpenAiChat } from "./stream/openai-chat.ts";
import { type ModelClock, systemModelClock } from "./stream/watchdog.ts";
import { normalizeAnswers } from "./stream/whole-answer.ts";
import { createServerTokens, type ServerTokens } from "./tokens/server-tokens.ts";
import { createWaitingFlag } from "./waiting-flag.ts";

/** One server that speaks Chat Completions. */
export interface ModelEndpoint {
  /** Up to and with `/v1`, for example `http://127.0.0.1:8000/v1`. */
  readonly baseUrl: string;
  readonly apiKey?: string;
}

/** What a pool needs. */
export interface ChatModelDeps {
  /** At least one. */
  readonly endpoints: readonly ModelEndpoint[];
  readonly model: string;
  /** Name of a built-in profile, instead of the one that the model's name suggests. */
  readonly profile?: string;
  /** Requests in flight at once over all endpoints; more wait in order. Default 256. */
  readonly requestsMax?: number;
  /** Until the first output, queueing in the engine included. Default 10 minutes. */
  readonly firstTokenTimeoutMs?: number;
  /** Between two chunks after that. Default 2 minutes. */
  readonly gapTimeoutMs?: number;
  /** Default 10 s. */
  readonly connectTimeoutMs?: number;
  /** Waits between tries. Default 0.5 s doubling to 30 s. */
  readonly backoff?: BackoffLimits;
  readonly clock?: ModelClock;
  /** In [0, 1); for jitter only. */
  readonly random?: () => number;
  readonly log: Logger;
}

/** The pool's state now, for heartbeats and metrics. */
export interface ChatModelSnapshot {
  readonly inFlight: number;
  /** Chats that wait for a permit or for an engine that is down or overloaded; not those that wait for their first output. */
  readonly waiting: number;
  readonly endpoints: readonly EndpointSnapshot[];
  /** Set while no endpoint answers: which, and what the last request saw. */
  readonly engineMessage?: string;
  /** How calls were got out of the model, by rung of the ladder, and what was thrown away. */
  readonly efforts: EffortFigures;
}

/** A pool of endpoints with its state; closing it ends the chats that run. */
export interface ChatModelPool extends ChatModel, TokenCounter, AsyncDisposable {
  /** What the model's profile says to whoever prompts it. */
  readonly traits: ModelTraits;
  snapshot(): ChatModelSnapshot;
  /** To be told that the endpoint at `baseUrl` answered another question: who waits for it because it took no connection goes on. */
  noteReachable(baseUrl: string): void;
  close(): Promise<void>;
}

/**
 * Creates the pool. See {@link ChatModel} for what `chat` promises.
 *
 * `onWaiting` is true while a chat waits for a permit, while the engine is down or overloaded, and until the first output of an
 * answer: nobody outside can tell a full engine's queue from a slow prefill. It is false while an answer comes in, and from a broken
 * answer until the next try. Once `firstTokenTimeoutMs` ran out, silence no longer counts as waiting as long as the pool answers
 * others: then it is this request that the engine cannot answer, and the caller's own wall limit ends it.
 * @throws RangeError without an endpoint, or for a profile that does not exist.
 */
export function createChatModel(deps: ChatModelDeps): ChatModelPool {
  if (deps.endpoints.length === 0) throw new RangeError("a model pool needs at least one endpoint");
  const profile = profileOf(deps.model, deps.profile);
  const clock = deps.clock ?? systemModelClock;
  const admission = createAdmission(deps.requestsMax ?? 256);
  const transport = createHttpTransport({ connectTimeoutMs: deps.connectTimeoutMs ?? 10_000 });
  const pool = createEndpointPool({ urls: deps.endpoints.map((e) => e.baseUrl), now: clock.now, log: deps.log });
  const efforts = createEffortCounts();
  const ladder = createLadder({
    first: profile.firstRung,
    now: clock.now,
    onStart: (rung, why) => deps.log.info({ model: deps.model, rung, why }, "tools are asked for in another way"),
  });
  const chats = new Map<string, OpenAiChat>();
  for (const endpoint of deps.endpoints) {
    chats.set(endpoint.baseUrl, createEndpointChat(endpoint, { deps, profile, clock, fetch: transport.fetch }));
  }
  const tokens = createServerTokens({
    endpoints: deps.endpoints,
    model: deps.model,
    profile,
    fetch: transport.fetch,
    clock,
    urlFor: (key) => pool.preferred(key),
  });
  const closing = new AbortController();
  let waitingCount = 0;
  const core: ChatCore = {
    clock,
    random: deps.random ?? Math.random,
    backoff: deps.backoff ?? defaultBackoff,
    log: deps.log,
    secrets: deps.endpoints.map((endpoint) => endpoint.apiKey).filter((key) => key !== undefined),
    model: deps.model,
    acquire: admission.acquire,
    pool,
    ladder,
    efforts,
    chatAt: (url) => chats.get(url),
  };
  const close = async () => {
    closing.abort(new Error("the model client is closed"));
    transport.close();
  };
  return {
    traits: { editStyle: profile.editStyle, hasParallelCalls: profile.hasParallelCalls },
    async chat(request, signal) {
      const linked = linkSignals(signal, closing.signal);
      const waiting = createWaitingFlag(request.onWaiting, (change) => (waitingCount += change));
      try {
        return withUsage(tokens, request, await chatUntilAnswered(core, request, waiting, linked.signal));
      } finally {
        waiting.set({ isHeldUp: false, isUnanswered: false });
        linked.unlink();
      }
    },
    ...withClosing(tokens, closing.signal),
    snapshot: () => ({
      inFlight: admission.inUse,
      waiting: waitingCount,
      ...describeEndpoints(pool),
      efforts: efforts.snapshot(),
    }),
    noteReachable: (baseUrl) => pool.reportReachable(baseUrl),
    close,
    [Symbol.asyncDispose]: close,
  };
}

function withUsage(tokens: ServerTokens, request: ChatRequest, reply: ChatReply): ChatReply {
  const { inputTokens, outputTokens } = reply.usage;
  // The caller's limit of tokens has to hold on a server that counts nothing, too.
  if (inputTokens + outputTokens === 0) return { ...reply, usage: tokens.guessUsage(request, reply) };
  tokens.learn(request, reply.usage);
  return reply;
}

function describeEndpoints(pool: EndpointPool): Pick<ChatModelSnapshot, "endpoints" | "engineMessage"> {
  const endpoints = pool.snapshot();
  if (pool.hasHealthy) return { endpoints };
  const causes = endpoints.map(({ url, lastError }) => `${hostOf(url)}: ${lastError ?? "no answer"}`);
  return { endpoints, engineMessage: `no model endpoint answers (${causes.join("; ")})` };
}

interface EndpointParts {
  readonly deps: ChatModelDeps;
  readonly profile: ReturnType<typeof profileOf>;
  readonly clock: ModelClock;
  readonly fetch: ReturnType<typeof createHttpTransport>["fetch"];
}

function createEndpointChat({ baseUrl, apiKey }: ModelEndpoint, { deps, profile, clock, fetch }: EndpointParts) {
  const endpoint = hostOf(baseUrl);
  return createOpenAiChat({
    baseUrl,
    ...(apiKey === undefined ? {} : { apiKey }),
    model: deps.model,
    profile,
    limits: createServerLimits({
      now: clock.now,
      onRefused: (feature, message) => {
        const cause = apiKey === undefined ? message : message.replaceAll(apiKey, "[redacted]");
        deps.log.warn({ endpoint, feature, cause }, "model endpoint refuses a field; it is left out from now on");
      },
    }),
    fetch: normalizeAnswers(fetch),
    firstTokenTimeoutMs: deps.firstTokenTimeoutMs ?? 600_000,
    gapTimeoutMs: deps.gapTimeoutMs ?? 120_000,
    clock,
    // Nine characters of [a-z0-9] are the only ids that Mistral's template takes.
    newId: () => `c${randomBytes(4).toString("hex")}`,
  });
}

/** The counting of tokens, ended by the close of the pool as well. */
function withClosing(tokens: ServerTokens, closing: AbortSignal): TokenCounter {
  const within = async <T>(signal: AbortSignal, run: (signal: AbortSignal) => Promise<T>): Promise<T> => {
    const linked = linkSignals(signal, closing);
    try {
      return await run(linked.signal);
    } finally {
      linked.unlink();
    }
  };
  return {
    countTokens: (prompt, signal) => within(signal, (linked) => tokens.countTokens(prompt, linked)),
    contextTokensMax: (signal) => within(signal, (linked) => tokens.contextTokensMax(linked)),
  };
}
