import { z } from "zod";
import { ToolError } from "../tool-error.ts";
import { quotePath } from "../worktree-path.ts";
import { fileBytesMax } from "./read.ts";
import type { ToolContext } from "./tool.ts";
import { defineTool } from "./tool.ts";

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
    const located = await context.files.locate(args.file_path);
    if (old?.equals(bytes)) {
      context.ledger.note(located.real, bytes);
      return `${quotePath(located.shown)} already has exactly this content; nothing was written.`;
    }
    await context.files.write(args.file_path, bytes);
    context.ledger.note(located.real, bytes);
    const lines = countLines(bytes);
    if (old === undefined) return `Created ${quotePath(located.shown)} (${lines} lines, ${bytes.length} bytes).`;
    const lostCrlf = old.includes("\r\n") && !bytes.includes("\r\n");
    const note = lostCrlf ? " Note: its lines ended in CRLF before and end in LF now." : "";
    return `Replaced ${quotePath(located.shown)} (${lines} lines, ${bytes.length} bytes).${note}`;
  },
});

/** The bytes of a text that the model wrote. @throws ToolError when it is too large or no valid Unicode. */
export function encodeText(text: string, name: string): Buffer {
  if (!text.isWellFormed()) throw new ToolError(`${name} is not valid Unicode (a lone surrogate).`);
  const bytes = Buffer.from(text, "utf8");
  if (bytes.length > fileBytesMax) throw new ToolError(`${name} is larger than ${fileBytesMax} bytes.`);
  return bytes;
}

/** @throws ToolError unless the model knows the present bytes of the file. */
export function requireCurrent(
  file: { readonly real: string; readonly shown: string; readonly bytes: Buffer },
  context: ToolContext,
): void {
  const call = `read with {"file_path": ${JSON.stringify(file.shown)}}`;
  const acquaintance = context.ledger.compare(file.real, file.bytes);
  if (acquaintance === "unread") {
    throw new ToolError(`You have not read ${quotePath(file.shown)} yet. Call ${call} first, then repeat this call.`);
  }
  if (acquaintance === "changed") {
    throw new ToolError(`${quotePath(file.shown)} has changed since you read it. Call ${call} again, then repeat.`);
  }
}

async function readExisting(path: string, context: ToolContext): Promise<Buffer | undefined> {
  const located = await context.files.locate(path);
  if (!located.exists) return undefined;
  const file = await context.files.read(path, fileBytesMax);
  requireCurrent(file, context);
  return file.bytes;
}

function countLines(bytes: Buffer): number {
  let lines = 0;
  for (const byte of bytes) if (byte === 10) lines += 1;
  return bytes.length > 0 && bytes.at(-1) !== 10 ? lines + 1 : lines;
}
