import type { ChatMessage, ChatRequest, Rung, ToolCall, ToolSchema } from "../chat.ts";
import type { ModelProfile } from "../profile/model-profile.ts";
import type { Feature } from "../profile/server-limits.ts";
import { asRecord, parseJson } from "../recovery/json-text.ts";
import { envelopeSchema, withTextTools } from "./text-tools.ts";
import { toWireIds } from "./wire-ids.ts";

/** What the form of a request depends on. */
export interface WirePlan {
  readonly model: string;
  readonly profile: ModelProfile;
  readonly rung: Rung;
  readonly takes: (feature: Feature) => boolean;
}

/** A request's body, and the features in it that a server may refuse. */
export interface WireBody {
  readonly body: Readonly<Record<string, unknown>>;
  readonly sent: ReadonlySet<Feature>;
}

/** Writes a request in the form of Chat Completions. The same input gives the same bytes. */
export function toWireBody(request: ChatRequest, plan: WirePlan): WireBody {
  const sent = new Set<Feature>();
  /** Puts fields in where the server takes the feature, and notes that it was sent. */
  const withFeature = (feature: Feature, fields: Record<string, unknown>): Record<string, unknown> => {
    if (Object.keys(fields).length === 0 || !plan.takes(feature)) return {};
    sent.add(feature);
    return fields;
  };
  const hasTools = request.tools.length > 0;
  const isNative = hasTools && (plan.rung === "auto" || plan.rung === "required");
  const form = plan.rung === "envelope" ? "envelope" : "text";
  const messages = isNative || !hasTools ? request.messages : withTextTools(request.messages, request.tools, form);
  const canThink =
    messages.some((message) => message.role === "assistant" && message.reasoning) && plan.takes("reasoning");
  if (canThink && plan.profile.reasoningFields.length > 0) sent.add("reasoning");
  const templateArguments = plan.profile.templateArguments;
  const body = {
    model: plan.model,
    messages: toWireMessages(messages, plan.profile, canThink),
    // vLLM refuses an empty list, and a choice without tools.
    ...(isNative ? nativeTools(request.tools, plan, withFeature, sent) : {}),
    ...(hasTools && plan.rung === "envelope" ? withFeature("responseFormat", envelope(request.tools)) : {}),
    ...(Object.keys(templateArguments).length === 0
      ? {}
      : withFeature("templateArguments", { chat_template_kwargs: templateArguments })),
    ...capField(request, plan, sent),
    stream: true,
    ...withFeature("streamUsage", { stream_options: { include_usage: true } }),
  };
  return { body, sent };
}

type WithFeature = (feature: Feature, fields: Record<string, unknown>) => Record<string, unknown>;

function nativeTools(
  tools: readonly ToolSchema[],
  plan: WirePlan,
  withFeature: WithFeature,
  sent: Set<Feature>,
): Record<string, unknown> {
  sent.add("tools");
  sent.add(plan.rung === "auto" ? "autoChoice" : "requiredChoice");
  // Without `strict`, a real vLLM (0.32) gives calls of another shape even where a call is required.
  const strict = withFeature("strict", { strict: true });
  const isFull = plan.takes("fullSchemas");
  if (isFull) sent.add("fullSchemas");
  return {
    tools: tools.map((tool) => ({
      type: "function",
      function: {
        name: tool.name,
        description: tool.description,
        parameters: isFull ? tool.parameters : simplerSchema(tool.parameters),
        ...strict,
      },
    })),
    tool_choice: plan.rung,
  };
}

/** In OpenAI's form: vLLM's own field for it, `structured_outputs`, is ignored without a word by every other server. */
function envelope(tools: readonly ToolSchema[]): Record<string, unknown> {
  const schema = envelopeSchema(tools);
  return { response_format: { type: "json_schema", json_schema: { name: "call", strict: true, schema } } };
}

/** Only types and names: what every grammar compiler takes. The arguments are checked against the full schema anyway. */
function simplerSchema(schema: Readonly<Record<string, unknown>>): Record<string, unknown> {
  const properties = Object.entries(asRecord(schema["properties"]) ?? {}).map(([name, property]) => {
    const inner = asRecord(property) ?? {};
    const choices = Array.isArray(inner["anyOf"]) ? inner["anyOf"].map((choice) => asRecord(choice) ?? {}) : [inner];
    const main = choices.find((choice) => choice["type"] !== "null") ?? inner;
    const type = [main["type"]].flat().find((one) => one !== "null");
    const description = inner["description"];
    return [name, { ...(type === undefined ? {} : { type }), ...(description === undefined ? {} : { description }) }];
  });
  const required = (schema["required"] as readonly string[] | undefined) ?? [];
  return { type: "object", properties: Object.fromEntries(properties), required };
}

/** OpenAI's newer models refuse the older name of the cap, many servers know no other. */
function capField(request: ChatRequest, plan: WirePlan, sent: Set<Feature>): Record<string, unknown> {
  if (!plan.takes("shortCapField")) return { max_completion_tokens: request.outputTokensMax };
  sent.add("shortCapField");
  return { max_tokens: request.outputTokensMax };
}

/** The messages as a template of that profile takes them. */
export function toWireMessages(
  messages: readonly ChatMessage[],
  profile: ModelProfile,
  canThink: boolean,
): readonly Record<string, unknown>[] {
  const idOf = toWireIds(messages, profile.callIds);
  const fields = canThink ? profile.reasoningFields : [];
  const wire: Record<string, unknown>[] = [];
  for (const message of messages) {
    const last = wire.at(-1);
    if (profile.foldsUserIntoResult && message.role === "user" && last?.["role"] === "tool") {
      last["content"] = `${String(last["content"])}\n\n${message.content}`;
      continue;
    }
    wire.push(toWireMessage(message, fields, idOf));
  }
  return wire;
}

function toWireMessage(
  message: ChatMessage,
  reasoningFields: readonly string[],
  idOf: (id: string) => string,
): Record<string, unknown> {
  if (message.role === "tool") {
    return { role: "tool", tool_call_id: idOf(message.toolCallId), content: message.content };
  }
  if (message.role !== "assistant") return { role: message.role, content: message.content };
  const calls = message.toolCalls ?? [];
  const hasCalls = calls.length > 0;
  const { reasoning } = message;
  return {
    role: "assistant",
    content: hasCalls && message.content === "" ? null : message.content,
    // vLLM reads `reasoning`, DeepSeek and older servers `reasoning_content`; dropped thoughts would change the prompt's head.
    ...(reasoning ? Object.fromEntries(reasoningFields.map((field) => [field, reasoning])) : {}),
    ...(hasCalls ? { tool_calls: calls.map((call) => toWireCall(call, idOf)) } : {}),
  };
}

/** Chat templates parse the arguments of old calls: text that is no JSON object would fail every later turn. */
function toWireCall(call: ToolCall, idOf: (id: string) => string): Record<string, unknown> {
  const isObject = asRecord(parseJson(call.arguments)) !== undefined;
  const args = isObject ? call.arguments : JSON.stringify({ invalid_arguments: call.arguments.slice(0, 200) });
  return { id: idOf(call.id), type: "function", function: { name: call.name, arguments: args } };
}

/** Routers keep a session on one replica by these (production-stack, llm-d-router). */
export function toWireHeaders(request: Pick<ChatRequest, "affinityKey" | "traceparent">): Record<string, string> {
  const session = encodeURIComponent(request.affinityKey).slice(0, 256);
  return {
    "x-session-id": session,
    "x-session-affinity": session,
    ...(request.traceparent === undefined ? {} : { traceparent: request.traceparent }),
  };
}
