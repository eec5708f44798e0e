import { randomBytes } from "node:crypto";
import { AgentdError } from "../core/errors.ts";
import type { Logger } from "../platform/telemetry/log.ts";
import type { ChatModel, ChatReply, ChatRequest } from "./chat.ts";
import { createAdmission } from "./pool/admission.ts";
import { createEndpointPool, type EndpointSnapshot } from "./pool/endpoint-pool.ts";
import { toRefusal } from "./refusal.ts";
import {
  type BackoffLimits,
  backoffMs,
  type ChatFailure,
  classifyFailure,
  defaultBackoff,
  type Verdict,
} from "./retry.ts";
import type { AssembledReply } from "./stream/assemble-reply.ts";
import { createHttpTransport } from "./stream/http-transport.ts";
import { createOpenAiChat, type ModelClock, type OpenAiChat, systemModelClock } from "./stream/openai-chat.ts";
import { normalizeAnswers } from "./stream/whole-answer.ts";

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
}

/** A pool of endpoints with its state; closing it ends the chats that run. */
export interface ChatModelPool extends ChatModel, AsyncDisposable {
  snapshot(): ChatModelSnapshot;
  close(): Promise<void>;
}

const emptyRepliesMax = 3;
// One to get below the window, one more when the server then says how long the prompt is.
const shorteningsMax = 2;
// Below this a shortened answer is of no use, and the caller should know that the conversation is too long.
const outputTokensFloor = 256;
// The server's count of the prompt and its limit may differ by a few template tokens.
const overflowMarginTokens = 32;

/**
 * Creates the pool. See {@link ChatModel} for what `chat` promises.
 *
 * `onWaiting` is true while a chat waits for a permit, while the engine is down or overloaded, and until the first output of an
 * answer: nobody outside can tell a full engine's queue from a slow prefill. It is false while an answer comes in, and from a broken
 * answer until the next try. Once `firstTokenTimeoutMs` ran out, silence no longer counts as waiting as long as the pool answers
 * others: then it is this request that the engine cannot answer, and the caller's own wall limit ends it.
 */
export function createChatModel(deps: ChatModelDeps): ChatModelPool {
  if (deps.endpoints.length === 0) throw new RangeError("a model pool needs at least one endpoint");
  const clock = deps.clock ?? systemModelClock;
  const admission = createAdmission(deps.requestsMax ?? 256);
  const transport = createHttpTransport({ connectTimeoutMs: deps.connectTimeoutMs ?? 10_000 });
  const pool = createEndpointPool({ urls: deps.endpoints.map((e) => e.baseUrl), now: clock.now, log: deps.log });
  const chats = new Map<string, OpenAiChat>();
  for (const { baseUrl, apiKey } of deps.endpoints) {
    const chat = createOpenAiChat({
      baseUrl,
      ...(apiKey === undefined ? {} : { apiKey }),
      model: deps.model,
      fetch: normalizeAnswers(transport.fetch),
      firstTokenTimeoutMs: deps.firstTokenTimeoutMs ?? 600_000,
      gapTimeoutMs: deps.gapTimeoutMs ?? 120_000,
      clock,
      // Nine characters of [a-z0-9] are the only ids that Mistral's template takes.
      newId: () => `c${randomBytes(4).toString("hex")}`,
    });
    chats.set(baseUrl, chat);
  }
  const closing = new AbortController();
  let waitingCount = 0;

  const secrets = deps.endpoints.map((endpoint) => endpoint.apiKey).filter((key) => key !== undefined);
  const core: ChatCore = {
    clock,
    random: deps.random ?? Math.random,
    backoff: deps.backoff ?? defaultBackoff,
    log: deps.log,
    secrets,
    model: deps.model,
    acquire: admission.acquire,
    pool,
    chatAt: (url) => chats.get(url),
    countWaiting: (change) => {
      waitingCount += change;
    },
  };

  const close = async () => {
    closing.abort(new Error("the model client is closed"));
    transport.close();
  };
  return {
    async chat(request, signal) {
      const linked = linkSignals(signal, closing.signal);
      const waiting = createWaitingFlag(request.onWaiting, core.countWaiting);
      try {
        return await chatUntilAnswered(core, request, waiting, linked.signal);
      } finally {
        waiting.set({ isHeldUp: false, isUnanswered: false });
        linked.unlink();
      }
    },
    snapshot() {
      const endpoints = pool.snapshot();
      const causes = endpoints.map(({ url, lastError }) => `${hostOf(url)}: ${lastError ?? "no answer"}`);
      const engineMessage = pool.hasHealthy ? undefined : `no model endpoint answers (${causes.join("; ")})`;
      return {
        inFlight: admission.inUse,
        waiting: waitingCount,
        endpoints,
        ...(engineMessage === undefined ? {} : { engineMessage }),
      };
    },
    close,
    [Symbol.asyncDispose]: close,
  };
}

interface ChatCore {
  readonly clock: ModelClock;
  readonly random: () => number;
  readonly backoff: BackoffLimits;
  readonly log: Logger;
  readonly secrets: readonly string[];
  readonly model: string;
  readonly acquire: ReturnType<typeof createAdmission>["acquire"];
  readonly pool: ReturnType<typeof createEndpointPool>;
  readonly chatAt: (url: string) => OpenAiChat | undefined;
  readonly countWaiting: (change: number) => void;
}

type Retry = Extract<Verdict, { action: "retry" }>;

async function chatUntilAnswered(
  core: ChatCore,
  request: ChatRequest,
  waiting: WaitingFlag,
  signal: AbortSignal,
): Promise<ChatReply> {
  let current = request;
  let avoid: string | undefined;
  let emptyReplies = 0;
  let shortenings = 0;
  let isEngineTrouble = false;
  let hasStalled = false;
  for (let tryIndex = 0; ; tryIndex += 1) {
    const release = await core.acquire(signal, () => {
      waiting.set({ isHeldUp: true, isUnanswered: false });
    });
    waiting.set({ isHeldUp: isEngineTrouble, isUnanswered: !hasStalled });
    const { url, done } = core.pool.pick(request.affinityKey, tryIndex, avoid);
    let failure: ChatFailure;
    try {
      const onOutput = () => {
        waiting.set({ isHeldUp: false, isUnanswered: false });
        core.pool.reportAnswer(url);
      };
      const result = await runTry(core, url, current, onOutput, signal);
      if (result.ok && (!isEmpty(result.reply) || emptyReplies + 1 >= emptyRepliesMax)) {
        core.pool.reportAnswer(url);
        return toReply(result.reply, url);
      }
      emptyReplies += result.ok ? 1 : 0;
      failure = result.ok ? { kind: "emptyReply", message: "an answer without text or call" } : result.failure;
    } finally {
      done();
      release();
    }
    const verdict = classifyFailure(failure);
    if (verdict.action === "refused") {
      core.pool.reportAnswer(url);
      shortenings += 1;
      const shorter = shortenings <= shorteningsMax ? shortenAnswer(current, verdict) : undefined;
      if (shorter === undefined) {
        throw toRefusal({ failure, verdict, host: hostOf(url), model: core.model, secrets: core.secrets });
      }
      current = shorter;
      continue;
    }
    noteFailure(core, url, failure, verdict);
    avoid = verdict.endpoint === "other" ? url : undefined;
    isEngineTrouble = verdict.isEngineTrouble || !core.pool.hasHealthy;
    hasStalled ||= failure.kind === "firstTokenTimeout";
    waiting.set({ isHeldUp: isEngineTrouble, isUnanswered: false });
    const delayMs = backoffMs(tryIndex, core.random(), verdict.retryAfterMs, core.backoff);
    core.log.debug({ endpoint: url, tryIndex, delayMs, cause: failure.message }, "model request is tried again");
    await sleep(core, delayMs, verdict.isEndpointDown, signal);
  }
}

async function runTry(
  core: ChatCore,
  url: string,
  request: ChatRequest,
  onOutput: () => void,
  signal: AbortSignal,
): ReturnType<OpenAiChat["run"]> {
  const chat = core.chatAt(url);
  if (chat === undefined) throw new AgentdError("INTERNAL", `no adapter for the endpoint ${hostOf(url)}`);
  return await chat.run(request, onOutput, signal);
}

/** 429 and 503 say that the endpoint lives; an empty reply does so too. */
function noteFailure(core: ChatCore, url: string, failure: ChatFailure, verdict: Retry): void {
  const isOverload = failure.kind === "status" && verdict.isEngineTrouble && !verdict.isEndpointDown;
  if (failure.kind === "emptyReply" || isOverload) return;
  core.pool.reportFailure(url, failure.message, verdict.isEndpointDown);
}

function isEmpty(reply: AssembledReply): boolean {
  return reply.content.trim() === "" && reply.toolCalls.length === 0 && !reply.isTruncated;
}

/** When only the wished-for answer is too long for the window, a shorter one still fits. */
function shortenAnswer(
  request: ChatRequest,
  verdict: Extract<Verdict, { action: "refused" }>,
): ChatRequest | undefined {
  const { contextTokensMax, inputTokens } = verdict.overflow ?? {};
  if (contextTokensMax === undefined) return undefined;
  // vLLM names no prompt length when the cap alone exceeds the window.
  const left = contextTokensMax - (inputTokens === undefined ? 1 : inputTokens + overflowMarginTokens);
  return left >= outputTokensFloor && left < request.outputTokensMax
    ? { ...request, outputTokensMax: left }
    : undefined;
}

function toReply(reply: AssembledReply, url: string): ChatReply {
  const { content, reasoning, toolCalls, isTruncated, usage, cutReason } = reply;
  const cut = cutReason === undefined ? {} : { cutReason };
  return { content, reasoning, toolCalls, isTruncated, usage, endpoint: hostOf(url), ...cut };
}

/** Waits for `delayMs`; where the endpoint was down, its recovery ends the wait early. */
async function sleep(core: ChatCore, delayMs: number, wakesOnRecovery: boolean, signal: AbortSignal): Promise<void> {
  signal.throwIfAborted();
  await new Promise<void>((resolve, reject) => {
    const stops: (() => void)[] = [];
    const settle = (end: () => void) => () => {
      for (const stop of stops) stop();
      end();
    };
    const onAbort = settle(() => {
      reject(signal.reason);
    });
    signal.addEventListener("abort", onAbort, { once: true });
    stops.push(() => {
      signal.removeEventListener("abort", onAbort);
    });
    stops.push(core.clock.after(delayMs, settle(resolve)));
    if (wakesOnRecovery) stops.push(core.pool.onRecovery(settle(resolve)));
  });
}

interface WaitingState {
  /** By a permit, or an engine that is down or overloaded: these are counted. */
  readonly isHeldUp: boolean;
  /** An endpoint has the request and has sent nothing yet. */
  readonly isUnanswered: boolean;
}

interface WaitingFlag {
  set(state: WaitingState): void;
}

function createWaitingFlag(
  onWaiting: ((isWaiting: boolean) => void) | undefined,
  count: (change: number) => void,
): WaitingFlag {
  let isCounted = false;
  let isWaiting = false;
  return {
    set({ isHeldUp, isUnanswered }) {
      if (isHeldUp !== isCounted) {
        isCounted = isHeldUp;
        count(isHeldUp ? 1 : -1);
      }
      if ((isHeldUp || isUnanswered) === isWaiting) return;
      isWaiting = !isWaiting;
      onWaiting?.(isWaiting);
    },
  };
}

/** One signal of two without AbortSignal.any, whose dependents stay referenced by a long-lived source. */
function linkSignals(a: AbortSignal, b: AbortSignal): { readonly signal: AbortSignal; readonly unlink: () => void } {
  const controller = new AbortController();
  const onA = () => {
    controller.abort(a.reason);
  };
  const onB = () => {
    controller.abort(b.reason);
  };
  if (a.aborted) onA();
  else if (b.aborted) onB();
  a.addEventListener("abort", onA, { once: true });
  b.addEventListener("abort", onB, { once: true });
  const unlink = () => {
    a.removeEventListener("abort", onA);
    b.removeEventListener("abort", onB);
  };
  return { signal: controller.signal, unlink };
}

function hostOf(url: string): string {
  return URL.canParse(url) ? new URL(url).host : url;
}
