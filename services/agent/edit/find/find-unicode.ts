import { commonBack, commonFront } from "../common-ends.ts";
import { type Folded, foldWithOffsets, isPlain } from "./fold-unicode.ts";
import { type FindPlaces, type Place, placesShownMax, type Replacement } from "./stage.ts";

/**
 * The text in another Unicode spelling (quotes, dashes, blanks, compatibility forms) or with other blanks at line ends. What the
 * new text leaves as the old text had it keeps the file's spelling.
 */
export const findUnicode: FindPlaces = (text, wanted) => {
  // Nothing to fold: exact matching has said all there is to say.
  if (isPlain(text) && isPlain(wanted.oldText)) return [];
  const file = foldWithOffsets(text);
  const needle = foldWithOffsets(wanted.oldText);
  const oldText = needle.text + trailingBlanks(wanted.oldText);
  if (oldText === "") return [];
  const places: Place[] = [];
  let at = file.text.indexOf(oldText);
  while (at !== -1 && (wanted.all || places.length < placesShownMax)) {
    const start = file.startOf(at);
    const end = file.endOf(at + oldText.length);
    const isWhole = start !== undefined && end !== undefined && end > start;
    if (isWhole) places.push({ start, end, text: keepSpelling(text.slice(start, end), needle, wanted) });
    at = file.text.indexOf(oldText, at + (wanted.all && isWhole ? oldText.length : 1));
  }
  return places;
};

/** Blanks after the last line are part of the wanted text: `return ` must not match `returns`. */
function trailingBlanks(text: string): string {
  return text.endsWith("\n") ? "" : (/[^\S\n]*$/u.exec(text)?.[0] ?? "").replaceAll(/\p{Zs}/gu, " ");
}

/** The new text, with the file's own spelling of what stands unchanged at the front and at the back of the old text. */
function keepSpelling(span: string, needle: Folded, { oldText, newText }: Replacement): string {
  const file = foldWithOffsets(span);
  const shorter = Math.min(oldText.length, newText.length);
  const front = commonFront(oldText, newText, shorter);
  const back = commonBack(oldText, newText, shorter - front);
  let head = 0;
  let tail = needle.text.length;
  for (let at = 1; at <= needle.text.length; at += 1) {
    if ((needle.endOf(at) ?? front + 1) <= front && file.endOf(at) !== undefined) head = at;
  }
  for (let at = tail; at >= head; at -= 1) {
    if ((needle.startOf(at) ?? -1) >= oldText.length - back && file.startOf(at) !== undefined) tail = at;
  }
  const oldHead = needle.endOf(head) ?? 0;
  const oldTail = Math.max(oldHead, needle.startOf(tail) ?? oldText.length);
  const spanHead = file.endOf(head) ?? 0;
  const spanTail = Math.max(spanHead, file.startOf(tail) ?? span.length);
  return (
    span.slice(0, spanHead) + newText.slice(oldHead, newText.length - (oldText.length - oldTail)) + span.slice(spanTail)
  );
}
