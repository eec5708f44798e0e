import { createHash } from "node:crypto";
import type { ChatMessage } from "../chat.ts";

/**
 * Call ids as a model's template takes them, from the ids of the conversation. Mistral's takes nine letters and digits only
 * (vllm#47734); Kimi's wants `functions.NAME:INDEX` counted over the whole conversation, and loses its call format after a few turns of
 * other ids (vllm#29596). The same conversation always gives the same ids, and a longer one the same for its start.
 */
export function toWireIds(messages: readonly ChatMessage[], form: "any" | "nine" | "kimi"): (id: string) => string {
  if (form === "any") return (id) => id;
  if (form === "nine") return toNine;
  const renamed = new Map<string, string>();
  for (const message of messages) {
    if (message.role !== "assistant") continue;
    for (const call of message.toolCalls ?? []) {
      if (!renamed.has(call.id)) renamed.set(call.id, `functions.${call.name}:${renamed.size}`);
    }
  }
  return (id) => renamed.get(id) ?? id;
}

function toNine(id: string): string {
  if (/^[a-zA-Z0-9]{9}$/.test(id)) return id;
  return createHash("sha256").update(id).digest("hex").slice(0, 9);
}
