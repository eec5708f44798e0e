import { distance } from "fastest-levenshtein";
import { z } from "zod";
import { clipEnd } from "../clip.ts";
import { ToolError } from "../tool-error.ts";
import { quotePath } from "../worktree-path.ts";
import { decodeText, fileBytesMax } from "./read.ts";
import { linesWith, replaceText } from "./replace-text.ts";
import type { ToolContext } from "./tool.ts";
import { defineTool } from "./tool.ts";
import { encodeText, requireCurrent } from "./write.ts";

/** Lines compared for the "closest line" hint, and characters of each: bounds the work at some 10 ms. */
const hintLinesMax = 20_000;
const hintCharsMax = 160;

/** Replaces an exact and unique piece of text; everything else keeps its bytes. */
export const editTool = defineTool({
  name: "edit",
  description:
    "Replaces old_string by new_string in a file that was read before. old_string must match exactly, white space included, " +
    "and occur once: add lines around it to make it unique, or set replace_all. An empty old_string creates a new file.",
  parameters: {
    file_path: z.string().describe("Path relative to the repository root"),
    old_string: z.string().describe("The exact text to replace, without line numbers"),
    new_string: z.string().describe("The text to put there"),
    replace_all: z.boolean().nullable().describe("true replaces every occurrence; null for false"),
  },
  async run(args, context) {
    const newBytes = encodeText(args.new_string, "new_string");
    const oldBytes = encodeText(args.old_string, "old_string");
    if (oldBytes.equals(newBytes))
      throw new ToolError("old_string and new_string are equal: there is nothing to change.");
    if (oldBytes.length === 0) return createFile(args.file_path, newBytes, context);
    const file = await context.files.read(args.file_path, fileBytesMax);
    decodeText(file.bytes, file.shown);
    requireCurrent(file, context);
    const result = replaceText(file.bytes, oldBytes, newBytes, args.replace_all ?? false);
    if ("reason" in result) {
      throw new ToolError(
        result.reason === "ambiguous"
          ? ambiguous(result.lines, file.shown)
          : absent(file.bytes, file.shown, args.old_string, newBytes),
      );
    }
    if (result.bytes.length > fileBytesMax) throw new ToolError(`The file would grow beyond ${fileBytesMax} bytes.`);
    if (result.bytes.equals(file.bytes))
      throw new ToolError("The replacement leaves the file as it is: nothing to change.");
    await context.files.write(args.file_path, result.bytes);
    context.ledger.note(file.real, result.bytes);
    return `Edited ${quotePath(file.shown)}: ${describePlaces(result.lines)}.`;
  },
});

async function createFile(path: string, bytes: Buffer, context: ToolContext): Promise<string> {
  const located = await context.files.locate(path);
  if (located.exists) {
    throw new ToolError(
      `${quotePath(located.shown)} exists already: an empty old_string only creates new files. Give the exact text to replace.`,
    );
  }
  await context.files.write(path, bytes);
  context.ledger.note(located.real, bytes);
  return `Created ${quotePath(located.shown)} (${bytes.length} bytes).`;
}

function describePlaces(lines: readonly number[]): string {
  if (lines.length === 1) return `replaced 1 place, at line ${lines[0]}`;
  return `replaced ${lines.length} places, at lines ${listLines(lines)}`;
}

function ambiguous(lines: readonly number[], shown: string): string {
  return (
    `old_string occurs ${lines.length > 10 ? "more than 10" : lines.length} times in ${quotePath(shown)}, ` +
    `at lines ${listLines(lines)}. Add lines around it until it is unique, or set "replace_all": true. Nothing was changed.`
  );
}

function listLines(lines: readonly number[]): string {
  const shown = lines.slice(0, 10).join(", ");
  return lines.length > 10 ? `${shown}, …` : shown;
}

function absent(bytes: Buffer, shown: string, oldText: string, newBytes: Buffer): string {
  const hints: string[] = [];
  if (/^\s{0,8}\d{1,8}\t/mu.test(oldText))
    hints.push("Leave out the line numbers and tabs that read puts before each line.");
  const applied = newBytes.length >= 8 ? linesWith(bytes, newBytes) : [];
  if (applied.length > 0)
    hints.push(`new_string is there already, at line ${listLines(applied)}: this edit seems applied.`);
  const closest = closestLine(bytes.toString("utf8"), oldText);
  if (closest !== undefined) hints.push(closest);
  return `old_string does not occur in ${quotePath(shown)}. Nothing was changed. ${hints.join(" ")}`.trimEnd();
}

/** The line of the file that looks most like the first line of the wanted text that is missing from the file. */
function closestLine(text: string, oldText: string): string | undefined {
  const lines = text.split(/\r?\n/u, hintLinesMax);
  const present = new Set(lines);
  const wanted = oldText.split(/\r?\n/u, 1_000).find((line) => line.trim() !== "" && !present.has(line));
  if (wanted === undefined) return "Each of its lines occurs, but not in this order: read the file again.";
  const target = wanted.trim().slice(0, hintCharsMax);
  let best = { line: 0, score: Number.POSITIVE_INFINITY };
  for (const [index, line] of lines.entries()) {
    const candidate = line.trim().slice(0, hintCharsMax);
    if (Math.abs(candidate.length - target.length) >= best.score) continue;
    const score = distance(target, candidate);
    if (score < best.score) best = { line: index + 1, score };
  }
  const found = lines[best.line - 1];
  // Aider's similarity for "did you mean" is 0.6 (aider/coders/editblock_coder.py).
  if (found === undefined || best.score > target.length * 0.4) return undefined;
  const why = plain(wanted) === plain(found) ? " Only its white space differs." : "";
  return `Closest to ${JSON.stringify(clipEnd(wanted, 200))} is line ${best.line}: ${JSON.stringify(clipEnd(found, 200))}.${why}`;
}

function plain(line: string): string {
  return line.replaceAll(/\s/gu, "");
}
