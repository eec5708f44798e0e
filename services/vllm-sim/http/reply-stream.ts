import type { BrainReply } from "../brain.ts";
import { charactersPerToken, countTokens } from "../tokens.ts";

/** One streamed piece: the delta as it goes over the wire, and what it cost. */
export interface ReplyPiece {
  readonly delta: Readonly<Record<string, unknown>>;
  readonly tokens: number;
}

/** An answer cut into pieces and to its cap. */
export interface CutReply {
  readonly pieces: readonly ReplyPiece[];
  readonly outputTokens: number;
  readonly finishReason: "stop" | "tool_calls" | "length";
}

// Few events a stream: vLLM's --stream-interval does the same for agents. A long file still moves visibly.
const pieceTokensMin = 20;
const piecesMax = 64;

/** Cuts an answer into deltas as vLLM streams them: id and name of a call first, then its arguments in pieces; at the cap it ends. */
export function cutReply(reply: BrainReply, outputTokensMax: number, newId: () => string): CutReply {
  const pieces: ReplyPiece[] = [];
  let left = outputTokensMax;
  const add = (text: string, toDelta: (part: string) => Record<string, unknown>): boolean => {
    const size = Math.max(pieceTokensMin, Math.ceil(countTokens(text) / piecesMax)) * charactersPerToken;
    for (let from = 0; from < text.length; from += size) {
      const part = text.slice(from, Math.min(from + size, from + left * charactersPerToken));
      const tokens = countTokens(part);
      if (part !== "") pieces.push({ delta: toDelta(part), tokens });
      left -= tokens;
      if (left <= 0) return from + part.length >= text.length;
    }
    return true;
  };
  let isWhole = add(reply.reasoning, (reasoning) => ({ reasoning })) && add(reply.content, (content) => ({ content }));
  for (const [index, call] of reply.calls.entries()) {
    if (!isWhole || left <= 0) {
      isWhole = false;
      break;
    }
    const head = { index, id: newId(), type: "function", function: { name: call.name } };
    const tokens = countTokens(call.name);
    pieces.push({ delta: { content: null, tool_calls: [head] }, tokens });
    left -= tokens;
    isWhole = add(call.arguments, (part) => ({ tool_calls: [{ index, function: { arguments: part } }] }));
  }
  const outputTokens = Math.max(
    1,
    pieces.reduce((sum, piece) => sum + piece.tokens, 0),
  );
  const finishReason = !isWhole ? "length" : reply.calls.length > 0 ? "tool_calls" : "stop";
  return { pieces, outputTokens, finishReason };
}

/** The pieces put together again, for an answer in one document. */
export function joinPieces(pieces: readonly ReplyPiece[]): Record<string, unknown> {
  let content = "";
  let reasoning = "";
  const calls: { id: string; type: string; function: { name: string; arguments: string } }[] = [];
  for (const { delta } of pieces) {
    if (typeof delta["content"] === "string") content += delta["content"];
    if (typeof delta["reasoning"] === "string") reasoning += delta["reasoning"];
    for (const item of (delta["tool_calls"] ?? []) as {
      index: number;
      id?: string;
      function: { name?: string; arguments?: string };
    }[]) {
      const call = (calls[item.index] ??= {
        id: item.id ?? "",
        type: "function",
        function: { name: "", arguments: "" },
      });
      call.function.name += item.function.name ?? "";
      call.function.arguments += item.function.arguments ?? "";
    }
  }
  return {
    role: "assistant",
    content: content === "" && calls.length > 0 ? null : content,
    ...(reasoning === "" ? {} : { reasoning }),
    ...(calls.length === 0 ? {} : { tool_calls: calls }),
  };
}
