import type { IndexMode } from "./index-file.ts";
import { diffLines, type Hunk } from "./line-diff.ts";

/** One side of a changed file. */
export interface DiffSide {
  readonly mode: IndexMode;
  readonly object: string;
  readonly content: Buffer;
}

/** How a file differs. */
export interface FileDiff {
  /** As `git diff -U0 --no-renames --full-index` prints it, without the words behind a hunk's numbers. */
  readonly text: Buffer;
  /** 0 for a binary file. */
  readonly insertions: number;
  readonly deletions: number;
}

/** Where git looks for a NUL byte to tell what is binary (`buffer_is_binary` in xdiff-interface.c). */
const binaryLookBytes = 8_000;
/** Name of what is not there. */
const nothing = "0".repeat(40);

/**
 * The difference of one file; of the two sides one may be missing.
 *
 * @param path its bytes as characters.
 * @returns undefined where git is to be asked: for names that it quotes, another kind of file, and very many differences.
 */
export function diffFile(
  path: string,
  before: DiffSide | undefined,
  after: DiffSide | undefined,
): FileDiff | undefined {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: these are what git quotes
  if (/[\x00-\x1f\x7f"\\]/.test(path)) return undefined;
  if (before !== undefined && after !== undefined && (before.mode === "120000") !== (after.mode === "120000")) {
    return undefined;
  }
  const head = header(path, before, after);
  if (before?.object === after?.object) return { text: bytes(head), insertions: 0, deletions: 0 };
  const [oldName, newName] = [
    before === undefined ? "/dev/null" : `a/${path}`,
    after === undefined ? "/dev/null" : `b/${path}`,
  ];
  if ([before, after].some((side) => side?.content.subarray(0, binaryLookBytes).includes(0))) {
    return { text: bytes(`${head}Binary files ${oldName} and ${newName} differ\n`), insertions: 0, deletions: 0 };
  }
  const [oldLines, newLines] = [linesOf(before), linesOf(after)];
  const hunks = diffLines(oldLines, newLines);
  if (hunks === undefined) return undefined;
  if (hunks.length === 0) return { text: bytes(head), insertions: 0, deletions: 0 };
  // A tab ends a name with a blank in it, for patch(1).
  const end = path.includes(" ") ? "\t\n" : "\n";
  const [oldEnd, newEnd] = [before === undefined ? "\n" : end, after === undefined ? "\n" : end];
  const body = hunks.map((hunk) => hunkText(hunk, oldLines, newLines)).join("");
  const sum = (count: (hunk: Hunk) => number) => hunks.reduce((total, hunk) => total + count(hunk), 0);
  return {
    text: bytes(`${head}--- ${oldName}${oldEnd}+++ ${newName}${newEnd}${body}`),
    insertions: sum((hunk) => hunk.newEnd - hunk.newStart),
    deletions: sum((hunk) => hunk.oldEnd - hunk.oldStart),
  };
}

function header(path: string, before: DiffSide | undefined, after: DiffSide | undefined): string {
  const objects = [before, after].map((side) => side?.object ?? nothing).join("..");
  const first = `diff --git a/${path} b/${path}\n`;
  if (before === undefined) return `${first}new file mode ${after?.mode}\nindex ${objects}\n`;
  if (after === undefined) return `${first}deleted file mode ${before.mode}\nindex ${objects}\n`;
  if (before.mode === after.mode) return `${first}index ${objects} ${after.mode}\n`;
  const modes = `${first}old mode ${before.mode}\nnew mode ${after.mode}\n`;
  return before.object === after.object ? modes : `${modes}index ${objects}\n`;
}

/** With their line ends; only the last may have none. */
function linesOf(side: DiffSide | undefined): readonly string[] {
  return side?.content.toString("latin1").match(/[^\n]*\n|[^\n]+$/g) ?? [];
}

function hunkText(hunk: Hunk, oldLines: readonly string[], newLines: readonly string[]): string {
  const removed = oldLines.slice(hunk.oldStart, hunk.oldEnd).map((line) => `-${ended(line)}`);
  const added = newLines.slice(hunk.newStart, hunk.newEnd).map((line) => `+${ended(line)}`);
  const numbers = `-${range(hunk.oldStart, hunk.oldEnd)} +${range(hunk.newStart, hunk.newEnd)}`;
  return `@@ ${numbers} @@\n${removed.join("")}${added.join("")}`;
}

function ended(line: string): string {
  return line.endsWith("\n") ? line : `${line}\n\\ No newline at end of file\n`;
}

/** From 1; an empty range stands behind the line before it. */
function range(start: number, end: number): string {
  const count = end - start;
  if (count === 1) return String(start + 1);
  return count === 0 ? `${start},0` : `${start + 1},${count}`;
}

function bytes(text: string): Buffer {
  return Buffer.from(text, "latin1");
}
