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
  /** Commands that it says it ran after its last change, and that succeeded. */
  readonly claims: readonly string[] | null;
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
    claims: z
      .preprocess(plainClaims, z.array(z.string()).nullable())
      .describe("The commands that you ran after the last change and that succeeded, as given to bash; null if none"),
  },
  run: async () => finishResult,
});

const claimsMax = 20;

/** Claims in whatever form a model sent them: a finish is not sent back for that. */
function plainClaims(value: unknown): readonly string[] | null {
  const list = Array.isArray(value) ? value : [value];
  const texts = list.flatMap((item) => {
    if (typeof item === "string") return item.split("\n");
    const command = typeof item === "object" && item !== null && "command" in item ? item.command : undefined;
    return typeof command === "string" ? [command] : [];
  });
  const claims = texts.map((text) => text.trim()).filter((text) => text !== "");
  return claims.length === 0 ? null : claims.slice(0, claimsMax);
}
