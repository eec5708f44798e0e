import type { ReplyEffort, Rung } from "../chat.ts";
import type { RungVerdict } from "./ladder.ts";

/** What the answers at one rung came to. */
export interface RungFigures {
  readonly answers: number;
  /** Answers in which a tool was asked for and no valid call came. */
  readonly bad: number;
  readonly recoveredCalls: number;
  /** Answers in which something had to be mended. */
  readonly repaired: number;
}

/** What recovery cost and brought, since the start of the process. */
export interface EffortFigures {
  readonly rungs: Readonly<Record<Rung, RungFigures>>;
  readonly discardedReplies: number;
  readonly discardedTokens: number;
  readonly discardedMs: number;
}

/** Adds the efforts of all answers up. */
export interface EffortCounts {
  add(effort: ReplyEffort, verdict: RungVerdict): void;
  snapshot(): EffortFigures;
}

/** Creates the counts, all zero. */
export function createEffortCounts(): EffortCounts {
  const none: RungFigures = { answers: 0, bad: 0, recoveredCalls: 0, repaired: 0 };
  let figures: EffortFigures = {
    rungs: { auto: none, required: none, envelope: none, text: none },
    discardedReplies: 0,
    discardedTokens: 0,
    discardedMs: 0,
  };
  return {
    add(effort, verdict) {
      const before = figures.rungs[effort.rung];
      const rung: RungFigures = {
        answers: before.answers + 1,
        bad: before.bad + (verdict === "bad" || verdict === "ignored" ? 1 : 0),
        recoveredCalls: before.recoveredCalls + effort.recoveredCalls,
        repaired: before.repaired + (effort.repairs.length > 0 ? 1 : 0),
      };
      figures = {
        rungs: { ...figures.rungs, [effort.rung]: rung },
        discardedReplies: figures.discardedReplies + effort.discardedReplies,
        discardedTokens: figures.discardedTokens + effort.discardedTokens,
        discardedMs: figures.discardedMs + effort.discardedMs,
      };
    },
    snapshot: () => figures,
  };
}
