import { type FindPlaces, type Place, placesShownMax, type Replacement } from "./stage.ts";

/** The text character by character. Overlapping places count: they make a text ambiguous as well. */
export const findExact: FindPlaces = (text, wanted) => {
  const places: Place[] = [];
  const { oldText, all } = wanted;
  const placesMax = all ? Number.POSITIVE_INFINITY : placesShownMax;
  let at = text.indexOf(oldText);
  while (at !== -1 && places.length < placesMax) {
    places.push(replaceAt(text, at, at + oldText.length, wanted));
    at = text.indexOf(oldText, at + (all ? oldText.length : 1));
  }
  return places;
};

/**
 * Replaces a span as it stands. Whole lines that are deleted take their line end with them, where they have one (qwen-code:
 * packages/core/src/utils/editHelper.ts); otherwise an empty line would be left over.
 */
function replaceAt(text: string, start: number, end: number, wanted: Replacement): Place {
  const isDeletion = wanted.newText === "" && !wanted.oldText.endsWith("\n");
  const isWholeLines = (start === 0 || text[start - 1] === "\n") && text[end] === "\n";
  return { start, end: isDeletion && isWholeLines ? end + 1 : end, text: wanted.newText };
}
