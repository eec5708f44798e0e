import { metrics } from "../platform/telemetry/metrics.ts";
import { currentTraceparent, inSpan } from "../platform/telemetry/spans/tracer.ts";
import type { ChatModel, ReplyEffort } from "./chat.ts";

const tokens = metrics.counter(
  "agentd_tokens_total",
  "Tokens as the engine counted them; cached ones are part of input.",
);
const answers = metrics.counter(
  "agentd_model_answers_total",
  "Model answers by the way in which tools were asked for: all, those with calls found in the text, those with mended calls.",
);
const discarded = metrics.counter(
  "agentd_discarded_answers_total",
  "Answers that were broken or empty and asked for again, with the tokens and seconds that they cost.",
);
const requestSeconds = metrics.histogram(
  "agentd_model_call_seconds",
  "Time of a model call, retries and waiting for the engine included.",
  [0.1, 0.5, 1, 2.5, 5, 10, 20, 30, 60, 120, 300, 600],
);

/**
 * `model`, each call in a span of its own, whose context goes to the engine. Names are those of OpenTelemetry's semantic
 * conventions for generative AI; neither prompts nor answers are recorded.
 * https://opentelemetry.io/docs/specs/semconv/gen-ai/gen-ai-spans/
 */
export function traceModel(model: ChatModel, name: string): ChatModel {
  return {
    async chat(request, signal) {
      const attributes = {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "openai",
        "gen_ai.request.model": name,
        "gen_ai.request.max_tokens": request.outputTokensMax,
        "gen_ai.request.stream": true,
      };
      const startedAtMs = performance.now();
      let waitingSinceMs: number | undefined;
      let waitedMs = 0;
      return await inSpan(`chat ${name}`, { kind: "client", attributes }, async (span) => {
        const traceparent = currentTraceparent() ?? request.traceparent;
        const reply = await model.chat(
          {
            ...request,
            ...(traceparent === undefined ? {} : { traceparent }),
            onWaiting(isWaiting) {
              if (isWaiting) waitingSinceMs ??= performance.now();
              else if (waitingSinceMs !== undefined) {
                waitedMs += performance.now() - waitingSinceMs;
                waitingSinceMs = undefined;
              }
              request.onWaiting?.(isWaiting);
            },
          },
          signal,
        );
        const { inputTokens, cachedTokens, outputTokens } = reply.usage;
        const [host, port] = addressOf(reply.endpoint);
        span.set({
          "gen_ai.usage.input_tokens": inputTokens,
          "gen_ai.usage.output_tokens": outputTokens,
          "gen_ai.usage.cache_read.input_tokens": cachedTokens,
          "server.address": host,
          ...(port === undefined ? {} : { "server.port": port }),
          "agentd.tool_calls": reply.toolCalls.length,
          "agentd.is_truncated": reply.isTruncated,
          ...(reply.effort === undefined
            ? {}
            : {
                "agentd.rung": reply.effort.rung,
                "agentd.recovered_calls": reply.effort.recoveredCalls,
                "agentd.discarded_answers": reply.effort.discardedReplies,
              }),
          "agentd.waited_ms": Math.round(waitedMs),
        });
        tokens.add(inputTokens, { kind: "input" });
        tokens.add(cachedTokens, { kind: "cached" });
        tokens.add(outputTokens, { kind: "output" });
        if (reply.effort !== undefined) recordEffort(reply.effort);
        requestSeconds.record((performance.now() - startedAtMs) / 1_000);
        return reply;
      });
    },
  };
}

function recordEffort(effort: ReplyEffort): void {
  const { rung } = effort;
  answers.add(1, { rung, kind: "all" });
  if (effort.recoveredCalls > 0) answers.add(1, { rung, kind: "recovered" });
  if (effort.repairs.length > 0) answers.add(1, { rung, kind: "mended" });
  if (effort.discardedReplies === 0) return;
  discarded.add(effort.discardedReplies, { kind: "answers" });
  discarded.add(effort.discardedTokens, { kind: "tokens" });
  discarded.add(effort.discardedMs / 1_000, { kind: "seconds" });
}

function addressOf(endpoint: string): readonly [host: string, port: number | undefined] {
  const at = endpoint.lastIndexOf(":");
  const port = Number(endpoint.slice(at + 1));
  return at > 0 && Number.isInteger(port) ? [endpoint.slice(0, at), port] : [endpoint, undefined];
}
