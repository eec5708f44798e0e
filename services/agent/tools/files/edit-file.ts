import { type Applied, applyEdit, type Edit, type Refused } from "../../edit/apply-edit.ts";
import { explainMiss } from "../../edit/explain-miss.ts";
import { createFileText } from "../../edit/file-text.ts";
import { splitText } from "../../edit/find/line-block.ts";
import type { StageName } from "../../edit/find/stage.ts";
import { ToolError } from "../../tool-error.ts";
import type { WorktreeFile } from "../../worktree/worktree-files.ts";
import { quotePath } from "../../worktree/worktree-path.ts";
import type { ToolContext } from "../tool.ts";
import { changeFiles, encodeText, fileBytesMax, isAsRead, readCall, refuseBinary } from "./change-file.ts";
import { showLines } from "./show-lines.ts";

/** Lines shown before and after the first changed place. */
const aroundLines = 4;
const snippetLinesMax = 24;
/** After so many edits in a row that found no place, another tool is suggested. */
const missesMax = 2;

/** How the text was found, for the model; exact matches need no words. */
const matchedBy: Readonly<Record<Exclude<StageName, "exact">, string>> = {
  unicode: "quotes, dashes or blanks at line ends differed; the file's spelling was kept where nothing changed",
  indentation: "the indentation differed; new_string was given that of the file",
  whitespace: "blanks within the lines differed; new_string was given the file's indentation",
  escapes: "old_string had one level of escaping too many, which was taken away from both texts",
  fuzzy: "a few characters of old_string differed from the file; lines that you left unchanged keep the file's text",
};

/** Stages that compare whole lines loosely: what they make is parsed once more. */
const checkedStages: ReadonlySet<StageName> = new Set(["indentation", "whitespace", "escapes", "fuzzy"]);

/**
 * Makes the edits of one file, one on top of the other: all of them or none.
 * @returns what the model is told. @throws ToolError that says which edit cannot be made, and why.
 */
export async function editFile(path: string, edits: readonly Edit[], context: ToolContext): Promise<string> {
  for (const { oldText, newText } of edits) {
    encodeText(oldText, "old_string");
    encodeText(newText, "new_string");
  }
  const file = await context.files.read(path, fileBytesMax);
  refuseBinary(file.bytes, file.shown);
  const isCurrent = isAsRead(file, context);
  const applied: Applied[] = [];
  let { bytes } = file;
  for (const [index, edit] of edits.entries()) {
    const result = applyEdit(bytes, edit, !isCurrent);
    if ("reason" in result || (!isCurrent && result.lines.length > 1)) {
      throw refusal({ file, edits, index, bytes, isCurrent }, result, context);
    }
    applied.push(result);
    bytes = result.bytes;
  }
  if (applied.some(({ stage }) => checkedStages.has(stage))) await refuseBroken(file, bytes, context);
  await changeFiles([{ path, real: file.real, before: file.bytes, after: bytes }], context);
  // What others changed meanwhile is still unseen.
  if (isCurrent) context.ledger.note(file.real, bytes);
  return report(file, applied, isCurrent);
}

interface Attempt {
  readonly file: WorktreeFile;
  readonly edits: readonly Edit[];
  readonly index: number;
  /** After the edits before this one. */
  readonly bytes: Buffer;
  readonly isCurrent: boolean;
}

function refusal(attempt: Attempt, result: Refused | Applied, context: ToolContext): ToolError {
  const { file, edits, index, isCurrent } = attempt;
  const shown = quotePath(file.shown);
  const which = edits.length === 1 ? "" : `Edit ${index + 1} of ${edits.length}: `;
  const none = edits.length === 1 ? "Nothing was changed." : "None of the edits was made.";
  if (!isCurrent) {
    const why = `${shown} has changed since you read it, and old_string is not exactly and uniquely in it now.`;
    return new ToolError(`${which}${why} Call ${readCall(file.shown)} again, then repeat. ${none}`);
  }
  const isMiss = "reason" in result && (result.reason === "absent" || result.reason === "ambiguous");
  const misses = isMiss ? context.ledger.countMiss(file.real) : 0;
  const advice =
    misses < missesMax ? "" : ` ${misses} edits of this file failed: read it again, or replace all of it with write.`;
  return new ToolError(`${which}${describeRefusal(attempt, result)} ${none}${advice}`);
}

function describeRefusal({ file, edits, index, bytes }: Attempt, result: Refused | Applied): string {
  const shown = quotePath(file.shown);
  const edit = edits[index];
  if (!("reason" in result) || edit === undefined) return "The edit cannot be made.";
  switch (result.reason) {
    case "equal":
      return "old_string and new_string are equal, or make no difference in the file: there is nothing to change.";
    case "empty":
      return `${shown} exists already: an empty old_string only creates new files. Give the exact text to replace.`;
    case "foreign":
      return `${shown} is not UTF-8: old_string and new_string may only hold ASCII characters there. Choose a smaller piece, or use bash.`;
    case "placeholder":
      return `new_string holds a placeholder (${JSON.stringify(result.line)}) instead of text. Write every line out.`;
    case "disproportionate":
      return `old_string only fits a far larger piece of ${shown}, at line ${result.lines[0]}. Copy all of the piece.`;
    case "ambiguous": {
      const count = result.lines.length > 10 ? "more than 10" : result.lines.length;
      const loosely = result.stage === "exact" ? "" : ` (${result.stage} aside)`;
      return (
        `old_string occurs ${count} times in ${shown}${loosely}, at lines ${listLines(result.lines)}. ` +
        'Add lines around it until it is unique, or set "replace_all": true.'
      );
    }
    case "absent":
      return `old_string does not occur in ${shown}. ${explainMiss(createFileText(bytes).text, edit.oldText, edit.newText)}`.trimEnd();
  }
}

/** A loosely matched edit must not break what could be parsed before. */
async function refuseBroken(file: WorktreeFile, bytes: Buffer, context: ToolContext): Promise<void> {
  const before = await context.syntax.countErrors(file.shown, file.bytes.toString("utf8"));
  if (before === undefined) return;
  const after = await context.syntax.countErrors(file.shown, bytes.toString("utf8"));
  if (after === undefined || after <= before) return;
  context.ledger.countMiss(file.real);
  throw new ToolError(
    `old_string matches ${quotePath(file.shown)} only roughly, and with new_string there the file would have a syntax error. ` +
      "The edit was taken back. Copy old_string exactly from the file, and check that new_string is complete.",
  );
}

function report(file: WorktreeFile, applied: readonly Applied[], isCurrent: boolean): string {
  const shown = quotePath(file.shown);
  const places = applied.map(({ lines }) => (lines.length === 1 ? `line ${lines[0]}` : `lines ${listLines(lines)}`));
  const total = applied.reduce((sum, { lines }) => sum + lines.length, 0);
  const first = applied[0];
  const loose = applied.flatMap(({ stage }, index) => {
    if (stage === "exact") return [];
    return [
      `Not an exact match${applied.length === 1 ? "" : ` (edit ${index + 1})`}: ${matchedBy[stage]}. Check the result.`,
    ];
  });
  const stale = isCurrent ? [] : [`The file had changed since you read it: call ${readCall(file.shown)} for the rest.`];
  const head = `Edited ${shown}: replaced ${total} place${total === 1 ? "" : "s"}, at ${places.join("; ")}.`;
  return [head, ...loose, ...stale, ...(first === undefined ? [] : [snippet(file.bytes, applied)])].join("\n");
}

/** The changed lines as they are now, with a few around them. */
function snippet(before: Buffer, applied: readonly Applied[]): string {
  const after = applied.at(-1)?.bytes ?? before;
  const [oldLines, newLines] = [before, after].map((bytes) => splitText(createFileText(bytes).text).lines);
  if (oldLines === undefined || newLines === undefined) return "";
  const shorter = Math.min(oldLines.length, newLines.length);
  let front = 0;
  while (front < shorter && oldLines[front] === newLines[front]) front += 1;
  let back = 0;
  while (back < shorter - front && oldLines.at(-1 - back) === newLines.at(-1 - back)) back += 1;
  const first = Math.max(0, front - aroundLines);
  const last = Math.min(newLines.length - back + aroundLines, first + snippetLinesMax, newLines.length);
  return showLines(newLines.slice(first, last), first + 1).join("\n");
}

function listLines(lines: readonly number[]): string {
  const shown = lines.slice(0, 10).join(", ");
  return lines.length > 10 ? `${shown}, …` : shown;
}
