/** A tool's refusal or failure that the model is told about, word for word. Never ends the attempt. */
export class ToolError extends Error {
  override readonly name = "ToolError";
}
