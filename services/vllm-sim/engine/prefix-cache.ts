import { charactersPerToken, hashText } from "../tokens.ts";

/** vLLM's default block size in tokens. */
export const blockTokens = 16;
const blockCharacters = blockTokens * charactersPerToken;

/** Remembers which prompt heads were computed before, in whole blocks, the least recently used dropped first. */
export interface PrefixCache {
  /** Tokens of the prompt's head that need no prefill: whole blocks only, and never the last token (vLLM computes it always). */
  match(prompt: string): number;
  /** Remembers all whole blocks of a text. */
  store(text: string): void;
}

/** Creates a cache of at most `blocksMax` blocks; a block's hash is chained on its parents, as in vLLM. */
export function createPrefixCache(blocksMax: number): PrefixCache {
  const blocks = new Map<number, true>();
  const touch = (hash: number) => {
    blocks.delete(hash);
    blocks.set(hash, true);
  };
  return {
    match(prompt) {
      let cached = 0;
      for (const hash of chainOf(prompt)) {
        if (!blocks.has(hash) || cached + blockTokens >= prompt.length / charactersPerToken) break;
        touch(hash);
        cached += blockTokens;
      }
      return cached;
    },
    store(text) {
      for (const hash of chainOf(text)) touch(hash);
      while (blocks.size > blocksMax) {
        const [oldest] = blocks.keys();
        if (oldest === undefined) break;
        blocks.delete(oldest);
      }
    },
  };
}

function* chainOf(text: string): Generator<number> {
  let hash = 0;
  for (let from = 0; from + blockCharacters <= text.length; from += blockCharacters) {
    hash = hashText(text.slice(from, from + blockCharacters), hash);
    yield hash;
  }
}
