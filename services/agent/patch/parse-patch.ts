/** One run of changed lines with those around it. */
export interface Hunk {
  /** The text after `@@`: a line of the file before the hunk. */
  readonly header: string | undefined;
  readonly oldLines: readonly string[];
  readonly newLines: readonly string[];
  /** The old lines are the last ones of the file. */
  readonly isAtEnd: boolean;
}

/** What a patch does with one file. */
export type FilePatch =
  | { readonly kind: "add"; readonly path: string; readonly text: string }
  | { readonly kind: "delete"; readonly path: string }
  | {
      readonly kind: "update";
      readonly path: string;
      readonly moveTo: string | undefined;
      readonly hunks: readonly Hunk[];
    };

/** A patch that cannot be read, with what is wrong in words for the model. */
export interface PatchProblem {
  readonly problem: string;
}

const begin = "*** Begin Patch";
const end = "*** End Patch";
const endOfFile = "*** End of File";
const fileMark = /^\*\*\* (Add|Delete|Update) File:\s*(.*)$/u;
const moveMark = /^\*\*\* Move to:\s*(.*)$/u;
const filesMax = 200;

/**
 * Reads codex's patch format (codex-rs/apply-patch/src/parser.rs): with blanks around the markers, inside a heredoc or a code fence,
 * as models write it.
 */
export function parsePatch(text: string): readonly FilePatch[] | PatchProblem {
  const lines = text.replaceAll("\r\n", "\n").split("\n");
  const first = lines.findIndex((line) => line.trim() === begin);
  const last = lines.findLastIndex((line) => line.trim() === end);
  if (first === -1) return { problem: `the first line must be "${begin}"` };
  if (last < first) return { problem: `the last line must be "${end}"` };
  const reader: Reader = { lines: lines.slice(first + 1, last), at: 0 };
  const patches: FilePatch[] = [];
  while (reader.at < reader.lines.length) {
    const line = reader.lines[reader.at] ?? "";
    if (line.trim() === "") {
      reader.at += 1;
      continue;
    }
    const patch = readFilePatch(reader);
    if ("problem" in patch) return { problem: `line ${first + 2 + reader.at}: ${patch.problem}` };
    patches.push(patch);
    if (patches.length > filesMax) return { problem: `at most ${filesMax} files are changed by one patch` };
  }
  return patches.length === 0 ? { problem: "the patch changes no file" } : patches;
}

interface Reader {
  readonly lines: readonly string[];
  at: number;
}

function readFilePatch(reader: Reader): FilePatch | PatchProblem {
  const mark = fileMark.exec(reader.lines[reader.at]?.trim() ?? "");
  const path = mark?.[2]?.trim() ?? "";
  if (mark === null) {
    return { problem: `expected "*** Add File: PATH", "*** Update File: PATH" or "*** Delete File: PATH"` };
  }
  if (path === "") return { problem: "the path is missing" };
  reader.at += 1;
  if (mark[1] === "Delete") return { kind: "delete", path };
  return mark[1] === "Add" ? readAdded(reader, path) : readUpdate(reader, path);
}

function readAdded(reader: Reader, path: string): FilePatch | PatchProblem {
  const added: string[] = [];
  for (; reader.at < reader.lines.length && !isMark(reader); reader.at += 1) {
    const line = reader.lines[reader.at] ?? "";
    if (line.startsWith("+")) added.push(line.slice(1));
    else if (line.trim() !== "") return { problem: `every line of the new file ${path} must start with "+"` };
  }
  return { kind: "add", path, text: added.map((line) => `${line}\n`).join("") };
}

function readUpdate(reader: Reader, path: string): FilePatch | PatchProblem {
  const move = moveMark.exec(reader.lines[reader.at]?.trim() ?? "");
  if (move !== null) reader.at += 1;
  const moveTo = move?.[1]?.trim();
  const hunks: Hunk[] = [];
  while (reader.at < reader.lines.length && !isMark(reader)) {
    const hunk = readHunk(reader, hunks.length === 0);
    if (hunk === undefined) continue;
    if ("problem" in hunk) return hunk;
    hunks.push(hunk);
  }
  if (hunks.length === 0 && moveTo === undefined) return { problem: `the update of ${path} has no lines` };
  return { kind: "update", path, moveTo, hunks };
}

/** Reads up to the next header; undefined when only blank lines were left. */
function readHunk(reader: Reader, isFirst: boolean): Hunk | PatchProblem | undefined {
  let header: string | undefined;
  const opening = reader.lines[reader.at] ?? "";
  const isHeaded = opening.trimStart().startsWith("@@");
  if (isHeaded) {
    header = headerOf(opening);
    reader.at += 1;
  }
  const oldLines: string[] = [];
  const newLines: string[] = [];
  let isAtEnd = false;
  let isChanged = false;
  for (; reader.at < reader.lines.length && !isMark(reader) && !isAtEnd; reader.at += 1) {
    const line = reader.lines[reader.at] ?? "";
    if (line.startsWith("@@")) break;
    if (line.trim() === endOfFile) isAtEnd = true;
    else if (line === "" || line.startsWith(" ")) {
      oldLines.push(line.slice(1));
      newLines.push(line.slice(1));
    } else if (line.startsWith("-") || line.startsWith("+")) {
      isChanged = true;
      (line.startsWith("-") ? oldLines : newLines).push(line.slice(1));
    } else return { problem: 'every line of a change must start with " ", "-", "+" or "@@"' };
  }
  dropBlankEnd(oldLines, newLines, reader);
  if (!isChanged && oldLines.every((line) => line.trim() === "") && !isHeaded && !isFirst) return undefined;
  return isChanged ? { header, oldLines, newLines, isAtEnd } : { problem: "a change needs at least one - or + line" };
}

/** Blank lines between a change and the next marker belong to neither. */
function dropBlankEnd(oldLines: string[], newLines: string[], reader: Reader): void {
  let back = 1;
  while (reader.lines[reader.at - back] === "" && oldLines.at(-1) === "" && newLines.at(-1) === "") {
    oldLines.pop();
    newLines.pop();
    back += 1;
  }
}

/** `@@ text`, `@@ text @@` and `@@ -1,2 +1,3 @@ text`; the line numbers of models are not to be trusted. */
function headerOf(line: string): string | undefined {
  const text = line
    .trim()
    .replace(/^@@\s?/u, "")
    .replace(/^-\d{1,9}(?:,\d{1,9})? \+\d{1,9}(?:,\d{1,9})?\s*/u, "")
    .replace(/^@@\s?/u, "")
    .replace(/\s*@@$/u, "");
  return text.trim() === "" ? undefined : text;
}

function isMark(reader: Reader): boolean {
  return fileMark.test(reader.lines[reader.at]?.trim() ?? "");
}
