/** Characters that the simulated tokenizer takes for one token: the usual rule of thumb for English and code. */
export const charactersPerToken = 4;

/** Tokens of a text, rounded up. Deterministic and free of any vocabulary. */
export function countTokens(text: string): number {
  return Math.ceil(text.length / charactersPerToken);
}

/** A 53-bit hash of a text (two FNV-1a lanes), chained on `seed`: fast, stable over runs, and not for security. */
export function hashText(text: string, seed = 0): number {
  let low = (0x811c9dc5 ^ seed) >>> 0;
  let high = (0x01000193 ^ Math.floor(seed / 2 ** 32)) >>> 0;
  for (let index = 0; index < text.length; index += 1) {
    const code = text.charCodeAt(index);
    low = Math.imul(low ^ code, 0x01000193);
    high = Math.imul(high ^ code, 0x85ebca6b) ^ (low >>> 15);
  }
  low = Math.imul(low ^ (low >>> 16), 0x7feb352d) >>> 0;
  high = Math.imul(high ^ (high >>> 15), 0x846ca68b) >>> 0;
  return (high & 0x1fffff) * 2 ** 32 + low;
}

/** A number in [0, 1) that depends on the texts alone. */
export function drawNumber(...texts: readonly (string | number)[]): number {
  return hashText(texts.join("\0")) / 2 ** 53;
}
