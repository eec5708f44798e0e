import type { OfferedTool } from "../brain.ts";
import type { WireMessage } from "../conversation.ts";
import { countTokens } from "../tokens.ts";

/** A refusal in vLLM's words and shape. */
export class RequestRefused extends Error {
  override readonly name = "RequestRefused";
  readonly status: number;
  readonly type: string;
  readonly param: string | null;

  constructor(status: number, type: string, message: string, param: string | null = null) {
    super(message);
    this.status = status;
    this.type = type;
    this.param = param;
  }
}

/** A chat request that passed vLLM's checks. */
export interface ChatInput {
  readonly messages: readonly WireMessage[];
  readonly tools: readonly OfferedTool[];
  /** The whole prompt as the tokenizer sees it: tools first, then the messages. */
  readonly prompt: string;
  readonly promptTokens: number;
  readonly isStreamed: boolean;
  readonly includesUsage: boolean;
  readonly outputTokensMax: number;
}

interface Limits {
  readonly model: string;
  readonly contextTokensMax: number;
}

type Body = Readonly<Record<string, unknown>>;

/** Checks a body as vLLM does. @throws RequestRefused */
export function readChatRequest(value: unknown, limits: Limits): ChatInput {
  const body = toObject(value) ?? refuse("the body must be a JSON object");
  checkModel(body, limits.model);
  const messages = readMessages(body["messages"]);
  const tools = readTools(body);
  const isStreamed = body["stream"] === true;
  const options = toObject(body["stream_options"]);
  if (options !== undefined && !isStreamed)
    refuse("Stream options can only be defined when `stream=True`.", "stream_options");
  const prompt = renderPrompt(body["tools"], messages);
  const promptTokens = countTokens(prompt);
  const asked = readCap(body);
  const left = limits.contextTokensMax - promptTokens;
  if (asked !== undefined && asked > limits.contextTokensMax) {
    refuse(
      `max_tokens=${asked} cannot be greater than max_model_len=${limits.contextTokensMax}. Please request fewer output tokens. (parameter=max_tokens, value=${asked})`,
      "max_tokens",
    );
  }
  if (left < 1 || (asked !== undefined && asked > left)) {
    // vLLM 0.32 shortens the answer where only that is too long; the versions before refuse it in these words.
    refuse(
      `You passed ${promptTokens} input tokens and requested ${asked ?? 1} output tokens. However, the model's context length is only ${limits.contextTokensMax} tokens, resulting in a maximum input length of ${Math.max(0, limits.contextTokensMax - (asked ?? 1))} tokens. Please reduce the length of the input prompt.`,
      "input_tokens",
    );
  }
  const choice = body["tool_choice"];
  return {
    messages,
    tools: choice === "none" ? [] : tools,
    prompt,
    promptTokens,
    isStreamed,
    includesUsage: !isStreamed || options?.["include_usage"] === true,
    outputTokensMax: asked ?? left,
  };
}

/** Reads the part of a chat request that `/tokenize` counts. @throws RequestRefused */
export function countPromptTokens(value: unknown, model: string): number {
  const body = toObject(value) ?? refuse("the body must be a JSON object");
  checkModel(body, model);
  if (typeof body["prompt"] === "string") return countTokens(body["prompt"]);
  return countTokens(renderPrompt(body["tools"], readMessages(body["messages"])));
}

function refuse(message: string, param: string | null = null): never {
  throw new RequestRefused(400, "BadRequestError", message, param);
}

function checkModel(body: Body, model: string): void {
  const asked = body["model"];
  if (asked === undefined || asked === null || asked === "" || asked === model) return;
  throw new RequestRefused(404, "NotFoundError", `The model \`${toText(asked)}\` does not exist.`, "model");
}

function readCap(body: Body): number | undefined {
  for (const name of ["max_completion_tokens", "max_tokens"]) {
    const value = body[name];
    if (value === undefined || value === null) continue;
    if (typeof value !== "number" || !Number.isInteger(value) || value < 1) {
      refuse(`${name} must be at least 1, got ${JSON.stringify(value)}.`, name);
    }
    return value as number;
  }
  return undefined;
}

function readTools(body: Body): OfferedTool[] {
  const tools = body["tools"];
  const choice = body["tool_choice"];
  if (tools === undefined || tools === null) {
    if (choice !== undefined && choice !== null && choice !== "none") {
      refuse("When using `tool_choice`, `tools` must be set.", "tool_choice");
    }
    return [];
  }
  if (!Array.isArray(tools)) return refuse("`tools` must be a list.", "tools");
  if (tools.length === 0)
    return refuse("`tools` must not be an empty array. Omit it or give at least one tool.", "tools");
  const offered = tools.map((tool) => {
    const fn = toObject(toObject(tool)?.["function"]);
    const name = fn?.["name"];
    if (typeof name !== "string" || name === "") return refuse("each tool needs `function.name`.", "tools");
    const required = toObject(fn?.["parameters"])?.["required"];
    return { name, required: Array.isArray(required) ? required.filter((item) => typeof item === "string") : [] };
  });
  const named = toObject(toObject(choice)?.["function"])?.["name"];
  if (named !== undefined && !offered.some((tool) => tool.name === named)) {
    refuse("The tool specified in `tool_choice` does not match any of the specified `tools`", "tool_choice");
  }
  return offered;
}

const roles = new Set(["system", "developer", "user", "assistant", "tool"]);

function readMessages(value: unknown): WireMessage[] {
  if (!Array.isArray(value) || value.length === 0)
    return refuse("`messages` must be a list with at least one message.", "messages");
  return value.map((item) => {
    const message = toObject(item) ?? refuse("each message must be an object.", "messages");
    const role = message["role"];
    if (typeof role !== "string" || !roles.has(role))
      return refuse(`Unexpected message role: ${String(role)}`, "messages");
    const calls = Array.isArray(message["tool_calls"]) ? message["tool_calls"].map(readCall) : [];
    return {
      role,
      content: readContent(message["content"]),
      reasoning: typeof message["reasoning"] === "string" ? message["reasoning"] : "",
      calls,
      toolCallId: typeof message["tool_call_id"] === "string" ? message["tool_call_id"] : "",
    };
  });
}

function readCall(value: unknown): WireMessage["calls"][number] {
  const call = toObject(value);
  const fn = toObject(call?.["function"]);
  const args = fn?.["arguments"];
  // Chat templates parse them: vLLM answers 400 to text that is no JSON.
  if (typeof args !== "string" || !isJson(args))
    return refuse("tool call arguments must be a JSON string.", "messages");
  return { id: toText(call?.["id"]), name: toText(fn?.["name"]), arguments: args };
}

function readContent(value: unknown): string {
  if (!Array.isArray(value)) return toText(value);
  return value.map((part) => toText(toObject(part)?.["text"])).join("");
}

/** Tools stand at the head, so that agents with the same tools share a prefix, as with real chat templates. */
function renderPrompt(tools: unknown, messages: readonly WireMessage[]): string {
  const head = tools === undefined || tools === null ? "" : JSON.stringify(tools);
  const parts = messages.map((message) => {
    const calls = message.calls.map((call) => `<call>${call.name}${call.arguments}</call>`).join("");
    return `<|${message.role}|>${message.reasoning}${message.content}${calls}`;
  });
  return `${head}${parts.join("")}<|assistant|>`;
}

function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}

function toText(value: unknown): string {
  return typeof value === "string" ? value : "";
}

function toObject(value: unknown): Body | undefined {
  return typeof value === "object" && value !== null && !Array.isArray(value) ? (value as Body) : undefined;
}
