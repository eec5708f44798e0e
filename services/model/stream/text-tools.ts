import type { ChatMessage, ToolCall, ToolSchema } from "../chat.ts";
import { asRecord, parseJson } from "../recovery/json-text.ts";

/** How calls are written where the request has no `tools`: bare JSON that a schema forces, or marked text. */
export type TextForm = "envelope" | "text";

/**
 * The conversation for a request without `tools`: the tools described behind the system prompt, calls and results as text. Messages of
 * the same side that follow each other become one, because many templates want the sides to take turns.
 */
export function withTextTools(
  messages: readonly ChatMessage[],
  tools: readonly ToolSchema[],
  form: TextForm,
): readonly ChatMessage[] {
  const described = describeTools(tools, form);
  const plain: ChatMessage[] = [];
  const names = new Map<string, string>();
  for (const message of messages) {
    const next = toPlain(message, form, names);
    const last = plain.at(-1);
    if (last !== undefined && last.role === next.role) {
      plain[plain.length - 1] = { ...last, content: `${last.content}\n\n${next.content}` };
    } else plain.push(next);
  }
  const [first, ...rest] = plain;
  if (first?.role === "system") return [{ ...first, content: `${first.content}\n\n${described}` }, ...rest];
  return [{ role: "system", content: described }, ...plain];
}

function toPlain(message: ChatMessage, form: TextForm, names: Map<string, string>): ChatMessage {
  if (message.role === "tool") {
    const name = names.get(message.toolCallId) ?? "tool";
    return { role: "user", content: `<tool_response name="${name}">\n${message.content}\n</tool_response>` };
  }
  if (message.role !== "assistant") return message;
  const calls = message.toolCalls ?? [];
  for (const call of calls) names.set(call.id, call.name);
  const written = calls.map((call) => writeCall(call, form));
  const content = [message.content, ...written].filter((part) => part !== "").join("\n");
  return { role: "assistant", content, ...(message.reasoning ? { reasoning: message.reasoning } : {}) };
}

function writeCall(call: ToolCall, form: TextForm): string {
  const json = JSON.stringify({ name: call.name, arguments: asRecord(parseJson(call.arguments)) ?? {} });
  return form === "envelope" ? json : `<tool_call>\n${json}\n</tool_call>`;
}

function describeTools(tools: readonly ToolSchema[], form: TextForm): string {
  const lines = tools.map(({ name, description, parameters }) => JSON.stringify({ name, description, parameters }));
  const how =
    form === "envelope"
      ? 'Every answer is exactly one call, as one JSON object and nothing else: {"name": "TOOL", "arguments": {…}}'
      : 'Every answer ends with exactly one call, written so:\n<tool_call>\n{"name": "TOOL", "arguments": {…}}\n</tool_call>';
  return `# Tools\n\nYou act by calling tools:\n<tools>\n${lines.join("\n")}\n</tools>\n\n${how}`;
}

/** The JSON Schema of one call of any of the tools. */
export function envelopeSchema(tools: readonly ToolSchema[]): Record<string, unknown> {
  const calls = tools.map((tool) => ({
    type: "object",
    properties: { name: { type: "string", enum: [tool.name] }, arguments: tool.parameters },
    required: ["name", "arguments"],
    additionalProperties: false,
  }));
  return calls.length === 1 ? (calls[0] ?? {}) : { anyOf: calls };
}
