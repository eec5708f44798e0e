import type { ChatMessage } from "../../model/chat.ts";
import { clipEnd, clipMiddle } from "../clip.ts";

/** Messages before the first answer: the system prompt and the task. They stay byte for byte, for the engine's prefix cache. */
const openingMessages = 2;
/** Turns that are kept as they are; a turn is one answer with the results of its calls. */
const turnsKept = 5;
/** A result of at most this many characters is not worth a stub. */
const stubbedCharsMin = 400;

/** A conversation with old results replaced by one line each. */
export interface Pruned {
  readonly messages: readonly ChatMessage[];
  readonly freedChars: number;
}

/**
 * The same messages, with the results of all but the last five turns replaced by stubs that say what was dropped.
 * @param kept a result that holds one of these texts stays as it is.
 */
export function pruneResults(messages: readonly ChatMessage[], kept: readonly string[]): Pruned {
  const turns = turnsOf(messages);
  const calls = callsById(messages);
  let freedChars = 0;
  const stub = (message: ChatMessage): ChatMessage => {
    if (message.role !== "tool" || message.content.length < stubbedCharsMin) return message;
    if (kept.some((text) => message.content.includes(text))) return message;
    const content = `[result dropped to save room: ${calls.get(message.toolCallId) ?? "a call"}, ${message.content.length} characters; call again if it is needed]`;
    freedChars += Math.max(0, message.content.length - content.length);
    return content.length < message.content.length ? { ...message, content } : message;
  };
  const old = turns.slice(0, -turnsKept).flatMap((turn) => turn.map(stub));
  return { messages: [...messages.slice(0, openingMessages), ...old, ...turns.slice(-turnsKept).flat()], freedChars };
}

/**
 * Opening, summary, and the last turns within `recentCharsMax` characters: the older of them are shortened first, a call is never
 * parted from its result, and the last turn is always there.
 */
export function summarized(messages: readonly ChatMessage[], summary: string, recentCharsMax: number): ChatMessage[] {
  const recent: ChatMessage[][] = [];
  let leftChars = recentCharsMax;
  for (const turn of turnsOf(messages).slice(-turnsKept).toReversed()) {
    const fitting = fitTurn(turn, leftChars);
    if (fitting === undefined && recent.length > 0) break;
    const taken = fitting ?? fitTurn(turn, Number.POSITIVE_INFINITY, 2_000) ?? turn;
    leftChars = Math.max(0, leftChars - charsOf(taken));
    recent.unshift(taken);
  }
  return [
    ...messages.slice(0, openingMessages),
    // Chat templates such as Mistral's refuse two user messages in a row.
    { role: "assistant", content: "I have worked on this. What happened up to here was condensed." },
    { role: "user", content: summary },
    ...recent.flat(),
  ];
}

/** Characters that a conversation sends, calls and thoughts included. */
export function charsOf(messages: readonly ChatMessage[]): number {
  let chars = 0;
  for (const message of messages) {
    chars += message.content.length;
    if (message.role !== "assistant") continue;
    chars += message.reasoning?.length ?? 0;
    for (const call of message.toolCalls ?? []) chars += call.name.length + call.arguments.length;
  }
  return chars;
}

/** The turns after the opening; what the harness said belongs to the turn before it. */
function turnsOf(messages: readonly ChatMessage[]): ChatMessage[][] {
  const turns: ChatMessage[][] = [];
  for (const message of messages.slice(openingMessages)) {
    const current = turns.at(-1);
    if (message.role === "assistant" || current === undefined) turns.push([message]);
    else current.push(message);
  }
  return turns;
}

/** The turn with its results cut until it has at most `charsMax` characters; undefined where that cannot be. */
function fitTurn(turn: readonly ChatMessage[], charsMax: number, firstCut = 8_000): ChatMessage[] | undefined {
  if (charsOf(turn) <= charsMax && firstCut === 8_000) return [...turn];
  for (let resultChars = firstCut; resultChars >= 200; resultChars = Math.floor(resultChars / 2)) {
    const cut = turn.map((message) =>
      message.role === "tool" ? { ...message, content: clipMiddle(message.content, resultChars) } : message,
    );
    if (charsOf(cut) <= charsMax) return cut;
  }
  return undefined;
}

/** Call id to the call on one line. */
function callsById(messages: readonly ChatMessage[]): ReadonlyMap<string, string> {
  const calls = new Map<string, string>();
  for (const message of messages) {
    if (message.role !== "assistant") continue;
    for (const call of message.toolCalls ?? []) calls.set(call.id, `${call.name} ${clipEnd(call.arguments, 120)}`);
  }
  return calls;
}
