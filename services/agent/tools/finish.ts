import { z } from "zod";
import { defineTool } from "./tool.ts";

/** Name of the tool that ends the attempt: the loop treats it apart. */
export const finishToolName = "finish";

/** What the call's result says; a finish that is not accepted gets another. */
export const finishResult = "The task is finished.";

/** What the model says at the end. */
export interface FinishClaim {
  readonly status: "done" | "blocked";
  readonly summary: string;
}

/** Ends the attempt. The loop reads the arguments; running it changes nothing. */
export const finishTool = defineTool({
  name: finishToolName,
  description:
    'Ends the task. "done": the change is complete. "blocked": it cannot be done as asked; say why in the summary. ' +
    "Call it alone, after everything else.",
  parameters: {
    status: z.enum(["done", "blocked"]),
    summary: z.string().describe("What was changed, or why it is blocked, in a few sentences"),
  },
  run: async () => finishResult,
});
