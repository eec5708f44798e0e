import { metrics } from "../platform/telemetry/metrics.ts";
import { currentTraceparent, inSpan } from "../platform/telemetry/tracer.ts";
import type { ChatModel } from "./chat.ts";

const tokens = metrics.counter(
  "agentd_tokens_total",
  "Tokens as the engine counted them; cached ones are part of input.",
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
          "agentd.waited_ms": Math.round(waitedMs),
        });
        tokens.add(inputTokens, { kind: "input" });
        tokens.add(cachedTokens, { kind: "cached" });
        tokens.add(outputTokens, { kind: "output" });
        requestSeconds.record((performance.now() - startedAtMs) / 1_000);
        return reply;
      });
    },
  };
}

function addressOf(endpoint: string): readonly [host: string, port: number | undefined] {
  const at = endpoint.lastIndexOf(":");
  const port = Number(endpoint.slice(at + 1));
  return at > 0 && Number.isInteger(port) ? [endpoint.slice(0, at), port] : [endpoint, undefined];
}
