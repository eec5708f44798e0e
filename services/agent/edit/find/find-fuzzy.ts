import { distance } from "fastest-levenshtein";
import { diffLines } from "../diff-lines.ts";
import {
  type FileLines,
  isTelling,
  type LineReplacement,
  placeOfLines,
  splitText,
  type TextLines,
  toLines,
} from "./line-block.ts";
import type { FindPlaces, Place } from "./stage.ts";

/** Bounds of a fuzzy match; thresholds as gemini-cli's (packages/core/src/tools/edit.ts), with a margin to the second best. */
const similarityMin = 0.9;
const marginMin = 0.05;
const charsMin = 10;
const linesMin = 2;
/** Share of a difference in blanks alone. */
const blankWeight = 0.1;
/** Windows × characters²: a fuzzy match that costs more is not tried. */
const workMax = 400_000_000;
/** A line between unchanged ones may differ so far. */
const lineSimilarityMin = 0.6;

/**
 * The one block of as many lines (or one more or less) that is nearly the old text: 90 % alike, and clearly more so than any other.
 * Lines that are to change must be there word for word; only the lines around them may differ.
 */
export const findFuzzy: FindPlaces = (text, wanted) => {
  if (wanted.all) return [];
  const lines = toLines(wanted);
  const count = lines.oldLines.length;
  const { length } = wanted.oldText;
  if (count < linesMin || length < charsMin || !isTelling(lines.oldLines)) return [];
  const file = splitText(text);
  if (file.lines.length * length * length > workMax) return [];
  const windows = [count, count + 1, count - 1]
    .filter((size) => size >= linesMin)
    .flatMap((size) => similarWindows(file, lines.oldLines, size));
  const best = windows.reduce<Window | undefined>(
    (a, b) => (a === undefined || b.similarity > a.similarity ? b : a),
    undefined,
  );
  if (best === undefined || best.similarity < similarityMin) return [];
  const isRival = (window: Window): boolean =>
    window !== best &&
    (window.size === best.size || !overlaps(window, best)) &&
    best.similarity - window.similarity < marginMin;
  const rivals = windows.filter(isRival);
  const candidates = [best, ...rivals].sort((a, b) => a.first - b.first).map((window) => use(file, lines, window));
  if (rivals.length > 0) return candidates.map((place, index) => place ?? at(file, [best, ...rivals][index]));
  return candidates.filter((place) => place !== undefined);
};

interface Window {
  readonly first: number;
  readonly size: number;
  readonly similarity: number;
}

/** The windows of `size` lines whose similarity could matter: at least the least one minus the margin. */
function similarWindows(file: TextLines, oldLines: readonly string[], size: number): readonly Window[] {
  const old = oldLines.join("\n");
  const bareOld = withoutBlanks(old);
  const bareLines = file.lines.map(withoutBlanks);
  const allowed = Math.ceil(old.length * (1 - similarityMin + marginMin));
  const windows: Window[] = [];
  let bareLength = bareLines.slice(0, size - 1).reduce((sum, line) => sum + line.length, 0);
  for (let first = 0; first + size <= file.lines.length; first += 1) {
    bareLength += bareLines[first + size - 1]?.length ?? 0;
    const isNear = Math.abs(bareLength - bareOld.length) <= allowed;
    bareLength -= bareLines[first]?.length ?? 0;
    if (!isNear) continue;
    const bare = distance(bareOld, bareLines.slice(first, first + size).join(""));
    if (bare > allowed) continue;
    const raw = distance(old, file.lines.slice(first, first + size).join("\n"));
    const similarity = 1 - (bare + blankWeight * Math.max(0, raw - bare)) / Math.max(1, old.length);
    windows.push({ first, size, similarity });
  }
  return windows;
}

function overlaps(a: Window, b: Window): boolean {
  return a.first < b.first + b.size && b.first < a.first + a.size;
}

/** The place of a window, if each line stands for its line. */
function use(file: TextLines, wanted: LineReplacement, window: Window): Place | undefined {
  const { first, size } = window;
  const aligned = align(wanted.oldLines, file.lines.slice(first, first + size));
  if (aligned === undefined || !isFaithful(wanted, aligned)) return undefined;
  return placeOfLines(file, { first, last: first + size }, wanted, aligned);
}

function at(file: TextLines, window: Window | undefined): Place {
  const start = file.starts[window?.first ?? 0] ?? 0;
  return { start, end: start, text: "" };
}

/** Pairs the lines from the front and from the back; the odd one stands between. */
function align(oldLines: readonly string[], fileLines: readonly string[]): readonly FileLines[] | undefined {
  const extra = fileLines.length - oldLines.length;
  if (extra === 0) return fileLines.map((own) => ({ own, unseen: [] }));
  const [short, long] = extra > 0 ? [oldLines, fileLines] : [fileLines, oldLines];
  let odd = 0;
  let least = Number.POSITIVE_INFINITY;
  for (let split = 0; split <= short.length; split += 1) {
    const cost = short.reduce(
      (sum, line, index) => sum + distance(line, long[index < split ? index : index + 1] ?? ""),
      0,
    );
    if (cost < least) [odd, least] = [split, cost];
  }
  if (extra < 0)
    return oldLines.map((_, index) =>
      index === odd ? { unseen: [] } : pair(fileLines, index > odd ? index - 1 : index),
    );
  // A line before the first or after the last is not part of the block at all.
  if (odd === 0 || odd === oldLines.length) return undefined;
  return oldLines.map((_, index) => ({
    own: fileLines[index < odd ? index : index + 1] ?? "",
    unseen: index === odd - 1 ? [fileLines[odd] ?? ""] : [],
  }));
}

function pair(fileLines: readonly string[], index: number): FileLines {
  return { own: fileLines[index] ?? "", unseen: [] };
}

/** What is to change must be what the file has; what stays may differ a little. */
function isFaithful(wanted: LineReplacement, aligned: readonly FileLines[]): boolean {
  for (const run of diffLines(wanted.oldLines, wanted.newLines)) {
    for (let index = run.aStart; index < run.aEnd; index += 1) {
      const old = wanted.oldLines[index] ?? "";
      const own = aligned[index]?.own;
      if (own === undefined ? old.trim() !== "" : !isSameLine(old, own, run.isSame)) return false;
    }
  }
  return true;
}

function isSameLine(old: string, own: string, isKept: boolean): boolean {
  if (withoutPunctuation(old) === withoutPunctuation(own)) return true;
  const [a, b] = [withoutBlanks(old), withoutBlanks(own)];
  return isKept && 1 - distance(a, b) / Math.max(a.length, b.length, 1) >= lineSimilarityMin;
}

/** Without what does not change the words and operators of a line: blanks, separators and quotes. */
function withoutPunctuation(line: string): string {
  return line.replaceAll(/[\s,;'"`]/gu, "");
}

function withoutBlanks(text: string): string {
  return text.replaceAll(/\s/gu, "");
}
