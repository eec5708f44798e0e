import { randomUUID } from "node:crypto";
import { decide } from "../brain.ts";
import type { SimConfig } from "../config.ts";
import { readConversation } from "../conversation.ts";
import type { Fault } from "../faults.ts";
import { type CutReply, cutReply } from "../http/reply-stream.ts";
import type { ChatInput } from "../http/request.ts";
import { hashText } from "../tokens.ts";
import { createEngineMetrics, type EngineMetrics } from "./metrics.ts";
import { createPrefixCache, type PrefixCache } from "./prefix-cache.ts";
import { createScheduler, type EngineLoad, type Scheduler } from "./scheduler.ts";
import { createUsageHistory, type UsageHistory, type UsageSample } from "./usage-history.ts";

/** Who hears of an answer while it is made. */
export interface AnswerListener {
  onPiece(index: number): void;
  onEnd(): void;
  /** The fault plan says: the connection breaks here. */
  onBreak(): void;
}

/** An answer that is being made. */
export interface Answer {
  readonly id: string;
  readonly reply: CutReply;
  /** Prompt tokens found in the cache; known once the request runs. */
  readonly cachedTokens: number;
  /** Frees the slot, or the place in the queue; nothing is told to the listener afterwards. */
  cancel(): void;
}

/** What `/sim/stats` tells. */
export interface SimStats {
  readonly simulated: true;
  readonly slots: number;
  readonly running: number;
  readonly waiting: number;
  readonly runningPeak: number;
  readonly waitingPeak: number;
  readonly requests: number;
  readonly promptTokens: number;
  readonly cachedTokens: number;
  readonly generationTokens: number;
  /** Requests that a fault concerned, by kind. */
  readonly faults: Readonly<Record<string, number>>;
  readonly samples: readonly UsageSample[];
}

/** A simulated inference engine: brain, slots, cache and metrics, without HTTP. */
export interface Engine {
  answer(input: ChatInput, listener: AnswerListener): Answer;
  /** Whether one more request would exceed the queue's bound. */
  readonly isFull: boolean;
  load(): EngineLoad;
  renderMetrics(): string;
  stats(): SimStats;
  close(): void;
}

// Conversations remembered for the faults that come once.
const seenMax = 20_000;

/** Creates an engine from checked settings. */
export function createEngine(config: SimConfig, now: () => number): Engine {
  const history = createUsageHistory(now);
  const metrics = createEngineMetrics(config.model, config.kvBlocks);
  const cache = createPrefixCache(config.kvBlocks);
  const scheduler = createScheduler({
    slots: config.slots,
    prefillTokensPerSecond: config.prefillTokensPerSecond,
    decodeMsPerToken: config.decodeMsPerToken,
    now,
    onLoad: (load) => {
      history.record(load.running, load.waiting);
    },
  });
  const core: EngineCore = { now, metrics, cache, scheduler };
  const seen = new Set<number>();
  const faults: Record<string, number> = {};

  const isRepeat = (prompt: string): boolean => {
    const digest = hashText(prompt);
    if (seen.has(digest)) return true;
    if (seen.size >= seenMax) seen.clear();
    seen.add(digest);
    return false;
  };

  return {
    answer(input, listener) {
      metrics.totals.requests += 1;
      const conversation = readConversation(input.messages);
      const decision = decide(conversation, input.tools, {
        shares: config,
        seed: config.seed,
        isRepeat: isRepeat(input.prompt),
      });
      const fault: Fault = decision.isFaulty ? decision.fault : { kind: "none" };
      if (fault.kind !== "none") faults[fault.kind] = (faults[fault.kind] ?? 0) + 1;
      const reply = cutReply(
        decision.reply,
        input.outputTokensMax,
        () => `chatcmpl-tool-${randomUUID().replaceAll("-", "")}`,
      );
      const scheduled = scheduleAnswer(core, { fault, reply, input, listener });
      return {
        id: `chatcmpl-${randomUUID()}`,
        reply,
        cancel: scheduled.cancel,
        get cachedTokens() {
          return scheduled.cachedTokens();
        },
      };
    },
    get isFull() {
      const { running, waiting } = scheduler.load();
      return config.queuedMax > 0 && running + waiting >= config.queuedMax;
    },
    load: scheduler.load,
    renderMetrics: () => metrics.render(scheduler.load()),
    stats: () => readStats(core, config.slots, history, faults),
    close: scheduler.close,
  };
}

interface EngineCore {
  readonly now: () => number;
  readonly metrics: EngineMetrics;
  readonly cache: PrefixCache;
  readonly scheduler: Scheduler;
}

interface AnswerJob {
  readonly fault: Fault;
  readonly reply: CutReply;
  readonly input: ChatInput;
  readonly listener: AnswerListener;
}

/** Hands an answer to the scheduler; gives what takes it back, and the tokens found in the cache. */
function scheduleAnswer(
  core: EngineCore,
  job: AnswerJob,
): { readonly cancel: () => void; readonly cachedTokens: () => number } {
  const { now, metrics, cache } = core;
  const { fault, reply, input, listener } = job;
  const startedAtMs = now();
  const pieceTokens = reply.pieces.length === 0 ? [1] : reply.pieces.map((piece) => piece.tokens);
  const breakAt = fault.kind === "break" ? Math.floor(pieceTokens.length / 2) : undefined;
  let isOver = false;
  let cachedTokens = 0;
  const takeBack = core.scheduler.submit({
    promptTokens: input.promptTokens,
    pieceTokens,
    extraDelayMs: fault.kind === "slow" ? fault.delayMs : 0,
    isStalled: fault.kind === "stall",
    onAdmit: () => {
      metrics.observe("queue", (now() - startedAtMs) / 1000);
      // The prefill lane is serial: what this prompt computes is there for the next one in the lane.
      cachedTokens = cache.match(input.prompt);
      cache.store(input.prompt);
      countPrompt(metrics, input.promptTokens, cachedTokens);
      return cachedTokens;
    },
    onPiece: (index) => {
      if (index === 0) metrics.observe("firstToken", (now() - startedAtMs) / 1000);
      metrics.totals.generationTokens += pieceTokens[index] ?? 0;
      if (index === breakAt) listener.onBreak();
      else if (index < reply.pieces.length) listener.onPiece(index);
    },
    onEnd: () => {
      isOver = true;
      metrics.success(reply.finishReason === "length" ? "length" : "stop");
      metrics.observe("endToEnd", (now() - startedAtMs) / 1000);
      listener.onEnd();
    },
  });
  const cancel = () => {
    if (isOver) return;
    isOver = true;
    metrics.success("abort");
    takeBack();
  };
  return { cancel, cachedTokens: () => cachedTokens };
}

function readStats(
  core: EngineCore,
  slots: number,
  history: UsageHistory,
  faults: Readonly<Record<string, number>>,
): SimStats {
  const { running, waiting } = core.scheduler.load();
  const { requests, promptTokens, cacheHitTokens, generationTokens } = core.metrics.totals;
  const { runningPeak, waitingPeak } = history;
  return {
    simulated: true,
    slots,
    running,
    waiting,
    runningPeak,
    waitingPeak,
    requests,
    promptTokens,
    cachedTokens: cacheHitTokens,
    generationTokens,
    faults: { ...faults },
    samples: history.samples(),
  };
}

function countPrompt(metrics: EngineMetrics, promptTokens: number, cachedTokens: number): void {
  metrics.totals.promptTokens += promptTokens;
  metrics.totals.cacheQueryTokens += promptTokens;
  metrics.totals.cacheHitTokens += cachedTokens;
}
