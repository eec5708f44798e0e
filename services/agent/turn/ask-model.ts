import { isAgentdError } from "../../core/errors.ts";
import type { ChatModel, ChatReply, ChatRequest } from "../../model/chat.ts";
import { type Compaction, type ConversationFitter, canShorten } from "../context/keep-fitting.ts";
import { createChantDetector } from "../guards/chant-detector.ts";
import type { Conversation } from "./conversation.ts";

/** The next answer of the model, or that the conversation cannot be made short enough for one. */
export type Answer =
  | {
      readonly reply: ChatReply;
      /** How the conversation was shortened before this answer, oldest first. */
      readonly compactions: readonly Compaction[];
      /** Answers that hold summaries: their tokens count. */
      readonly summaries: readonly ChatReply[];
    }
  | { readonly exhausted: string };

/** Asks for the next answer over a conversation that is made to fit the model's window first. */
export interface Asking {
  /**
   * @throws what the model throws, but CONTEXT_OVERFLOW while the conversation can still be shortened; the signal's reason.
   */
  ask(toolChoice: "auto" | "required", signal: AbortSignal): Promise<Answer>;
  /** How the last try went since the last answer, as the rest of a sentence; empty where none failed. */
  readonly trouble: string;
}

/** How often the conversation is shortened before one answer: results first, then all of it, then with less of the last turns. */
const shorteningsMax = 3;

/** Why a stream was cut; told to the model. */
export const chantReason = "it said the same words again and again";

/** Binds model, window and conversation of one attempt. `request` holds what is the same for all turns. */
export function createAsking(deps: {
  readonly model: ChatModel;
  readonly fitter: ConversationFitter;
  readonly conversation: Conversation;
  readonly request: Omit<ChatRequest, "messages" | "toolChoice" | "onFailure" | "onDelta">;
  /** Called after each call of the model, whichever way it ended. */
  onAsked(): void;
}): Asking {
  let tokensBefore = 0;
  let messagesBefore = 0;
  let trouble = "";
  const onFailure = (message: string) => {
    trouble = `; the last try to get an answer failed: ${message}`;
  };
  return {
    get trouble() {
      return trouble;
    },
    async ask(toolChoice, signal) {
      const compactions: Compaction[] = [];
      const summaries: ChatReply[] = [];
      let hasOverflowed = false;
      for (;;) {
        const request: ChatRequest = { ...deps.request, messages: [...deps.conversation.messages], toolChoice };
        const fitting = await deps.fitter.fit({ request, tokensBefore, messagesBefore, hasOverflowed }, signal);
        if (fitting.kind === "exhausted") return { exhausted: fitting.detail };
        if (fitting.kind === "shortened") {
          deps.conversation.replace(fitting.messages);
          compactions.push(fitting.compaction);
          if (fitting.reply !== undefined) summaries.push(fitting.reply);
          tokensBefore = 0;
        }
        try {
          const messages = [...deps.conversation.messages];
          const reply = await deps.model.chat({ ...request, messages, onFailure, onDelta: chantGuard() }, signal);
          trouble = "";
          const { inputTokens, outputTokens } = reply.usage;
          tokensBefore = inputTokens === 0 ? 0 : inputTokens + outputTokens;
          messagesBefore = messages.length + 1;
          return { reply, compactions, summaries };
        } catch (error) {
          const isOverflow = isAgentdError(error, "CONTEXT_OVERFLOW") && canShorten(deps.conversation.messages);
          if (!isOverflow || compactions.length >= shorteningsMax) throw error;
          hasOverflowed = true;
        } finally {
          deps.onAsked();
        }
      }
    },
  };
}

/** Cuts the stream as soon as the model chants, in its words or in its thoughts: the slot is worth more. */
function chantGuard(): NonNullable<ChatRequest["onDelta"]> {
  const detectors = { content: createChantDetector(), reasoning: createChantDetector() };
  // A file that is written may well repeat itself; the output cap bounds it.
  return ({ kind, text }) => (kind !== "arguments" && detectors[kind].push(text) ? chantReason : undefined);
}
