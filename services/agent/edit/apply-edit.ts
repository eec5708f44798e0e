import { createFileText, type FileText, normalizeText } from "./file-text.ts";
import { findEscapes } from "./find/find-escapes.ts";
import { findExact } from "./find/find-exact.ts";
import { findFuzzy } from "./find/find-fuzzy.ts";
import { findIndentation, findWhitespace } from "./find/find-lines.ts";
import { findUnicode } from "./find/find-unicode.ts";
import { type FindPlaces, type Place, placesShownMax, type Replacement, type StageName } from "./find/stage.ts";
import { findPlaceholder } from "./placeholder.ts";
import { splice } from "./splice.ts";

/** One edit as the model asks for it. */
export interface Edit {
  readonly oldText: string;
  readonly newText: string;
  /** Replace every place; found by exact matching, Unicode spelling, indentation or blanks only. */
  readonly all: boolean;
}

/** An edit that can be made. */
export interface Applied {
  readonly bytes: Buffer;
  readonly stage: StageName;
  /** Line (from 1) of each replaced place, in the old file. */
  readonly lines: readonly number[];
}

/** Why an edit cannot be made. The file stays as it is. */
export type Refused =
  | { readonly reason: "equal" | "absent" | "empty" | "foreign" }
  | { readonly reason: "ambiguous"; readonly stage: StageName; readonly lines: readonly number[] }
  | { readonly reason: "placeholder"; readonly line: string }
  | { readonly reason: "disproportionate"; readonly stage: StageName; readonly lines: readonly number[] };

interface Stage {
  readonly name: StageName;
  readonly find: FindPlaces;
  /** Every place may be replaced at once. */
  readonly canReplaceAll: boolean;
}

/** Strictest first: a later one is asked only when those before found no place at all. */
export const stages: readonly Stage[] = [
  { name: "exact", find: findExact, canReplaceAll: true },
  { name: "unicode", find: findUnicode, canReplaceAll: true },
  { name: "indentation", find: findIndentation, canReplaceAll: true },
  { name: "whitespace", find: findWhitespace, canReplaceAll: true },
  { name: "escapes", find: findEscapes, canReplaceAll: false },
  { name: "fuzzy", find: findFuzzy, canReplaceAll: false },
];

/** Larger files, in characters, are matched exactly only: the other ways take memory and time by the character. */
const looseCharsMax = 1_000_000;

/**
 * Replaces the text by the first way that finds exactly one place. Pure; bytes outside that place stay as they are.
 *
 * Files that are not UTF-8 are matched byte by byte, and take ASCII only: any other character would be in another encoding than the
 * rest of the file. With `exactOnly` the later ways are left out.
 */
export function applyEdit(bytes: Buffer, edit: Edit, exactOnly = false): Applied | Refused {
  const file = createFileText(bytes);
  const wanted = inFileEncoding(file, edit);
  if (wanted === undefined) return { reason: "foreign" };
  if (wanted.oldText === "") return { reason: "empty" };
  if (wanted.oldText === wanted.newText) return { reason: "equal" };
  const placeholder = findPlaceholder(wanted.newText, [wanted.oldText, file.text]);
  if (placeholder !== undefined) return { reason: "placeholder", line: placeholder };
  const isExactOnly = exactOnly || file.encoding !== "utf8" || file.text.length > looseCharsMax;
  for (const { name, find, canReplaceAll } of isExactOnly ? stages.slice(0, 1) : stages) {
    const places = find(file.text, wanted);
    if (places.length === 0) continue;
    const lines = lineNumbers(file.text, places);
    if (places.length > 1 && !(wanted.all && canReplaceAll)) {
      return { reason: "ambiguous", stage: name, lines: lines.slice(0, placesShownMax) };
    }
    if (places.some((place) => isDisproportionate(file.text.slice(place.start, place.end), wanted.oldText))) {
      return { reason: "disproportionate", stage: name, lines };
    }
    const result = splice(file, places);
    return result.equals(bytes) ? { reason: "equal" } : { bytes: result, stage: name, lines };
  }
  return { reason: "absent" };
}

/** A place that is far larger than the text that was looked for (opencode: packages/opencode/src/tool/edit.ts). */
export function isDisproportionate(found: string, wanted: string): boolean {
  const [foundLines, wantedLines] = [found.split("\n").length, wanted.split("\n").length];
  const isLonger = found.trim().length > Math.max(wanted.trim().length + 500, wanted.trim().length * 4);
  return foundLines >= Math.max(wantedLines + 3, wantedLines * 2) || isLonger;
}

function inFileEncoding(file: FileText, edit: Edit): Replacement | undefined {
  const wanted = { oldText: normalizeText(edit.oldText), newText: normalizeText(edit.newText), all: edit.all };
  if (file.encoding === "utf8") return wanted;
  // biome-ignore lint/suspicious/noControlCharactersInRegex: anything beyond ASCII.
  const isAscii = (text: string): boolean => /^[\x00-\x7f]*$/u.test(text);
  return isAscii(wanted.newText) && isAscii(wanted.oldText) ? wanted : undefined;
}

function lineNumbers(text: string, places: readonly Place[]): readonly number[] {
  let line = 1;
  let at = 0;
  return places.map(({ start }) => {
    for (; at < start; at += 1) if (text.charCodeAt(at) === 10) line += 1;
    return line;
  });
}
