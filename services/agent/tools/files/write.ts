import { isUtf8 } from "node:buffer";
import { z } from "zod";
import { findPlaceholder } from "../../edit/placeholder.ts";
import { ToolError } from "../../tool-error.ts";
import { quotePath } from "../../worktree/worktree-path.ts";
import type { ToolContext } from "../tool.ts";
import { defineTool } from "../tool.ts";
import { changeFiles, encodeText, fileBytesMax, refuseBinary, requireCurrent } from "./change-file.ts";

/** Creates a file, or replaces one whose present content the model has read. */
export const writeTool = defineTool({
  name: "write",
  description:
    "Writes a whole file, creating it and its folders, or replacing it. An existing file must have been read before. " +
    "Use edit for changes in an existing file.",
  parameters: {
    file_path: z.string().describe("Path relative to the repository root"),
    content: z.string().describe("The complete new content"),
  },
  async run(args, context) {
    const bytes = encodeText(args.content, "content");
    const old = await readExisting(args.file_path, context);
    const placeholder = findPlaceholder(args.content, old === undefined ? [] : [old.toString("utf8")]);
    if (placeholder !== undefined) {
      throw new ToolError(
        `content holds a placeholder (${JSON.stringify(placeholder)}) instead of text. Write every line out, or use edit.`,
      );
    }
    const located = await context.files.locate(args.file_path);
    if (old?.equals(bytes)) {
      context.ledger.note(located.real, bytes);
      return `${quotePath(located.shown)} already has exactly this content; nothing was written.`;
    }
    await changeFiles([{ path: args.file_path, real: located.real, before: old, after: bytes }], context);
    context.ledger.note(located.real, bytes);
    const lines = countLines(bytes);
    if (old === undefined) return `Created ${quotePath(located.shown)} (${lines} lines, ${bytes.length} bytes).`;
    const lostCrlf = old.includes("\r\n") && !bytes.includes("\r\n");
    const note = lostCrlf ? " Note: its lines ended in CRLF before and end in LF now." : "";
    return `Replaced ${quotePath(located.shown)} (${lines} lines, ${bytes.length} bytes).${note}`;
  },
});

async function readExisting(path: string, context: ToolContext): Promise<Buffer | undefined> {
  const located = await context.files.locate(path);
  if (!located.exists) return undefined;
  const file = await context.files.read(path, fileBytesMax);
  refuseBinary(file.bytes, file.shown);
  if (!isUtf8(file.bytes)) {
    throw new ToolError(
      `${quotePath(file.shown)} is not UTF-8: writing it would change its encoding. Use edit or bash.`,
    );
  }
  requireCurrent(file, context);
  return file.bytes;
}

function countLines(bytes: Buffer): number {
  let lines = 0;
  for (const byte of bytes) if (byte === 10) lines += 1;
  return bytes.length > 0 && bytes.at(-1) !== 10 ? lines + 1 : lines;
}
