import { blockTokens } from "./prefix-cache.ts";

/** One request as the engine sees it. */
export interface EngineWork {
  readonly promptTokens: number;
  /** Called when the work gets its slot; gives the tokens of its prompt that need no prefill. */
  readonly onAdmit: () => number;
  /** Tokens of each piece of output, in order; a piece is delivered when its last token is decoded. */
  readonly pieceTokens: readonly number[];
  /** Added before the first token. */
  readonly extraDelayMs: number;
  /** Takes its slot and never gives output. */
  readonly isStalled: boolean;
  readonly onPiece: (index: number) => void;
  /** All pieces are out and the slot is free. */
  readonly onEnd: () => void;
}

/** The state of the engine now. */
export interface EngineLoad {
  readonly running: number;
  readonly waiting: number;
  /** KV blocks held by running requests. */
  readonly blocksInUse: number;
}

/** Bounded slots, a first-come queue, one prefill lane and steady decoding: continuous batching seen from outside. */
export interface Scheduler {
  /** Queues the work; the returned function takes it back and frees its slot, at any time. */
  submit(work: EngineWork): () => void;
  load(): EngineLoad;
  close(): void;
}

interface SchedulerDeps {
  readonly slots: number;
  readonly prefillTokensPerSecond: number;
  readonly decodeMsPerToken: number;
  readonly now: () => number;
  /** Called after each change of running or waiting. */
  readonly onLoad: (load: EngineLoad) => void;
}

interface Running {
  readonly work: EngineWork;
  next: number;
  dueAtMs: number;
  doneTokens: number;
}

// All streams share one timer: 128 streams with a timer each would cost more than the answers.
const tickMsMin = 4;

/** Creates the scheduler of one simulated engine. */
export function createScheduler(deps: SchedulerDeps): Scheduler {
  const queue = new Set<EngineWork>();
  const running = new Map<EngineWork, Running>();
  let prefillFreeAtMs = 0;
  let timer: NodeJS.Timeout | undefined;
  let timerAtMs = Number.POSITIVE_INFINITY;

  const load = (): EngineLoad => ({
    running: running.size,
    waiting: queue.size,
    blocksInUse: countBlocks([...running.values()]),
  });

  const admit = () => {
    const now = deps.now();
    for (const work of queue) {
      if (running.size >= deps.slots) break;
      queue.delete(work);
      prefillFreeAtMs = Math.max(now, prefillFreeAtMs) + prefillMs(work, deps.prefillTokensPerSecond);
      const firstAtMs = prefillFreeAtMs + work.extraDelayMs + (work.pieceTokens[0] ?? 0) * deps.decodeMsPerToken;
      const dueAtMs = work.isStalled ? Number.POSITIVE_INFINITY : firstAtMs;
      running.set(work, { work, next: 0, dueAtMs, doneTokens: 0 });
    }
    deps.onLoad(load());
    arm();
  };

  const arm = () => {
    const nextAtMs = Math.min(...[...running.values()].map((entry) => entry.dueAtMs));
    if (nextAtMs === Number.POSITIVE_INFINITY || (timer !== undefined && timerAtMs <= nextAtMs)) return;
    clearTimeout(timer);
    timerAtMs = nextAtMs;
    timer = setTimeout(tick, Math.max(tickMsMin, nextAtMs - deps.now()));
  };

  const tick = () => {
    timer = undefined;
    timerAtMs = Number.POSITIVE_INFINITY;
    const now = deps.now();
    let hasEnded = false;
    for (const entry of [...running.values()]) {
      while (entry.dueAtMs <= now && running.has(entry.work)) hasEnded = step(entry) || hasEnded;
    }
    (hasEnded ? admit : arm)();
  };

  /** Delivers one piece; true when it was the last one. */
  const step = (entry: Running): boolean => {
    deliverPiece(entry);
    // The listener may have taken the work back.
    if (!running.has(entry.work)) return false;
    const nextTokens = entry.work.pieceTokens[entry.next];
    if (nextTokens !== undefined) {
      entry.dueAtMs += nextTokens * deps.decodeMsPerToken;
      return false;
    }
    running.delete(entry.work);
    entry.work.onEnd();
    return true;
  };

  return {
    submit(work) {
      queue.add(work);
      admit();
      return () => {
        const wasThere = queue.delete(work) || running.delete(work);
        if (wasThere) admit();
      };
    },
    load,
    close() {
      clearTimeout(timer);
      queue.clear();
      running.clear();
    },
  };
}

function prefillMs(work: EngineWork, tokensPerSecond: number): number {
  return ((work.promptTokens - work.onAdmit()) / tokensPerSecond) * 1000;
}

function countBlocks(entries: readonly Running[]): number {
  return entries.reduce((sum, entry) => sum + Math.ceil((entry.work.promptTokens + entry.doneTokens) / blockTokens), 0);
}

function deliverPiece(entry: Running): void {
  const tokens = entry.work.pieceTokens[entry.next];
  if (tokens === undefined) return;
  entry.doneTokens += tokens;
  entry.next += 1;
  entry.work.onPiece(entry.next - 1);
}
