import OpenAI from "openai";
import type { ChatRequest, Rung } from "../chat.ts";
import type { ChatFailure } from "../chat-failure.ts";
import type { ModelProfile } from "../profile/model-profile.ts";
import type { Feature, ServerLimits } from "../profile/server-limits.ts";
import { type AnswerReader, type ChatTry, createAnswerReader } from "./answer-reader.ts";
import { toFailure } from "./to-failure.ts";
import { createWatchdog, type ModelClock, type Watchdog } from "./watchdog.ts";
import { toWireBody, toWireHeaders } from "./wire-request.ts";

interface OpenAiChatDeps {
  readonly baseUrl: string;
  readonly apiKey?: string;
  readonly model: string;
  readonly profile: ModelProfile;
  /** What this endpoint was found not to take; learnt from its refusals. */
  readonly limits: ServerLimits;
  readonly fetch: (url: string | URL | Request, init?: RequestInit) => Promise<Response>;
  readonly firstTokenTimeoutMs: number;
  readonly gapTimeoutMs: number;
  readonly clock: ModelClock;
  readonly newId: () => string;
}

/** One try with the rung at which it was made: at or above the one that was asked for. */
export type RungTry = ChatTry & { readonly rung: Rung };

/** Speaks Chat Completions to one endpoint. */
export interface OpenAiChat {
  /**
   * One streamed request; only a refused field makes it send a second one, without that field.
   * @param onOutput called at the first output.
   * @throws the signal's reason when aborted; every other trouble is in the returned failure.
   */
  run(request: ChatRequest, rung: Rung, onOutput: () => void, signal: AbortSignal): Promise<RungTry>;
}

// Each repetition drops another field; there are no more fields than this.
const refusalsMax = 12;
// A server that keeps the connection open behind `[DONE]` has nothing more to say; a kept connection saves the next one's start.
const closingMs = 500;

interface Attempt {
  readonly result: ChatTry;
  readonly sent: ReadonlySet<Feature>;
}

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

  const runOnce = async (
    request: ChatRequest,
    rung: Rung,
    onOutput: () => void,
    signal: AbortSignal,
  ): Promise<Attempt> => {
    const { body, sent } = toWireBody(request, {
      model: deps.model,
      profile: deps.profile,
      rung,
      takes: deps.limits.takes,
    });
    const watchdog = createWatchdog(deps);
    const onAbort = () => {
      watchdog.abort();
    };
    signal.addEventListener("abort", onAbort, { once: true });
    const reader = createAnswerReader(readerOptions(request, deps.newId));
    const progress: Progress = { hasOutput: false };
    try {
      signal.throwIfAborted();
      const params = body as unknown as OpenAI.ChatCompletionCreateParamsStreaming;
      const response = await client.chat.completions
        .create(params, { signal: watchdog.signal, headers: toWireHeaders(request) })
        .asResponse();
      await readBody({ response, reader, watchdog, request, onOutput, progress, clock: deps.clock });
    } catch (error) {
      signal.throwIfAborted();
      const failure = watchdog.failure ?? toFailure(error, progress.hasOutput, deps.clock.now());
      return { result: withoutParser(failure, reader), sent };
    } finally {
      watchdog.stop();
      signal.removeEventListener("abort", onAbort);
      // Closes the socket when the stream was left early; after its end this does nothing.
      watchdog.abort();
    }
    signal.throwIfAborted();
    if (watchdog.failure !== undefined) return { result: { ok: false, failure: watchdog.failure }, sent };
    return { result: reader.finish(progress.cutReason), sent };
  };

  return {
    async run(request, rung, onOutput, signal) {
      for (let left = refusalsMax; ; left -= 1) {
        const open = deps.limits.rungAtLeast(rung);
        const { result, sent } = await runOnce(request, open, onOutput, signal);
        if (result.ok || left === 0 || deps.limits.learn(result.failure, sent) === undefined) {
          return { ...result, rung: open };
        }
      }
    },
  };
}

function readerOptions(request: ChatRequest, newId: () => string) {
  const { messages, tools, outputTokensMax } = request;
  const isKnown = (text: string) =>
    messages.some(({ role, content }) => role !== "assistant" && content.includes(text));
  return { tools, outputTokensMax, newId, isKnown };
}

interface Progress {
  hasOutput: boolean;
  cutReason?: string;
}

interface BodyReading {
  readonly response: Response;
  readonly reader: AnswerReader;
  readonly watchdog: Watchdog;
  readonly request: ChatRequest;
  readonly onOutput: () => void;
  /** Updated on the way, so that it is known also after an error. */
  readonly progress: Progress;
  readonly clock: ModelClock;
}

/** Feeds the body to the reader until it ends, the answer is over, or the caller cuts it. */
async function readBody(reading: BodyReading): Promise<void> {
  const { response, reader, watchdog, request, onOutput, progress, clock } = reading;
  const body = response.body?.getReader();
  if (body === undefined) return;
  let stopClosing: (() => void) | undefined;
  try {
    for (;;) {
      const { done, value } = await body.read();
      if (done) return;
      // Behind its end only the end of the connection is waited for.
      if (stopClosing !== undefined) continue;
      const deltas = reader.push(value);
      watchdog.chunk(deltas.length > 0);
      if (deltas.length > 0 && !progress.hasOutput) {
        progress.hasOutput = true;
        onOutput();
      }
      for (const delta of deltas) {
        const cutReason = request.onDelta?.(delta);
        if (cutReason === undefined) continue;
        progress.cutReason = cutReason;
        return;
      }
      if (!reader.isOver) continue;
      if (!reader.isDone) return;
      watchdog.stop();
      stopClosing = clock.after(closingMs, () => {
        watchdog.abort();
      });
    }
  } catch (error) {
    // The answer was whole before the connection ended, however it ended.
    if (stopClosing === undefined) throw error;
  } finally {
    stopClosing?.();
  }
}

/** Groq refuses an answer that its parser cannot read, and gives its text: our own extraction may read it. */
function withoutParser(failure: ChatFailure, reader: AnswerReader): ChatTry {
  if (failure.kind !== "status" || failure.failedGeneration === undefined) return { ok: false, failure };
  const chunk = { choices: [{ delta: { content: failure.failedGeneration }, finish_reason: "stop" }] };
  reader.push(new TextEncoder().encode(`data: ${JSON.stringify(chunk)}\n\ndata: [DONE]\n\n`));
  const recovered = reader.finish();
  return recovered.ok && recovered.reply.toolCalls.length > 0 ? recovered : { ok: false, failure };
}
