/** The first `charsMax` characters, with a note of how many are missing. Never splits a surrogate pair. */
export function clipEnd(text: string, charsMax: number): string {
  if (text.length <= charsMax) return text;
  const head = text.slice(0, safeCut(text, charsMax));
  return `${head}… [${text.length - head.length} more characters]`;
}

/** At most about `charsMax` characters: 20 % from the head, 80 % from the tail (where errors stand), a note between. */
export function clipMiddle(text: string, charsMax: number): string {
  if (text.length <= charsMax) return text;
  const headEnd = safeCut(text, Math.floor(charsMax * 0.2));
  const tailStart = safeCut(text, text.length - (charsMax - headEnd));
  return `${text.slice(0, headEnd)}\n[… ${tailStart - headEnd} characters left out …]\n${text.slice(tailStart)}`;
}

function safeCut(text: string, index: number): number {
  const code = text.charCodeAt(index);
  return code >= 0xdc00 && code <= 0xdfff && index > 0 ? index - 1 : index;
}
