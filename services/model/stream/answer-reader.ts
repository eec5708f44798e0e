import type { ChatDelta } from "../chat.ts";
import type { ChatFailure } from "../chat-failure.ts";
import { asRecord, parseJson } from "../recovery/json-text.ts";
import { type AssembledReply, type AssemblerOptions, createReplyAssembler } from "./assemble-reply.ts";
import { createSseParser, type SseEvent } from "./sse-parser.ts";
import { failureOfBody } from "./to-failure.ts";

/** The outcome of one try at one endpoint. */
export type ChatTry =
  | { readonly ok: true; readonly reply: AssembledReply }
  | { readonly ok: false; readonly failure: ChatFailure };

/** Reads the body of one streamed answer. */
export interface AnswerReader {
  /** Takes the next bytes; gives the output in them. */
  push(bytes: Uint8Array): readonly ChatDelta[];
  /** Nothing more needs to be read: the server said so, the answer failed, or it is too long. */
  readonly isOver: boolean;
  /** The server said that this is the end. */
  readonly isDone: boolean;
  /**
   * The answer, or why it is none. A stream that ended without both a finish reason and `[DONE]` broke: nothing of it is taken. With
   * `[DONE]` alone it counts when nothing in it looks cut.
   * @param cutReason why the reader's owner stopped early: what came is then text only.
   */
  finish(cutReason?: string): ChatTry;
}

// A server that ignores the output cap must not fill the memory: 32 characters a token are more than any tokenizer yields.
const charactersPerTokenMax = 32;
const charactersFloor = 1 << 20;

/** Creates the reader of one answer. */
export function createAnswerReader(options: AssemblerOptions): AnswerReader {
  const parser = createSseParser();
  const assembler = createReplyAssembler(options);
  const charactersMax = Math.max(charactersFloor, options.outputTokensMax * charactersPerTokenMax);
  let isDone = false;
  let failure: ChatFailure | undefined;

  const take = (events: readonly SseEvent[]): readonly ChatDelta[] => {
    const deltas: ChatDelta[] = [];
    for (const event of events) {
      if (isDone || failure !== undefined) break;
      if (event.data.startsWith("[DONE]")) {
        isDone = true;
        break;
      }
      const chunk = asRecord(parseJson(event.data));
      failure = failureOf(event, chunk);
      if (failure === undefined) deltas.push(...assembler.add(chunk));
    }
    return deltas;
  };
  const isOversized = () => assembler.characters > charactersMax;

  return {
    push(bytes) {
      try {
        return take(parser.push(bytes));
      } catch (error) {
        if (!(error instanceof RangeError)) throw error;
        failure = { kind: "brokenStream", message: error.message };
        return [];
      }
    },
    get isDone() {
      return isDone;
    },
    get isOver() {
      return isDone || failure !== undefined || isOversized();
    },
    finish(cutReason) {
      take(parser.end());
      if (failure !== undefined) return { ok: false, failure };
      const reply = assembler.finish();
      if (isOversized() || cutReason !== undefined) {
        const cut = { ...reply, toolCalls: [], recoveredCalls: 0, validCalls: 0, isTruncated: true };
        return { ok: true, reply: cutReason === undefined ? cut : { ...cut, cutReason } };
      }
      return judge(reply, isDone);
    },
  };
}

function failureOf(event: SseEvent, chunk: Readonly<Record<string, unknown>> | undefined): ChatFailure | undefined {
  if (chunk === undefined) return { kind: "brokenStream", message: "a chunk of the stream is no JSON object" };
  const error = chunk["error"];
  if (asRecord(error) !== undefined) return failureOfBody(asRecord(error));
  if (typeof error === "string") return failureOfBody({ ...chunk, message: error });
  return event.name === "error" || chunk["object"] === "error" ? failureOfBody(chunk) : undefined;
}

function judge(reply: AssembledReply, isDone: boolean): ChatTry {
  const { finishReason } = reply;
  const broken = (why: string): ChatTry => ({
    ok: false,
    failure: { kind: "brokenStream", message: `the stream ended without a result (${why})` },
  });
  if (finishReason === "abort" || finishReason === "error") return broken(`finish_reason ${finishReason}`);
  if (finishReason !== undefined) return { ok: true, reply };
  if (!isDone) return broken("finish_reason missing");
  const isEmpty = reply.toolCalls.length === 0 && reply.content.trim() === "" && reply.reasoning.trim() === "";
  // Some servers never give a finish reason. Without one only what fits its schema is known to be whole.
  if (isEmpty || reply.validCalls < reply.toolCalls.length)
    return broken("finish_reason missing, and nothing whole came");
  return { ok: true, reply: { ...reply, finishReason: "stop" } };
}
