/** Notices that a model repeats the same words without end. Pure state; one per streamed text. */
export interface ChantDetector {
  /** Takes the next piece of the text. True as soon as it is a chant; true from then on. */
  push(piece: string): boolean;
}

/** A piece of this many characters counts as the same words (gemini-cli: loopDetectionService.ts). */
const chunkChars = 50;
/** Repetitions that make a chant in prose (gemini-cli, the same place). */
const proseRepeats = 10;
/** Lists, tables and code repeat themselves for good reasons; this often they do not. */
const structuredRepeats = 40;
/** Repetitions lie at most this far apart on average: a text that comes back to a phrase now and then is no chant. */
const distanceCharsMax = 250;

/** A detector for one text that comes in pieces of any size. Costs a bounded time and memory for each character. */
export function createChantDetector(): ChantDetector {
  const prose = createRepeatCounter(proseRepeats);
  const structured = createRepeatCounter(structuredRepeats);
  let lineStart = "";
  let isInFence = false;
  let isChant = false;
  /** Text goes to a counter as soon as the start of its line tells what kind of line it is. */
  const take = (text: string, endsLine: boolean) => {
    const known = (lineStart + text).slice(0, 64);
    const isFence = /^\s{0,8}(?:```|~~~)/u.test(known);
    const isStructured = isInFence || isFence || /^\s{0,32}(?:[-*+|>#]|\d{1,3}[.)])(?:\s|\||-)/u.test(known);
    isChant ||= (isStructured ? structured : prose).push(endsLine ? `${text}\n` : text);
    lineStart = endsLine ? "" : known;
    if (endsLine && isFence) isInFence = !isInFence;
  };
  return {
    push(piece) {
      const lines = piece.split("\n");
      for (const [index, line] of lines.entries()) {
        if (isChant) break;
        take(line, index < lines.length - 1);
      }
      return isChant;
    },
  };
}

/** Tells whether the last characters of a text came `repeats` times in its last part. */
function createRepeatCounter(repeats: number): { push(text: string): boolean } {
  const windowChars = repeats * distanceCharsMax;
  let tail = "";
  let uncheckedChars = 0;
  return {
    push(text) {
      for (let start = 0; start < text.length; start += chunkChars) {
        const part = text.slice(start, start + chunkChars);
        tail = (tail + part).slice(-windowChars);
        uncheckedChars += part.length;
        if (uncheckedChars < chunkChars || tail.length < chunkChars) continue;
        uncheckedChars = 0;
        if (countOf(tail.slice(-chunkChars), tail) >= repeats) return true;
      }
      return false;
    },
  };
}

function countOf(needle: string, text: string): number {
  let count = 0;
  for (let at = text.indexOf(needle); at !== -1; at = text.indexOf(needle, at + needle.length)) count += 1;
  return count;
}
