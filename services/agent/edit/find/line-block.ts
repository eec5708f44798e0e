import { diffLines } from "../diff-lines.ts";
import { type IndentationMap, indentOf, mapIndentation, unitOf } from "./indentation.ts";
import type { Place, Replacement } from "./stage.ts";

/** A text's lines without their ends, and where each starts. */
export interface TextLines {
  readonly text: string;
  readonly lines: readonly string[];
  readonly starts: readonly number[];
}

/** A replacement taken line by line. */
export interface LineReplacement {
  readonly oldLines: readonly string[];
  readonly newLines: readonly string[];
  /** The old text ends with its last line's end, so that belongs to the place. */
  readonly endsInNewline: boolean;
  /** The new text is empty: the lines go, with their ends. */
  readonly isDeletion: boolean;
}

/** What stands in the file for one line of the old text. */
export interface FileLines {
  /** Absent when the file has no such line. */
  readonly own?: string;
  /** Lines after it that the old text does not have: never dropped. */
  readonly unseen: readonly string[];
}

/** Splits at LF; a text that ends in a newline has no empty line after it. */
export function splitText(text: string): TextLines {
  const lines = text.split("\n");
  const starts: number[] = [];
  let at = 0;
  for (const line of lines) {
    starts.push(at);
    at += line.length + 1;
  }
  if (text.endsWith("\n")) {
    lines.pop();
    starts.pop();
  }
  return { text, lines, starts };
}

/** The replacement line by line. Where the old text ends with a whole line, so does the new one. */
export function toLines(wanted: Pick<Replacement, "oldText" | "newText">): LineReplacement {
  const endsInNewline = wanted.oldText.endsWith("\n");
  const { newText } = wanted;
  return {
    oldLines: splitText(wanted.oldText).lines,
    newLines: newText === "" ? [] : endsInNewline ? splitText(newText).lines : newText.split("\n"),
    endsInNewline,
    isDeletion: newText === "",
  };
}

/** Whether lines say enough to be found by their words: brackets alone stand everywhere. */
export function isTelling(lines: readonly string[]): boolean {
  return lines.some((line) => (line.match(/[\p{L}\p{N}]/gu) ?? []).length >= 3);
}

/**
 * The place of the lines `first` to `last` (exclusive), with the new text for it: what the model left unchanged keeps the file's
 * lines, the rest gets the file's indentation. Undefined when the indentation follows no rule.
 */
export function placeOfLines(
  file: TextLines,
  range: { readonly first: number; readonly last: number },
  wanted: LineReplacement,
  aligned: readonly FileLines[],
): Place | undefined {
  const map = indentationFor(file, wanted, aligned);
  if (map === undefined) return undefined;
  const start = file.starts[range.first] ?? file.text.length;
  const lastLine = range.last - 1;
  const lineEnd = (file.starts[lastLine] ?? file.text.length) + (file.lines[lastLine]?.length ?? 0);
  const hasNewline = (wanted.endsInNewline || wanted.isDeletion) && file.text[lineEnd] === "\n";
  const merged = mergeLines(wanted, aligned, map);
  const text = merged.join("\n") + (hasNewline && merged.length > 0 ? "\n" : "");
  return { start, end: hasNewline ? lineEnd + 1 : lineEnd, text };
}

function mergeLines(wanted: LineReplacement, aligned: readonly FileLines[], map: IndentationMap): readonly string[] {
  const merged: string[] = [];
  for (const run of diffLines(wanted.oldLines, wanted.newLines)) {
    const file = aligned.slice(run.aStart, run.aEnd);
    if (run.isSame) {
      for (const { own, unseen } of file) merged.push(...(own === undefined ? [] : [own]), ...unseen);
      continue;
    }
    for (const line of wanted.newLines.slice(run.bStart, run.bEnd)) {
      const indent = indentOf(line);
      merged.push(line.trim() === "" ? line : map.apply(indent) + line.slice(indent.length));
    }
    merged.push(...file.flatMap(({ unseen }) => unseen));
  }
  return merged;
}

function indentationFor(
  file: TextLines,
  wanted: LineReplacement,
  aligned: readonly FileLines[],
): IndentationMap | undefined {
  const pairs: (readonly [string, string])[] = [];
  for (const [index, { own }] of aligned.entries()) {
    const line = wanted.oldLines[index];
    if (own === undefined || line === undefined || line.trim() === "" || own.trim() === "") continue;
    pairs.push([indentOf(line), indentOf(own)]);
  }
  const [base] = pairs;
  const newBase = wanted.newLines.find((line) => line.trim() !== "");
  // The new text already stands as the file does, only the old one was written at another depth: no second indentation.
  if (base !== undefined && newBase !== undefined && base[0] !== base[1] && indentOf(newBase) === base[1]) {
    return { apply: (indent) => indent };
  }
  return mapIndentation(pairs, unitOf([...wanted.oldLines, ...wanted.newLines]), unitOf(file.lines));
}
