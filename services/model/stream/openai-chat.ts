import type { APIPromise } from "openai";
import OpenAI, { APIConnectionError, APIError } from "openai";
import type { ChatMessage, ChatRequest, ToolCall } from "../chat.ts";
import { asRecord, asText, parseJson } from "../recovery/call-arguments.ts";
import { type ChatFailure, readRetryAfter } from "../retry.ts";
import { type AssembledReply, createReplyAssembler } from "./assemble-reply.ts";

/** Time as the model room needs it; a test passes its own. */
export interface ModelClock {
  now(): number;
  /** Runs `run` after `delayMs`; the returned function takes it back. */
  after(delayMs: number, run: () => void): () => void;
}

/** The clock of this machine. */
export const systemModelClock: ModelClock = {
  now: () => Date.now(),
  after: (delayMs, run) => {
    const timer = setTimeout(run, Math.min(delayMs, 2 ** 31 - 1));
    return () => {
      clearTimeout(timer);
    };
  },
};

/** The outcome of one try at one endpoint. */
export type ChatTry =
  | { readonly ok: true; readonly reply: AssembledReply }
  | { readonly ok: false; readonly failure: ChatFailure };

interface OpenAiChatDeps {
  readonly baseUrl: string;
  readonly apiKey?: string;
  readonly model: string;
  readonly fetch: (url: string | URL | Request, init?: RequestInit) => Promise<Response>;
  readonly firstTokenTimeoutMs: number;
  readonly gapTimeoutMs: number;
  readonly clock: ModelClock;
  readonly newId: () => string;
}

/** Speaks Chat Completions to one endpoint. */
export interface OpenAiChat {
  /**
   * One streamed request, without any retry.
   * @param onOutput called at the first output.
   * @throws the signal's reason when aborted; every other trouble is in the returned failure.
   */
  run(request: ChatRequest, onOutput: () => void, signal: AbortSignal): Promise<ChatTry>;
}

// A server that ignores the output cap must not fill the memory: 32 characters a token are more than any tokenizer yields.
const charactersPerTokenMax = 32;
const charactersFloor = 1 << 20;

/** Creates the adapter for one endpoint. The SDK's own retries, time-outs, logging and environment variables are off. */
export function createOpenAiChat(deps: OpenAiChatDeps): OpenAiChat {
  const client = new OpenAI({
    baseURL: deps.baseUrl,
    apiKey: deps.apiKey ?? "none",
    adminAPIKey: null,
    organization: null,
    project: null,
    webhookSecret: null,
    // Our watchdogs decide: the SDK's clock stops at the headers and knows nothing of a stalled stream.
    timeout: 2 ** 31 - 1,
    maxRetries: 0,
    logLevel: "off",
    fetch: deps.fetch,
    ...(deps.apiKey === undefined ? { defaultHeaders: { Authorization: null } } : {}),
  });
  let capField: "max_tokens" | "max_completion_tokens" = "max_tokens";

  const runOnce = async (request: ChatRequest, onOutput: () => void, signal: AbortSignal): Promise<ChatTry> => {
    const watchdog = createWatchdog(deps);
    const onAbort = () => {
      watchdog.abort();
    };
    signal.addEventListener("abort", onAbort, { once: true });
    const assembler = createReplyAssembler({
      tools: request.tools,
      outputTokensMax: request.outputTokensMax,
      newId: deps.newId,
    });
    const charactersMax = Math.max(charactersFloor, request.outputTokensMax * charactersPerTokenMax);
    let hasOutput = false;
    let cutReason: string | undefined;
    try {
      signal.throwIfAborted();
      const body = toBody(deps.model, request, capField) as unknown as OpenAI.ChatCompletionCreateParamsStreaming;
      const pending: APIPromise<AsyncIterable<unknown>> = client.chat.completions.create(body, {
        signal: watchdog.signal,
        headers: toHeaders(request),
      });
      for await (const chunk of await pending) {
        const deltas = assembler.add(chunk);
        const isOutput = deltas.length > 0;
        watchdog.chunk(isOutput);
        if (isOutput && !hasOutput) {
          hasOutput = true;
          onOutput();
        }
        for (const delta of deltas) cutReason ??= request.onDelta?.(delta);
        if (cutReason !== undefined || assembler.characters > charactersMax) break;
      }
    } catch (error) {
      signal.throwIfAborted();
      return { ok: false, failure: watchdog.failure ?? toFailure(error, hasOutput, deps.clock.now()) };
    } finally {
      watchdog.stop();
      signal.removeEventListener("abort", onAbort);
      // Closes the socket when the stream was left early; after its end this does nothing.
      watchdog.abort();
    }
    signal.throwIfAborted();
    if (watchdog.failure !== undefined) return { ok: false, failure: watchdog.failure };
    return judge(assembler.finish(), { isOversized: assembler.characters > charactersMax, cutReason });
  };

  return {
    async run(request, onOutput, signal) {
      const first = await runOnce(request, onOutput, signal);
      if (first.ok || first.failure.kind !== "status" || !wantsOtherCapField(first.failure, capField)) return first;
      capField = "max_completion_tokens";
      return await runOnce(request, onOutput, signal);
    },
  };
}

/** OpenAI's newer models refuse the older name of the cap, many servers know no other. */
function wantsOtherCapField(failure: Extract<ChatFailure, { kind: "status" }>, capField: string): boolean {
  return capField === "max_tokens" && failure.status === 400 && /max_completion_tokens/.test(failure.message);
}

interface EarlyEnd {
  readonly isOversized: boolean;
  readonly cutReason: string | undefined;
}

function judge(reply: AssembledReply, { isOversized, cutReason }: EarlyEnd): ChatTry {
  if (isOversized || cutReason !== undefined) {
    const cut = { ...reply, toolCalls: [], isTruncated: true };
    return { ok: true, reply: cutReason === undefined ? cut : { ...cut, cutReason } };
  }
  if (reply.finishReason === undefined || reply.finishReason === "abort" || reply.finishReason === "error") {
    const message = `the stream ended without a result (finish_reason ${reply.finishReason ?? "missing"})`;
    return { ok: false, failure: { kind: "brokenStream", message } };
  }
  return { ok: true, reply };
}

interface Watchdog {
  readonly signal: AbortSignal;
  /** Set once a time-out fired. */
  readonly failure: ChatFailure | undefined;
  chunk(isOutput: boolean): void;
  abort(): void;
  stop(): void;
}

/** Two clocks: until the first output (a role alone is none: some servers send it before they prefill), then between chunks. */
function createWatchdog(deps: OpenAiChatDeps): Watchdog {
  const controller = new AbortController();
  let failure: ChatFailure | undefined;
  let hasOutput = false;
  const arm = (kind: "firstTokenTimeout" | "gapTimeout", delayMs: number, what: string) =>
    deps.clock.after(delayMs, () => {
      failure = { kind, message: `${what} within ${Math.round(delayMs / 100) / 10} s` };
      controller.abort();
    });
  let disarm = arm("firstTokenTimeout", deps.firstTokenTimeoutMs, "no first token");
  return {
    signal: controller.signal,
    get failure() {
      return failure;
    },
    chunk(isOutput) {
      hasOutput ||= isOutput;
      if (!hasOutput) return;
      disarm();
      disarm = arm("gapTimeout", deps.gapTimeoutMs, "the stream went on with nothing");
    },
    abort() {
      controller.abort();
    },
    stop() {
      disarm();
    },
  };
}

function toBody(model: string, request: ChatRequest, capField: string): Record<string, unknown> {
  const tools = request.tools.map((tool) => ({
    type: "function",
    function: { name: tool.name, description: tool.description, parameters: tool.parameters, strict: true },
  }));
  return {
    model,
    messages: request.messages.map(toWireMessage),
    // vLLM refuses an empty list, and a choice without tools.
    ...(tools.length === 0 ? {} : { tools, tool_choice: request.toolChoice }),
    [capField]: request.outputTokensMax,
    stream: true,
    stream_options: { include_usage: true },
  };
}

function toWireMessage(message: ChatMessage): Record<string, unknown> {
  if (message.role === "tool") {
    return { role: "tool", tool_call_id: message.toolCallId, content: message.content };
  }
  if (message.role !== "assistant") return { role: message.role, content: message.content };
  const calls = message.toolCalls ?? [];
  const hasCalls = calls.length > 0;
  return {
    role: "assistant",
    content: hasCalls && message.content === "" ? null : message.content,
    // vLLM reads `reasoning`, DeepSeek and older servers `reasoning_content`; dropped thoughts would change the prompt's head.
    ...(message.reasoning ? { reasoning: message.reasoning, reasoning_content: message.reasoning } : {}),
    ...(hasCalls ? { tool_calls: calls.map(toWireCall) } : {}),
  };
}

/** Chat templates parse the arguments of old calls: text that is no JSON object would fail every later turn. */
function toWireCall(call: ToolCall): Record<string, unknown> {
  const isObject = asRecord(parseJson(call.arguments)) !== undefined;
  const args = isObject ? call.arguments : JSON.stringify({ invalid_arguments: call.arguments.slice(0, 200) });
  return { id: call.id, type: "function", function: { name: call.name, arguments: args } };
}

/** Routers keep a session on one replica by these (production-stack, llm-d-router). */
function toHeaders(request: ChatRequest): Record<string, string> {
  const session = encodeURIComponent(request.affinityKey).slice(0, 256);
  return {
    "x-session-id": session,
    "x-session-affinity": session,
    ...(request.traceparent === undefined ? {} : { traceparent: request.traceparent }),
  };
}

/** Turns whatever the SDK threw into a failure. */
function toFailure(error: unknown, hasOutput: boolean, nowMs: number): ChatFailure {
  if (error instanceof APIConnectionError) {
    const message = describeCause(error);
    // A connection that stood and was reset says nothing of the endpoint: if the engine died, the next try is refused.
    const isReset = /ECONNRESET|EPIPE|socket hang up/.test(message);
    return { kind: hasOutput || isReset ? "brokenStream" : "connect", message };
  }
  if (!(error instanceof APIError)) {
    // The body ended or was no SSE: a reset before any output is also an engine that went down.
    return { kind: "brokenStream", message: describeCause(error) };
  }
  const body = asRecord(error.error) ?? readOtherShape(error.message);
  const codeNumber = Number(body?.["code"]);
  // An error object inside a stream has no HTTP status; vLLM writes it into `code`.
  const inStream = Number.isInteger(codeNumber) && codeNumber >= 400 && codeNumber < 600 ? codeNumber : undefined;
  const status: number | undefined = error.status ?? inStream;
  const message = (asText(body?.["message"]) || asText(body?.["detail"]) || plainPage(error.message)).slice(0, 4_000);
  if (status === undefined) return { kind: "brokenStream", message };
  const param = asText(body?.["param"]);
  const code = [asText(body?.["code"]), asText(body?.["type"])].join(" ").trim();
  const retryAfterMs = readRetryAfter(error.headers, nowMs);
  return {
    kind: "status",
    status,
    message,
    ...(param === "" ? {} : { param }),
    ...(code === "" ? {} : { code }),
    ...(retryAfterMs === undefined ? {} : { retryAfterMs }),
  };
}

/** The words of a web page: proxies, and servers of another kind, answer with HTML. */
function plainPage(message: string): string {
  if (!/<(?:!doctype|html)\b/i.test(message)) return message;
  const text = message.replace(/<(style|script|head)\b[\s\S]{0,20000}?<\/\1>/gi, " ").replace(/<[^>]{0,2000}>/g, " ");
  return text.replace(/\s+/g, " ").trim().slice(0, 300);
}

/** A body without an `error` object (older vLLM, FastAPI) is in the SDK's message only, behind the status. */
function readOtherShape(message: string): Readonly<Record<string, unknown>> | undefined {
  return asRecord(parseJson(message.replace(/^\d{3} /, "")));
}

/** The innermost message: the SDK's "Connection error." says nothing, its cause says ECONNREFUSED. */
function describeCause(error: unknown): string {
  let inner: unknown = error;
  for (let depth = 0; depth < 5 && inner instanceof Error && inner.cause instanceof Error; depth += 1) {
    inner = inner.cause;
  }
  if (!(inner instanceof Error)) return String(inner);
  const code = asText(asRecord(inner)?.["code"]);
  // Node's AggregateError of a refused dual-stack connection has an empty message.
  return inner.message === "" ? code || inner.name : inner.message;
}
