/** A text in its plain spelling, with the way back to the original. */
export interface Folded {
  readonly text: string;
  /** Original offset at which the character at a folded offset starts; `undefined` inside an expansion. */
  startOf(offset: number): number | undefined;
  /** Original offset at which the characters before a folded offset end; `undefined` inside an expansion. */
  endOf(offset: number): number | undefined;
}

/** What NFKC leaves alone but keyboards and models write as ASCII (pi: edit tool; codex: seek_sequence.rs). */
const plainSpelling: ReadonlyMap<string, string> = new Map([
  ...characters("‘’‚‛′ʼ", "'"),
  ...characters("“”„‟″«»", '"'),
  ...characters("‐‑‒–—―−", "-"),
  ...characters("\u200b\u200c\u200d\u2060\ufeff\u00ad", ""),
]);

function characters(from: string, to: string): readonly (readonly [string, string])[] {
  return from.split("").map((character) => [character, to] as const);
}

/** Plain quotes, dashes, spaces and compatibility forms (NFKC) of one string. */
export function foldCharacters(text: string): string {
  if (isAscii(text)) return text;
  let folded = "";
  for (const unit of units(text)) folded += foldUnit(unit);
  return folded;
}

/**
 * Folds a text and drops blanks before line ends. Offsets inside what one character became (`ﬁ` → `fi`) have no original: a match
 * that starts or ends there must be refused.
 */
export function foldWithOffsets(text: string): Folded {
  if (isPlain(text)) return { text, startOf: (offset) => offset, endOf: (offset) => offset };
  const parts: string[] = [];
  const starts: number[] = [];
  const ends: number[] = [];
  const push = (folded: string, from: number, to: number): void => {
    parts.push(folded);
    for (let i = 0; i < folded.length; i += 1) {
      starts.push(i === 0 ? from : -1);
      ends.push(i === folded.length - 1 ? to : -1);
    }
  };
  let at = 0;
  for (const line of text.split("\n")) {
    const kept = line.replace(/[^\S\n]+$/u, "");
    for (const unit of units(kept)) {
      push(foldUnit(unit), at, at + unit.length);
      at += unit.length;
    }
    at += line.length - kept.length;
    if (at < text.length) push("\n", at, at + 1);
    at += 1;
  }
  return {
    text: parts.join(""),
    startOf: (offset) => (offset === starts.length ? text.length : original(starts[offset])),
    endOf: (offset) => (offset === 0 ? 0 : original(ends[offset - 1])),
  };
}

/** Whether folding leaves a text as it is: ASCII without blanks at line ends. */
export function isPlain(text: string): boolean {
  return isAscii(text) && !/[^\S\n](?:\n|$)/u.test(text);
}

function original(offset: number | undefined): number | undefined {
  return offset === undefined || offset === -1 ? undefined : offset;
}

/** A character with the marks that combine with it: what NFKC may compose. */
function units(text: string): readonly string[] {
  return isAscii(text) ? text.split("") : (text.match(/.\p{M}*/gsu) ?? []);
}

function foldUnit(unit: string): string {
  if (isAscii(unit)) return unit;
  const folded = plainSpelling.get(unit) ?? unit.normalize("NFKC");
  return /\p{Zs}/u.test(folded) ? folded.replaceAll(/\p{Zs}/gu, " ") : (plainSpelling.get(folded) ?? folded);
}

function isAscii(text: string): boolean {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: all of ASCII, control characters included.
  return /^[\x00-\x7f]*$/u.test(text);
}
