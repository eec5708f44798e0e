import { AgentdError } from "../core/errors.ts";
import type { Logger } from "../platform/telemetry/log.ts";
import type { ChatReply, ChatRequest, ReplyEffort, Rung } from "./chat.ts";
import type { ChatFailure } from "./chat-failure.ts";
import type { Admission } from "./pool/admission.ts";
import { type EndpointPool, type EndpointTrouble, hostOf } from "./pool/endpoint-pool.ts";
import type { EffortCounts } from "./profile/effort-counts.ts";
import { above, higher, type Ladder, type RungVerdict } from "./profile/ladder.ts";
import { redact, toRefusal } from "./refusal.ts";
import { type BackoffLimits, backoffMs, classifyFailure, type Verdict } from "./retry.ts";
import type { AssembledReply } from "./stream/assemble-reply.ts";
import type { OpenAiChat, RungTry } from "./stream/openai-chat.ts";
import type { ModelClock } from "./stream/watchdog.ts";
import type { WaitingFlag } from "./waiting-flag.ts";

/** What the tries of all chats of a pool share. */
export interface ChatCore {
  readonly clock: ModelClock;
  readonly random: () => number;
  readonly backoff: BackoffLimits;
  readonly log: Logger;
  readonly secrets: readonly string[];
  readonly model: string;
  readonly acquire: Admission["acquire"];
  readonly pool: EndpointPool;
  readonly ladder: Ladder;
  readonly efforts: EffortCounts;
  readonly chatAt: (url: string) => OpenAiChat | undefined;
}

type Retry = Extract<Verdict, { action: "retry" }>;

const emptyRepliesMax = 3;
/** Answers of one request that a server's parser broke, until tools are asked for in a way that needs less of it. */
const brokenPerRung = 3;
// One to get below the window, one more when the server then says how long the prompt is.
const shorteningsMax = 2;
// Below this a shortened answer is of no use, and the caller should know that the conversation is too long.
const outputTokensFloor = 256;
// The server's count of the prompt and its limit may differ by a few template tokens.
const overflowMarginTokens = 32;

/**
 * Tries until there is an answer or the server refuses for good.
 * @throws AgentdError CONTEXT_OVERFLOW or MODEL_REFUSED; the signal's reason when aborted.
 */
export async function chatUntilAnswered(
  core: ChatCore,
  request: ChatRequest,
  waiting: WaitingFlag,
  signal: AbortSignal,
): Promise<ChatReply> {
  let current = request;
  let avoid: string | undefined;
  let rung = firstRung(core, request);
  let emptyReplies = 0;
  let brokenReplies = 0;
  let shortenings = 0;
  let isEngineTrouble = false;
  let hasStalled = false;
  const discarded = { discardedReplies: 0, discardedTokens: 0, discardedMs: 0 };
  for (let tryIndex = 0; ; tryIndex += 1) {
    const release = await core.acquire(signal, () => {
      waiting.set({ isHeldUp: true, isUnanswered: false });
    });
    waiting.set({ isHeldUp: isEngineTrouble, isUnanswered: !hasStalled });
    const { url, done } = core.pool.pick(request.affinityKey, tryIndex, avoid);
    const startedAtMs = core.clock.now();
    let failure: ChatFailure;
    let result: RungTry;
    try {
      const onOutput = () => {
        waiting.set({ isHeldUp: false, isUnanswered: false });
        core.pool.reportAnswer(url);
      };
      result = await runTry(core, url, current, rung, onOutput, signal);
      if (result.ok && (!isEmpty(result.reply) || emptyReplies + 1 >= emptyRepliesMax)) {
        core.pool.reportAnswer(url);
        return settle(core, request, result.reply, url, { rung: result.rung, ...discarded });
      }
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
    request.onFailure?.(failureText(failure, core.secrets));
    if (isLostAnswer(failure)) {
      discarded.discardedReplies += 1;
      discarded.discardedTokens += result.ok ? result.reply.usage.outputTokens : 0;
      discarded.discardedMs += core.clock.now() - startedAtMs;
      if (result.ok) emptyReplies += 1;
      else brokenReplies += 1;
      if (request.tools.length > 0) rung = nextRung(result.rung, emptyReplies, brokenReplies);
    }
    avoid = verdict.endpoint === "other" ? url : undefined;
    isEngineTrouble = verdict.isEngineTrouble || !core.pool.hasHealthy;
    hasStalled ||= failure.kind === "firstTokenTimeout";
    waiting.set({ isHeldUp: isEngineTrouble, isUnanswered: false });
    const delayMs = backoffMs(tryIndex, core.random(), verdict.retryAfterMs, core.backoff);
    core.log.debug({ endpoint: url, tryIndex, rung, delayMs, cause: failure.message }, "model request is tried again");
    await sleep(core, delayMs, verdict.isEndpointDown, signal);
  }
}

/** An empty answer is asked for as a call, a second one in another way; a broken one may be bad luck first. */
function nextRung(rung: Rung, emptyReplies: number, brokenReplies: number): Rung {
  if (emptyReplies === 1 && brokenReplies === 0) return higher(rung, "required");
  const climbs = emptyReplies > 1 || (brokenReplies > 0 && brokenReplies % brokenPerRung === 0);
  return climbs ? above(rung) : rung;
}

function firstRung(core: ChatCore, request: ChatRequest): Rung {
  return higher(core.ladder.rungFor(request.affinityKey), request.toolChoice);
}

async function runTry(
  core: ChatCore,
  url: string,
  request: ChatRequest,
  rung: Rung,
  onOutput: () => void,
  signal: AbortSignal,
): Promise<RungTry> {
  const chat = core.chatAt(url);
  if (chat === undefined) throw new AgentdError("INTERNAL", `no adapter for the endpoint ${hostOf(url)}`);
  return await chat.run(request, rung, onOutput, signal);
}

/** An answer that came, or would have come, and that the server's or the model's own form spoilt. */
function isLostAnswer(failure: ChatFailure): boolean {
  if (failure.kind === "brokenStream" || failure.kind === "emptyReply") return true;
  return failure.kind === "status" && (failure.status === 500 || failure.failedGeneration !== undefined);
}

/** One line for people. */
function failureText(failure: ChatFailure, secrets: readonly string[]): string {
  const status = failure.kind === "status" ? `HTTP ${failure.status}: ` : "";
  return `${status}${redact(failure.message, secrets).replace(/\s+/g, " ").trim().slice(0, 300)}`;
}

/** 429 and 503 say that the endpoint lives; an empty reply does so too. */
function noteFailure(core: ChatCore, url: string, failure: ChatFailure, verdict: Retry): void {
  const isOverload = failure.kind === "status" && verdict.isEngineTrouble && !verdict.isEndpointDown;
  if (failure.kind === "emptyReply") return;
  const said = failureText(failure, core.secrets);
  if (isOverload) core.pool.reportOverload(url, said);
  else core.pool.reportFailure(url, said, troubleOf(failure, verdict));
}

function troubleOf(failure: ChatFailure, verdict: Retry): EndpointTrouble {
  if (failure.kind === "connect") return "unreachable";
  return verdict.isEndpointDown ? "down" : "failed";
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

function settle(
  core: ChatCore,
  request: ChatRequest,
  reply: AssembledReply,
  url: string,
  cost: Omit<ReplyEffort, "recoveredCalls" | "repairs">,
): ChatReply {
  const { content, reasoning, toolCalls, isTruncated, usage, cutReason, recoveredCalls, repairs } = reply;
  const effort: ReplyEffort = { ...cost, recoveredCalls, repairs };
  const verdict = judgeReply(request, cost.rung, reply);
  core.ladder.report(request.affinityKey, cost.rung, verdict);
  core.efforts.add(effort, verdict);
  const cut = cutReason === undefined ? {} : { cutReason };
  return { content, reasoning, toolCalls, isTruncated, usage, endpoint: hostOf(url), effort, ...cut };
}

/** What the answer says about its rung: was a call asked for, and did a valid one come? */
function judgeReply(request: ChatRequest, rung: Rung, reply: AssembledReply): RungVerdict {
  if (request.tools.length === 0) return "neutral";
  if (reply.validCalls > 0) return "good";
  if (reply.toolCalls.length > 0) return "bad";
  // llama.cpp with a template that knows no tools drops tools and choice without a word. However such prose ended, nothing forced a call.
  if ((rung === "required" || rung === "envelope") && proseStart.test(reply.content)) return "ignored";
  // Cut before a call could end: that is the cap's fault, or that of whoever cut it.
  return reply.isTruncated || reply.cutReason !== undefined ? "neutral" : "bad";
}

/** No form of a call begins so: not JSON, no mark of any model. */
const proseStart = /^\s*[^\s[{<]/u;

/** Waits for `delayMs`; where the endpoint was down, its recovery ends the wait early. */
async function sleep(core: ChatCore, delayMs: number, wakesOnRecovery: boolean, signal: AbortSignal): Promise<void> {
  signal.throwIfAborted();
  await new Promise<void>((resolve, reject) => {
    const stops: (() => void)[] = [];
    const settleWith = (end: () => void) => () => {
      for (const stop of stops) stop();
      end();
    };
    const onAbort = settleWith(() => {
      reject(signal.reason);
    });
    signal.addEventListener("abort", onAbort, { once: true });
    stops.push(() => {
      signal.removeEventListener("abort", onAbort);
    });
    stops.push(core.clock.after(delayMs, settleWith(resolve)));
    if (wakesOnRecovery) stops.push(core.pool.onRecovery(settleWith(resolve)));
  });
}
