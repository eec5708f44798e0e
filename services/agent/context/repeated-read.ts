import type { ChatMessage, ToolCall } from "../../model/chat.ts";

/** A shorter text costs less than a model that wonders where it is. */
const repeatedCharsMin = 2_000;
/** What the harness appends to results; no line of a file can begin so, for the read tool numbers them. */
const notesMark = "\n\n[agentd] ";
const marker = "[unchanged:";

/**
 * What to tell of the result of call `id`: for a read whose same text stands in the conversation as the result of the same call, one
 * line instead of the text. Once only: who asks a third time gets the text again. Depends on nothing but the messages, so that a
 * compaction that dropped the earlier result, or a rebuilt conversation, needs no care.
 */
export function withoutRepeatedRead(messages: readonly ChatMessage[], id: string, content: string): string {
  if (content.length < repeatedCharsMin) return content;
  const reads = readsById(messages);
  const wanted = reads.get(id);
  if (wanted === undefined) return content;
  const earlier = messages.findLast(
    (message) => message.role === "tool" && message.toolCallId !== id && reads.get(message.toolCallId) === wanted,
  );
  const text = withoutNotes(content);
  if (earlier === undefined || withoutNotes(earlier.content) !== text) return content;
  const line = `${marker} this part of the file is as in the earlier result of the same call, which is still above. Repeat the call to see it again.]`;
  return `${line}${content.slice(text.length)}`;
}

function withoutNotes(content: string): string {
  const at = content.indexOf(notesMark);
  return at === -1 ? content : content.slice(0, at);
}

/** Ids of read calls to what they read. */
function readsById(messages: readonly ChatMessage[]): ReadonlyMap<string, string> {
  const reads = new Map<string, string>();
  for (const message of messages) {
    if (message.role !== "assistant") continue;
    for (const call of message.toolCalls ?? []) if (call.name === "read") reads.set(call.id, rangeOf(call));
  }
  return reads;
}

/** Path and range, whatever the order of the arguments. The arguments of a stored call are always JSON. */
function rangeOf(call: ToolCall): string {
  const args = JSON.parse(call.arguments) as Record<string, unknown>;
  return JSON.stringify([args["file_path"], args["offset"] ?? null, args["limit"] ?? null]);
}
