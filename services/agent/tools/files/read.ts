import { isUtf8 } from "node:buffer";
import { z } from "zod";
import { ToolError } from "../../tool-error.ts";
import { quotePath } from "../../worktree/worktree-path.ts";
import type { ToolContext } from "../tool.ts";
import { defineTool, wholeNumber } from "../tool.ts";
import { fileBytesMax, refuseBinary } from "./change-file.ts";
import { showLines } from "./show-lines.ts";

/** Claude Code's and gemini-cli's limit (gemini-cli: packages/core/src/utils/fileUtils.ts). */
const linesMax = 2_000;
/** opencode's cap of one result (packages/opencode/src/tool/truncate.ts). */
const resultBytesMax = 50 * 1_024;

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
    const { bytes, shown } = await readBytes(args.file_path, context);
    if (bytes.length === 0) return `[${shown} is empty]`;
    return showPage(bytes, shown, offset, Math.min(limit, linesMax));
  },
});

async function readBytes(path: string, context: ToolContext): Promise<{ bytes: Buffer; shown: string }> {
  const kept = await context.scratch.read(path, fileBytesMax);
  if (kept !== undefined) return { bytes: kept, shown: quotePath(path) };
  const file = await context.files.read(path, fileBytesMax);
  refuseBinary(file.bytes, file.shown);
  context.ledger.note(file.real, file.bytes);
  return { bytes: file.bytes, shown: quotePath(file.shown) };
}

function showPage(bytes: Buffer, shown: string, offset: number, limit: number): string {
  const text = bytes.toString("utf8").replace(/^\ufeff/u, "");
  const lines = text.split("\n");
  const endsInNewline = lines.at(-1) === "";
  if (endsInNewline) lines.pop();
  if (offset > lines.length) {
    throw new ToolError(`${shown} has ${lines.length} lines; offset ${offset} is beyond its end.`);
  }
  const rows = showLines(lines.slice(offset - 1, offset - 1 + limit), offset);
  let size = 0;
  const cut = rows.findIndex((row, index) => {
    size += Buffer.byteLength(row) + 1;
    return size > resultBytesMax && index > 0;
  });
  const out = cut === -1 ? rows : rows.slice(0, cut);
  const next = offset + out.length;
  const notes: string[] = [];
  if (next <= lines.length) {
    notes.push(`lines ${offset}-${next - 1} of ${lines.length}; go on with "offset": ${next}`);
  }
  if (text.includes("\r\n")) notes.push("lines end in CRLF; edit keeps that by itself");
  if (!isUtf8(bytes)) notes.push("not UTF-8: bytes shown as \ufffd stay as they are; only ASCII can be edited");
  if (!endsInNewline && next > lines.length) notes.push("no newline at the end of the file");
  return notes.length === 0 ? out.join("\n") : `${out.join("\n")}\n[${notes.join("; ")}]`;
}
