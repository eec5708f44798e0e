import { distance } from "fastest-levenshtein";

/**
 * The candidate that `word` most likely means, or undefined when none is near: at most a third of the word's letters
 * (at least one, at most three) differ, or two neighbours changed places, whatever the case.
 */
export function didYouMean(word: string, candidates: readonly string[]): string | undefined {
  if (word.length > 64) return undefined;
  const lower = word.toLowerCase();
  const bound = Math.min(3, Math.max(1, Math.floor(word.length / 3)));
  let best: { readonly candidate: string; readonly distance: number } | undefined;
  for (const candidate of candidates) {
    const away = editsBetween(lower, candidate.toLowerCase());
    if (away <= bound && (best === undefined || away < best.distance)) best = { candidate, distance: away };
  }
  return best?.candidate;
}

function editsBetween(word: string, candidate: string): number {
  const away = distance(word, candidate);
  // Two neighbours that changed places are two edits to Levenshtein and one slip of the fingers.
  const isSwap = away === 2 && [...word].sort().join("") === [...candidate].sort().join("");
  return isSwap ? 1 : away;
}

/** `; did you mean "x"?`, or nothing when no candidate is near. */
export function didYouMeanHint(word: string, candidates: readonly string[]): string {
  const candidate = didYouMean(word, candidates);
  return candidate === undefined ? "" : `; did you mean ${JSON.stringify(candidate)}?`;
}
