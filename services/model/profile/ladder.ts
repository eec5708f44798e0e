import { setNewest } from "../../core/set-newest.ts";
import type { Rung } from "../chat.ts";

/** All rungs, from the cheapest to the one that needs nothing of the server. */
export const rungs: readonly Rung[] = ["auto", "required", "envelope", "text"];

/**
 * What an answer at a rung was worth. `neutral` says nothing about the rung: it was cut, or nothing had been asked. `ignored`: a call was
 * to be forced, and prose came, so the server does not force it.
 */
export type RungVerdict = "good" | "bad" | "ignored" | "neutral";

/** Chooses how tools are asked for, from what earlier answers were worth. */
export interface Ladder {
  /** The rung for the next request of the conversation `key`. */
  rungFor(key: string): Rung;
  report(key: string, rung: Rung, verdict: RungVerdict): void;
  /** Where conversations start now. */
  readonly start: Rung;
}

interface LadderDeps {
  /** Where the model's profile starts. */
  readonly first: Rung;
  readonly now: () => number;
  /** Called when conversations start elsewhere from now on. */
  readonly onStart: (rung: Rung, why: string) => void;
}

interface Conversation {
  rung: Rung;
  badInRow: number;
  goodInRow: number;
}

/** Bad answers in a row until a conversation climbs. */
const climbAfter = 2;
/** Good answers in a row until a conversation that climbed tries the rung below again. */
const descendAfter = 12;
/** The model's start moves when of this many last answers there … */
const windowSize = 20;
/** … at least this many are in, and this share of them is bad. */
const windowMin = 10;
const badShare = 0.5;
/** … in at least so many conversations: one that has gone astray says nothing about the others. */
const badConversationsMin = 3;
/** So long the model keeps a higher start; then one rung lower is tried. */
const stickyMs = 10 * 60_000;
// Conversations that are remembered; a worker runs far fewer at once.
const conversationsMax = 4_096;

/**
 * Creates the ladder of one model. A conversation climbs after two bad answers in a row, or one that shows that the rung is ignored, and
 * comes back down after a dozen good ones.
 * What many conversations learn moves the start of all: it sticks to the model for ten minutes and then decays by a rung.
 */
export function createLadder(deps: LadderDeps): Ladder {
  const conversations = new Map<string, Conversation>();
  let start = deps.first;
  let startedAtMs = deps.now();
  let window: { readonly key: string; readonly isBad: boolean }[] = [];

  const setStart = (rung: Rung, why: string) => {
    start = rung;
    startedAtMs = deps.now();
    window = [];
    deps.onStart(rung, why);
  };
  const decay = () => {
    if (start === deps.first || deps.now() - startedAtMs < stickyMs) return;
    setStart(below(start, deps.first), "the time for the higher one is over");
  };
  const learn = (key: string, rung: Rung, isBad: boolean) => {
    if (rung !== start) return;
    window = [...window, { key, isBad }].slice(-windowSize);
    const bad = window.filter((answer) => answer.isBad);
    const share = bad.length / window.length;
    const isBroad = new Set(bad.map((answer) => answer.key)).size >= badConversationsMin;
    if (window.length >= windowMin && share >= badShare && isBroad && start !== "text") {
      setStart(above(start), `${Math.round(share * 100)} % of the last ${window.length} answers held no valid call`);
    }
  };
  const remember = (key: string, conversation: Conversation) =>
    setNewest(conversations, key, conversation, conversationsMax);

  return {
    get start() {
      decay();
      return start;
    },
    rungFor(key) {
      decay();
      const own = conversations.get(key)?.rung ?? start;
      return higher(own, start);
    },
    report(key, rung, verdict) {
      if (verdict === "neutral") return;
      learn(key, rung, verdict !== "good");
      const found = conversations.get(key);
      const own = found?.rung === rung ? found : { rung, badInRow: 0, goodInRow: 0 };
      if (verdict === "good") {
        own.badInRow = 0;
        own.goodInRow += 1;
      } else {
        own.goodInRow = 0;
        own.badInRow = verdict === "ignored" ? climbAfter : own.badInRow + 1;
      }
      if (own.badInRow >= climbAfter && rung !== "text")
        remember(key, { rung: above(rung), badInRow: 0, goodInRow: 0 });
      else if (own.goodInRow >= descendAfter && rung !== start) {
        remember(key, { rung: below(rung, start), badInRow: 0, goodInRow: 0 });
      } else remember(key, own);
    },
  };
}

/** The later of two rungs. */
export function higher(a: Rung, b: Rung): Rung {
  return rungs.indexOf(a) >= rungs.indexOf(b) ? a : b;
}

/** The next rung; `text` is the last. */
export function above(rung: Rung): Rung {
  return rungs[rungs.indexOf(rung) + 1] ?? "text";
}

function below(rung: Rung, floor: Rung): Rung {
  return higher(rungs[rungs.indexOf(rung) - 1] ?? floor, floor);
}
