import type { ChatUsage, ReplyEffort } from "../model/chat.ts";
import { clipEnd, clipMiddle } from "./clip.ts";
import type { Compaction } from "./context/keep-fitting.ts";

/** One call of a turn, as it is recorded. */
export interface CallRecord {
  readonly name: string;
  /** Raw text as the model wrote it. */
  readonly arguments: string;
  /** What the model was told. */
  readonly result: string;
  readonly durationMs: number;
  readonly isError: boolean;
}

/** One model answer and what was done with it: one message of the transcript stream. */
export interface TurnRecord {
  /** From 1. */
  readonly turn: number;
  /** Clock of the worker at the answer, milliseconds since the epoch. */
  readonly atMs: number;
  /** sha256 chain over everything sent, hex: two turns with the same digest were sent the same bytes. */
  readonly requestDigest: string;
  readonly toolChoice: "auto" | "required";
  readonly content: string;
  readonly reasoning: string;
  readonly isTruncated: boolean;
  readonly calls: readonly CallRecord[];
  /** Calls that are not listed, because there were too many. */
  readonly callsOmitted: number;
  /** With the tokens of summaries that were made for this turn. */
  readonly usage: ChatUsage;
  readonly endpoint: string;
  /** What it took to get the answer: how tools were asked for, what was recovered or mended, and what was thrown away. */
  readonly effort?: ReplyEffort;
  /** How the conversation was shortened before this answer, oldest first. */
  readonly compactions: readonly Compaction[];
}

/** A turn's JSON is never larger: well below the 1 MB that a NATS message may have. */
export const turnBytesMax = 256 * 1_024;
const callsMax = 256;

/** The record with its texts cut, each with a note, until its JSON has at most {@link turnBytesMax} bytes. */
export function boundTurnRecord(record: TurnRecord): TurnRecord {
  const listed: TurnRecord = {
    ...record,
    calls: record.calls.slice(0, callsMax),
    callsOmitted: record.callsOmitted + Math.max(0, record.calls.length - callsMax),
  };
  for (let charsMax = 64_000; charsMax > 64; charsMax = Math.floor(charsMax / 2)) {
    const cut = cutTexts(listed, charsMax);
    if (Buffer.byteLength(JSON.stringify(cut)) <= turnBytesMax) return cut;
  }
  return { ...cutTexts(listed, 64), calls: [], callsOmitted: record.callsOmitted + record.calls.length };
}

function cutTexts(record: TurnRecord, charsMax: number): TurnRecord {
  return {
    ...record,
    content: clipMiddle(record.content, charsMax),
    reasoning: clipMiddle(record.reasoning, charsMax),
    endpoint: record.endpoint.slice(0, 256),
    compactions: record.compactions.map((each) => ({ ...each, summary: clipMiddle(each.summary, charsMax) })),
    calls: record.calls.map((call) => ({
      ...call,
      name: clipEnd(call.name, 64),
      arguments: clipMiddle(call.arguments, charsMax),
      result: clipMiddle(call.result, charsMax),
    })),
  };
}

/** Markers of thoughts and of the chat format that some servers leave in the text (research: THOUGHT_LEAK). */
const thoughtBlock = /<(think|thinking|thought)>[\s\S]*?(?:<\/\1>|$)/giu;
const controlToken =
  /<\|[^|<>\n]{0,64}\|>|<\/?(?:think|thinking|thought|tool_call|tool_response)>|\[\/?(?:THINK|TOOL_CALLS|INST)\]|<function=[^<>\n]{0,64}>|<\/function>/giu;

/** What a model said, as a person may read it in a result: no thoughts, no control tokens, at most `charsMax` characters. */
export function plainText(text: string, charsMax: number): string {
  const readable = text
    .slice(0, 100_000)
    .replaceAll(thoughtBlock, "")
    .replaceAll(controlToken, "")
    // Control and bidirectional formatting characters: a terminal must not obey a model.
    .replaceAll(/[^\P{Cc}\n\t]|[\u200b-\u200f\u202a-\u202e\u2066-\u2069\ufeff]/gu, "")
    .trim();
  return clipEnd(readable, charsMax);
}
