import { z } from "zod";
import { ToolError } from "../../tool-error.ts";
import { defineTool } from "../tool.ts";
import { editFile } from "./edit-file.ts";

const editsMax = 100;

/** Several replacements in one file, all or none. */
export const multiEditTool = defineTool({
  name: "multi_edit",
  description:
    "Makes several edits in one file that was read before, one after the other, each on the result of those before it. " +
    "If one cannot be made, none is. The rules of edit hold for each.",
  parameters: {
    file_path: z.string().describe("Path relative to the repository root"),
    edits: z.array(
      z.strictObject({
        old_string: z.string(),
        new_string: z.string(),
        replace_all: z.boolean().nullable(),
      }),
    ),
  },
  async run(args, context) {
    if (args.edits.length === 0) throw new ToolError("edits is empty: there is nothing to change.");
    if (args.edits.length > editsMax) throw new ToolError(`At most ${editsMax} edits are made in one call.`);
    const edits = args.edits.map((edit) => ({
      oldText: edit.old_string,
      newText: edit.new_string,
      all: edit.replace_all ?? false,
    }));
    return editFile(args.file_path, edits, context);
  },
});
