import type { MessageInitShape } from "@bufbuild/protobuf";
import type { LogEntrySchema } from "../../../gen/agentd/v1/task_service_pb.ts";
import type { TranscriptItem } from "../../../platform/nats/messages/transcripts.ts";
import { time } from "../convert-resource.ts";

type LogEntry = MessageInitShape<typeof LogEntrySchema>;

/** A text of one line of the log. */
const textCharactersMax = 16_384;

/**
 * What a stored turn has for a reader: what the model said, what it took to get that, its calls with their results, and what an answer
 * without calls was answered. Workers write turns, so nothing of their shape is taken for granted.
 */
export function* logLines(item: TranscriptItem<unknown>): Generator<LogEntry, void, undefined> {
  const turn = record(item.value);
  const number = turn["turn"];
  const base = {
    time: time(typeof turn["atMs"] === "number" && Number.isFinite(turn["atMs"]) ? turn["atMs"] : item.timeMs),
    attempt: item.attempt,
    turn: typeof number === "number" && Number.isSafeInteger(number) && number > 0 && number < 1e6 ? number : 0,
  };
  const content = textOf(turn["content"]);
  if (content !== "") yield { ...base, source: "assistant", text: cut(content) };
  const effort = describeEffort(record(turn["effort"]));
  if (effort !== "") yield { ...base, source: "system", text: effort };
  const calls: readonly unknown[] = Array.isArray(turn["calls"]) ? turn["calls"] : [];
  for (const each of calls.slice(0, 256)) {
    const call = record(each);
    const name = textOf(call["name"]).slice(0, 64);
    yield { ...base, source: "assistant", name, text: cut(`${name} ${textOf(call["arguments"])}`) };
    yield { ...base, source: "tool", name, text: cut(textOf(call["result"])) };
  }
  const nudge = textOf(record(turn["session"])["nudge"]);
  if (nudge !== "") yield { ...base, source: "system", text: cut(`the model was told: ${nudge}`) };
}

/** The ways beside the ordinary one in which a model is asked for a call. */
const ways: Readonly<Record<string, string>> = {
  required: "the request said that a tool call is required",
  envelope: "a call was asked for as JSON of a given form",
  text: "a call was asked for as text",
};

/** What it took to get a usable answer; nothing for an ordinary one. */
function describeEffort(effort: Readonly<Record<string, unknown>>): string {
  const count = (name: string): number => {
    const value = effort[name];
    return typeof value === "number" && Number.isFinite(value) ? Math.max(0, Math.round(value)) : 0;
  };
  const rung = textOf(effort["rung"]);
  const way = Object.hasOwn(ways, rung) ? ways[rung] : undefined;
  const isText = rung === "envelope" || rung === "text";
  const recovered = count("recoveredCalls");
  const repairs = Array.isArray(effort["repairs"]) ? effort["repairs"].map((word) => textOf(word).slice(0, 16)) : [];
  const discarded = count("discardedReplies");
  const parts = [
    ...(way === undefined ? [] : [way]),
    // Where the call is text by agreement, it is no find.
    ...(recovered === 0 || isText
      ? []
      : [`${recovered} ${recovered === 1 ? "call was" : "calls were"} found in the text`]),
    ...(repairs.length === 0 ? [] : [`mended in the call: ${repairs.slice(0, 8).join(", ")}`]),
    ...(discarded === 0
      ? []
      : [
          `${discarded} unusable ${discarded === 1 ? "answer" : "answers"} before it (${count("discardedTokens")} tokens, ` +
            `${(count("discardedMs") / 1_000).toFixed(1)} s)`,
        ]),
  ];
  return parts.join("; ");
}

function record(value: unknown): Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null ? Object.fromEntries(Object.entries(value)) : {};
}

function textOf(value: unknown): string {
  return typeof value === "string" ? value : "";
}

function cut(text: string): string {
  return text.length > textCharactersMax ? `${text.slice(0, textCharactersMax - 1)}…` : text;
}
