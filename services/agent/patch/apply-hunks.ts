import { createFileText } from "../edit/file-text.ts";
import { foldCharacters } from "../edit/find/fold-unicode.ts";
import { placeOfLines, splitText, type TextLines } from "../edit/find/line-block.ts";
import type { Place } from "../edit/find/stage.ts";
import { splice } from "../edit/splice.ts";
import type { Hunk } from "./parse-patch.ts";

/** A patched file, or which hunk has no single place and why. */
export type HunksResult =
  | { readonly bytes: Buffer; readonly isExact: boolean }
  | { readonly problem: string; readonly hunk: number };

/** How lines are compared, strictest first (codex-rs/apply-patch/src/seek_sequence.rs). */
const keys: readonly ((line: string) => string)[] = [
  (line) => line,
  (line) => line.trimEnd(),
  (line) => line.trim(),
  (line) => foldCharacters(line).trim(),
];
const comparisonsMax = 20_000_000;

/**
 * Applies the hunks in order, each after the one before. A hunk that fits in several places is refused, unless its `@@` line tells
 * them apart. Bytes outside the changed lines stay. With `exactOnly` lines must be equal character by character.
 */
export function applyHunks(bytes: Buffer, hunks: readonly Hunk[], exactOnly: boolean): HunksResult {
  const text = createFileText(bytes);
  if (text.encoding !== "utf8" && hunks.some(({ newLines }) => !isAscii(newLines.join("")))) {
    return { problem: "the file is not UTF-8: only ASCII lines can be put there", hunk: 0 };
  }
  const file = splitText(text.text);
  const places: Place[] = [];
  let from = 0;
  let isExact = true;
  for (const [index, hunk] of hunks.entries()) {
    const found = locate(file, hunk, from, exactOnly);
    if ("problem" in found) return { problem: found.problem, hunk: index };
    places.push(found.place);
    from = found.next;
    isExact &&= found.isExact;
  }
  return { bytes: splice(text, places), isExact };
}

interface Located {
  readonly place: Place;
  /** First line after the place. */
  readonly next: number;
  readonly isExact: boolean;
}

function locate(file: TextLines, hunk: Hunk, from: number, exactOnly: boolean): Located | { readonly problem: string } {
  const usable = exactOnly ? keys.slice(0, 1) : keys;
  let start = from;
  if (hunk.header !== undefined) {
    const headers = search(file, [hunk.header], from, usable);
    if (headers.firsts.length === 0) return { problem: `there is no line ${JSON.stringify(hunk.header)} (after @@)` };
    start = (headers.firsts[0] ?? 0) + 1;
    // The header itself may be the first old line, as some models repeat it.
    if (hunk.oldLines[0]?.trim() === hunk.header.trim()) start -= 1;
  }
  if (hunk.oldLines.length === 0) return insertion(file, hunk, start);
  const found = search(file, hunk.oldLines, start, usable);
  const count = hunk.oldLines.length;
  const atEnd = found.firsts.filter((first) => first + count === file.lines.length);
  const firsts = hunk.isAtEnd && atEnd.length > 0 ? atEnd : found.firsts;
  const [first] = firsts;
  if (first === undefined) {
    return { problem: `its old lines are not in the file${start > 0 ? ` after line ${start}` : ""}` };
  }
  if (firsts.length > 1 && hunk.header === undefined) {
    const lines = firsts.slice(0, 10).map((at) => at + 1);
    return {
      problem: `its old lines occur ${firsts.length} times, at lines ${lines.join(", ")}: add lines around them or an @@ line`,
    };
  }
  const wanted = {
    oldLines: hunk.oldLines,
    newLines: hunk.newLines,
    endsInNewline: true,
    isDeletion: hunk.newLines.length === 0,
  };
  const aligned = file.lines.slice(first, first + count).map((own) => ({ own, unseen: [] }));
  const place = placeOfLines(file, { first, last: first + count }, wanted, aligned);
  if (place === undefined) return { problem: "the indentation of its lines follows no rule: copy them exactly" };
  return { place, next: first + count, isExact: found.isExact };
}

/** Lines without old ones go behind the `@@` line, or to the end of the file. */
function insertion(file: TextLines, hunk: Hunk, start: number): Located {
  const line = hunk.header === undefined ? file.lines.length : start;
  const text = hunk.newLines.map((added) => `${added}\n`).join("");
  const offset = file.starts[line];
  if (offset !== undefined) return { place: { start: offset, end: offset, text }, next: line, isExact: true };
  const end = file.text.length;
  const isOpen = end > 0 && !file.text.endsWith("\n");
  return { place: { start: end, end, text: isOpen ? `\n${text.slice(0, -1)}` : text }, next: line, isExact: true };
}

function search(
  file: TextLines,
  wanted: readonly string[],
  from: number,
  usable: readonly ((line: string) => string)[],
): { readonly firsts: readonly number[]; readonly isExact: boolean } {
  for (const [index, keyOf] of usable.entries()) {
    const wantedKeys = wanted.map(keyOf);
    const firsts: number[] = [];
    let comparisons = 0;
    for (let first = from; first + wanted.length <= file.lines.length; first += 1) {
      let same = 0;
      while (same < wanted.length && keyOf(file.lines[first + same] ?? "") === wantedKeys[same]) same += 1;
      comparisons += same + 1;
      if (comparisons > comparisonsMax) break;
      if (same === wanted.length) firsts.push(first);
    }
    if (firsts.length > 0) return { firsts, isExact: index === 0 };
  }
  return { firsts: [], isExact: true };
}

function isAscii(text: string): boolean {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: anything beyond ASCII.
  return /^[\x00-\x7f]*$/u.test(text);
}
