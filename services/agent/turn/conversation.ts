import { createHash } from "node:crypto";
import type { ChatMessage, ChatReply, ToolCall, ToolSchema } from "../../model/chat.ts";
import { withoutRepeatedRead } from "../context/repeated-read.ts";
import { parseArguments } from "../tools/tool-set.ts";

/** The messages of one attempt: append-only between two compactions, so that each request is a prefix of the next one. */
export interface Conversation {
  readonly messages: readonly ChatMessage[];
  /** sha256 chain over the tools and all messages up to now, hex. */
  digest(): string;
  /** Appends the answer with its calls made safe to send again; returns these calls, in order. */
  addReply(reply: ChatReply, turn: number): readonly ToolCall[];
  /** Appends a result; one that stands here already is told in a line, see `withoutRepeatedRead`. */
  addToolResult(toolCallId: string, content: string): void;
  addUser(content: string): void;
  /** Goes on with these messages instead: a compaction. The digest starts anew. */
  replace(messages: readonly ChatMessage[]): void;
  /** Adds a paragraph to the last message. The digest starts anew. */
  amendLast(note: string): void;
}

/** Names the tools that a conversation is held with: sha256, hex. */
export function toolsDigest(tools: readonly ToolSchema[]): string {
  return createHash("sha256").update(JSON.stringify(tools)).digest("hex");
}

/** Starts with `opening`. */
export function createConversation(opening: readonly ChatMessage[], tools: readonly ToolSchema[]): Conversation {
  const messages: ChatMessage[] = [];
  const toolsText = JSON.stringify(tools);
  let hash = createHash("sha256").update(toolsText);
  const usedIds = new Set<string>();
  const add = (message: ChatMessage) => {
    messages.push(message);
    hash.update(`\n${JSON.stringify(message)}`);
  };
  const replace = (replacement: readonly ChatMessage[]) => {
    hash = createHash("sha256").update(toolsText);
    const kept = [...replacement];
    messages.length = 0;
    for (const message of kept) add(message);
  };
  for (const message of opening) add(message);
  return {
    messages,
    digest: () => hash.copy().digest("hex"),
    addReply(reply, turn) {
      const calls = reply.toolCalls.map((call, index) => ({ ...call, id: uniqueId(call.id, turn, index, usedIds) }));
      add({
        role: "assistant",
        // Servers refuse an assistant message that has neither text nor calls.
        content: reply.content === "" && calls.length === 0 ? "(no answer)" : reply.content,
        ...(reply.reasoning === "" ? {} : { reasoning: reply.reasoning }),
        ...(calls.length === 0 ? {} : { toolCalls: calls.map(resendable) }),
      });
      return calls;
    },
    addToolResult: (toolCallId, content) =>
      add({ role: "tool", toolCallId, content: withoutRepeatedRead(messages, toolCallId, content) }),
    addUser: (content) => add({ role: "user", content }),
    replace,
    amendLast(note) {
      const last = messages.at(-1);
      if (last !== undefined) replace([...messages.slice(0, -1), { ...last, content: `${last.content}\n\n${note}` }]);
    },
  };
}

/** Some servers give no id, or the same id to all calls; each result must find its call. */
function uniqueId(id: string, turn: number, index: number, used: Set<string>): string {
  const unique = id === "" || used.has(id) ? `call_${turn}_${index}` : id;
  used.add(unique);
  return unique;
}

/**
 * The call as it goes back to the server. Chat templates parse the arguments: one invalid JSON in the history makes every later
 * request fail (400 or 500), and odd names break templates, so neither is ever stored.
 */
function resendable(call: ToolCall): ToolCall {
  const name = /^[\w-]{1,64}$/u.test(call.name) ? call.name : "unknown";
  return { id: call.id, name, arguments: isJsonObject(call.arguments) ? call.arguments : repaired(call.arguments) };
}

function isJsonObject(text: string): boolean {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === "object" && value !== null && !Array.isArray(value);
  } catch {
    return false;
  }
}

function repaired(text: string): string {
  return JSON.stringify(parseArguments(text) ?? {});
}
