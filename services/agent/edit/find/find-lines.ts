import { foldCharacters } from "./fold-unicode.ts";
import { isTelling, type LineReplacement, placeOfLines, splitText, type TextLines, toLines } from "./line-block.ts";
import { type FindPlaces, type Place, placesShownMax, type Replacement } from "./stage.ts";

/** Lines compared at most: beyond it the text is too repetitive to be told apart cheaply. */
const comparisonsMax = 20_000_000;

/** Whole lines that are equal but for their indentation, which is shifted or spelt uniformly. */
export const findIndentation: FindPlaces = findLinesBy((line) => line.trim());

/** Whole lines that are equal but for the number and kind of blanks and the spelling of characters. */
export const findWhitespace: FindPlaces = findLinesBy((line) => foldCharacters(line).trim().replaceAll(/\s+/gu, " "));

/** Finds whole lines whose keys are equal. */
function findLinesBy(keyOf: (line: string) => string): FindPlaces {
  return (text, wanted) => {
    const file = splitText(text);
    const keys = file.lines.map(keyOf);
    for (const variant of variants(wanted)) {
      if (!isTelling(variant.oldLines)) continue;
      const places = findBlocks(file, keys, variant, variant.oldLines.map(keyOf), wanted.all);
      if (places.length > 0) return places;
    }
    return [];
  };
}

/** As it is written; then without blank lines around it that both texts have. */
function variants(wanted: Replacement): readonly LineReplacement[] {
  const whole = toLines(wanted);
  const front = blankEdge(whole.oldLines, whole.newLines);
  const back = blankEdge(whole.oldLines.slice(front).toReversed(), whole.newLines.slice(front).toReversed());
  if (front + back === 0) return [whole];
  const cut = (lines: readonly string[]) => lines.slice(front, lines.length - back);
  return [whole, { ...whole, oldLines: cut(whole.oldLines), newLines: cut(whole.newLines) }];
}

function blankEdge(a: readonly string[], b: readonly string[]): number {
  let length = 0;
  while (length < Math.min(a.length, b.length) && a[length]?.trim() === "" && b[length]?.trim() === "") length += 1;
  return length;
}

function findBlocks(
  file: TextLines,
  keys: readonly string[],
  wanted: LineReplacement,
  wantedKeys: readonly string[],
  all: boolean,
): readonly Place[] {
  const places: Place[] = [];
  let unplaced = 0;
  const { length } = wantedKeys;
  let comparisons = 0;
  for (let first = 0; first + length <= keys.length && (all || places.length < placesShownMax); first += 1) {
    let same = 0;
    while (same < length && keys[first + same] === wantedKeys[same]) same += 1;
    comparisons += same + 1;
    if (comparisons > comparisonsMax) return [];
    if (same < length) continue;
    const aligned = file.lines.slice(first, first + length).map((own) => ({ own, unseen: [] }));
    const place = placeOfLines(file, { first, last: first + length }, wanted, aligned);
    if (place === undefined) unplaced += 1;
    const start = file.starts[first] ?? 0;
    places.push(place ?? { start, end: start, text: "" });
    if (all) first += length - 1;
  }
  // A block whose indentation follows no rule cannot be replaced; beside others it still makes the text ambiguous.
  return unplaced > 0 && (all || places.length === 1) ? [] : places;
}
