import { isUtf8 } from "node:buffer";
import { z } from "zod";
import { clipEnd } from "../clip.ts";
import { ToolError } from "../tool-error.ts";
import { quotePath } from "../worktree-path.ts";
import { defineTool, wholeNumber } from "./tool.ts";

/** Claude Code's and gemini-cli's read limits (research: gemini-cli packages/core/src/utils/fileUtils.ts). */
const linesMax = 2_000;
const lineCharsMax = 2_000;
/** opencode's cap of one result (packages/opencode/src/tool/truncate.ts). */
const resultBytesMax = 50 * 1_024;
/** Largest file that read, edit and write touch. */
export const fileBytesMax = 10 * 1_024 * 1_024;

/** Shows a text file with line numbers, and lets edit and write change it afterwards. */
export const readTool = defineTool({
  name: "read",
  description:
    "Reads a text file. Each line comes as its number, a tab, then the text; the number and tab are not part of the file. " +
    "Shows at most 2000 lines and 50 KB; use offset and limit for more. A file must be read before edit or write may change it.",
  parameters: {
    file_path: z.string().describe("Path relative to the repository root"),
    offset: wholeNumber().nullable().describe("First line to show, from 1; null for 1"),
    limit: wholeNumber().nullable().describe("Number of lines; null for 2000"),
  },
  async run(args, context) {
    const offset = args.offset ?? 1;
    const limit = args.limit ?? linesMax;
    if (offset < 1 || limit < 1) throw new ToolError("offset and limit must be at least 1.");
    const file = await context.files.read(args.file_path, fileBytesMax);
    const text = decodeText(file.bytes, file.shown);
    context.ledger.note(file.real, file.bytes);
    if (text.length === 0) return `[${quotePath(file.shown)} is empty]`;
    return showLines(text, quotePath(file.shown), offset, Math.min(limit, linesMax));
  },
});

/** The text of a file without its byte order mark. @throws ToolError when it is binary or not UTF-8. */
export function decodeText(bytes: Buffer, shown: string): string {
  // git's own test for "binary": a NUL in the first 8,000 bytes (git: xdiff-interface.c, FIRST_FEW_BYTES).
  if (bytes.subarray(0, 8_000).includes(0)) {
    throw new ToolError(`${quotePath(shown)} is a binary file (${bytes.length} bytes): it cannot be shown or edited.`);
  }
  if (!isUtf8(bytes)) {
    throw new ToolError(
      `${quotePath(shown)} is not UTF-8 text (${bytes.length} bytes): it cannot be shown or edited here. Use bash.`,
    );
  }
  const text = bytes.toString("utf8");
  return text.charCodeAt(0) === 0xfeff ? text.slice(1) : text;
}

function showLines(text: string, shown: string, offset: number, limit: number): string {
  const lines = text.split("\n");
  const endsInNewline = lines.at(-1) === "";
  if (endsInNewline) lines.pop();
  if (offset > lines.length) {
    throw new ToolError(`${shown} has ${lines.length} lines; offset ${offset} is beyond its end.`);
  }
  const out: string[] = [];
  let bytes = 0;
  let next = offset;
  for (; next <= lines.length && next < offset + limit; next += 1) {
    const line = lines[next - 1] ?? "";
    const row = `${String(next).padStart(6)}\t${clipEnd(line.endsWith("\r") ? line.slice(0, -1) : line, lineCharsMax)}`;
    bytes += Buffer.byteLength(row) + 1;
    if (bytes > resultBytesMax && out.length > 0) break;
    out.push(row);
  }
  const notes: string[] = [];
  if (next <= lines.length) {
    notes.push(`lines ${offset}-${next - 1} of ${lines.length}; go on with "offset": ${next}`);
  }
  if (text.includes("\r\n")) notes.push("lines end in CRLF; edit keeps that by itself");
  if (!endsInNewline && next > lines.length) notes.push("no newline at the end of the file");
  return notes.length === 0 ? out.join("\n") : `${out.join("\n")}\n[${notes.join("; ")}]`;
}
