import type { ServerResponse } from "node:http";
import type { Answer, Engine } from "../engine/engine.ts";
import { joinPieces } from "./reply-stream.ts";
import type { ChatInput } from "./request.ts";

/** Answers one chat, streamed or in one document. A client that goes away frees its slot at once. */
export function streamChat(engine: Engine, model: string, input: ChatInput, response: ServerResponse): void {
  const created = Math.floor(Date.now() / 1000);
  const envelope = (id: string, object: string, rest: Readonly<Record<string, unknown>>) => ({
    id,
    object,
    created,
    model,
    system_fingerprint: "simulated",
    ...rest,
  });
  const sendEvent = (rest: Readonly<Record<string, unknown>>) => {
    response.write(`data: ${JSON.stringify(envelope(answer.id, "chat.completion.chunk", rest))}\n\n`);
  };
  const sendDelta = (delta: unknown, finishReason: string | null = null) => {
    sendEvent({ choices: [{ index: 0, delta, logprobs: null, finish_reason: finishReason }] });
  };
  const begin = () => {
    // As with vLLM nothing is sent before the first output; then the role comes first.
    if (response.headersSent) return;
    response.writeHead(200, { "content-type": "text/event-stream; charset=utf-8", "cache-control": "no-cache" });
    sendDelta({ role: "assistant", content: "" });
  };

  const answer: Answer = engine.answer(input, {
    onPiece: (index) => {
      if (!input.isStreamed) return;
      begin();
      sendDelta(answer.reply.pieces[index]?.delta ?? {});
    },
    onBreak: () => {
      answer.cancel();
      if (!input.isStreamed) {
        response.destroy();
        return;
      }
      begin();
      // Only what has left is a stream that broke; destroyed at once, nothing of it would arrive.
      response.write(": simulated break\n\n", () => {
        response.destroy();
      });
    },
    onEnd: () => {
      const usage = toUsage(input, answer);
      if (!input.isStreamed) {
        const { pieces, finishReason } = answer.reply;
        const choice = { index: 0, message: joinPieces(pieces), logprobs: null, finish_reason: finishReason };
        const body = envelope(answer.id, "chat.completion", { choices: [choice], usage });
        response.writeHead(200, { "content-type": "application/json" }).end(JSON.stringify(body));
        return;
      }
      begin();
      sendDelta({}, answer.reply.finishReason);
      if (input.includesUsage) sendEvent({ choices: [], usage });
      response.end("data: [DONE]\n\n");
    },
  });
  response.on("close", () => {
    answer.cancel();
  });
}

function toUsage(input: ChatInput, answer: Answer): Record<string, unknown> {
  const { outputTokens } = answer.reply;
  return {
    prompt_tokens: input.promptTokens,
    completion_tokens: outputTokens,
    total_tokens: input.promptTokens + outputTokens,
    prompt_tokens_details: { cached_tokens: answer.cachedTokens },
  };
}
