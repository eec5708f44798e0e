import { z } from "zod";
import { ToolError } from "../tool-error.ts";
import { defineTool } from "./tool.ts";

/** Keeps a fact beyond any shortening of the conversation: the ledger of the attempt takes it from the call. */
export const noteTool = defineTool({
  name: "note",
  description:
    "Keeps a fact or decision for the rest of the task, even when older messages are dropped: a finding, a reason, what is left to do.",
  parameters: {
    text: z.string().describe("One fact, in a sentence or two"),
    remember: z
      .boolean()
      .nullable()
      .describe("true only for a fact about the repository that later tasks need too; else null"),
  },
  async run(args) {
    if (args.text.trim() === "") throw new ToolError("The note is empty.");
    return args.remember === true ? "Noted, also for later tasks if this one is accepted." : "Noted.";
  },
});
