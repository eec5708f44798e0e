/** `text` cut to at most `charactersMax` UTF-16 units, never in the middle of a surrogate pair. */
export function cutText(text: string, charactersMax: number): string {
  if (text.length <= charactersMax) return text;
  const cut = text.slice(0, Math.max(0, charactersMax - 1));
  return `${/[\uD800-\uDBFF]$/.test(cut) ? cut.slice(0, -1) : cut}…`;
}

/** The first line of a text whose other lines are output. */
export function firstLine(text: string): string {
  return text.split("\n", 1)[0] ?? text;
}

/** The end of `text`, at most `charactersMax` UTF-16 units of it. */
export function cutTail(text: string, charactersMax: number): string {
  if (text.length <= charactersMax) return text;
  const cut = text.slice(text.length - charactersMax + 1);
  return `…${/^[\uDC00-\uDFFF]/.test(cut) ? cut.slice(1) : cut}`;
}

/**
 * `text` cut so that it takes at most `bytesMax` bytes as JSON, quotes included: a control character of a hostile text takes six
 * there, so that a bound of characters bounds no resource.
 */
export function cutJson(text: string, bytesMax: number): string {
  let cut = cutText(text, bytesMax);
  for (let bytes = jsonBytes(cut); bytes > bytesMax; bytes = jsonBytes(cut)) {
    if (cut.length <= 1) return "";
    // Shrinks in proportion, and by one character at least.
    cut = cutText(cut, Math.min(cut.length - 1, Math.floor((cut.length * bytesMax) / bytes)));
  }
  return cut;
}

function jsonBytes(text: string): number {
  return Buffer.byteLength(JSON.stringify(text));
}
