import { z } from "zod";
import { findPlaceholder } from "../../edit/placeholder.ts";
import { ToolError } from "../../tool-error.ts";
import { quotePath } from "../../worktree/worktree-path.ts";
import type { ToolContext } from "../tool.ts";
import { defineTool } from "../tool.ts";
import { changeFiles, encodeText } from "./change-file.ts";
import { editFile } from "./edit-file.ts";

/** Replaces a unique piece of text; everything else keeps its bytes. */
export const editTool = defineTool({
  name: "edit",
  description:
    "Replaces old_string by new_string in a file that was read before. old_string must be copied exactly, white space included, " +
    "and occur once: add lines around it to make it unique, or set replace_all. An empty old_string creates a new file.",
  parameters: {
    file_path: z.string().describe("Path relative to the repository root"),
    old_string: z.string().describe("The exact text to replace, without line numbers"),
    new_string: z.string().describe("The text to put there"),
    replace_all: z.boolean().nullable().describe("true replaces every occurrence; null for false"),
  },
  async run(args, context) {
    if (args.old_string === args.new_string) {
      throw new ToolError("old_string and new_string are equal: there is nothing to change.");
    }
    if (args.old_string === "") return createFile(args.file_path, args.new_string, context);
    const edit = { oldText: args.old_string, newText: args.new_string, all: args.replace_all ?? false };
    return editFile(args.file_path, [edit], context);
  },
});

/** Creates a file that does not exist yet. @throws ToolError when it does. */
export async function createFile(path: string, text: string, context: ToolContext): Promise<string> {
  const bytes = encodeText(text, "new_string");
  const located = await context.files.locate(path);
  const shown = quotePath(located.shown);
  if (located.exists) {
    throw new ToolError(
      `${shown} exists already: an empty old_string only creates new files. Give the exact text to replace.`,
    );
  }
  const placeholder = findPlaceholder(text, []);
  if (placeholder !== undefined) {
    throw new ToolError(`new_string holds a placeholder (${JSON.stringify(placeholder)}) instead of text.`);
  }
  await changeFiles([{ path, real: located.real, before: undefined, after: bytes }], context);
  context.ledger.note(located.real, bytes);
  return `Created ${shown} (${bytes.length} bytes).`;
}
