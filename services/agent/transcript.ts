import type { ChatUsage, ReplyEffort } from "../model/chat.ts";
import { clipEnd, clipMiddle } from "./clip.ts";
import type { Compaction } from "./context/keep-fitting.ts";

/** One call of a turn, as it is recorded. */
export interface CallRecord {
  /** The id under which its result was sent. */
  readonly id: string;
  readonly name: string;
  /** Raw text as the model wrote it. */
  readonly arguments: string;
  /** What the model was told. */
  readonly result: string;
  readonly durationMs: number;
  readonly isError: boolean;
  /** Files that it changed, in order. */
  readonly changed?: readonly FileChangeRecord[];
  /** True for a finish that was not accepted: `result` says why. */
  readonly isObjection?: boolean;
}

/** A file that a tool changed. */
export interface FileChangeRecord {
  /** Real path, relative to the root of the tree. */
  readonly path: string;
  /** sha256 of its bytes before, hex; null where there was no such file. */
  readonly before: string | null;
}

/** How often what was seen in a run, and what is used up. */
export interface RunCounts {
  /** Answers without a call since the last valid call. */
  readonly textTurns: number;
  readonly invalidTurns: number;
  /** Calls without any argument since the last call that had some. */
  readonly emptyCalls: number;
  /** Answers that were cut because the model chanted. */
  readonly chants: number;
  /** Times that the model was sent back to work after it had called finish. */
  readonly repairs: number;
  readonly hasWarned: boolean;
  /** Of the wall time. */
  readonly usedMs: number;
}

/** Of a run that begins. */
export const noCounts: RunCounts = {
  textTurns: 0,
  invalidTurns: 0,
  emptyCalls: 0,
  chants: 0,
  repairs: 0,
  hasWarned: false,
  usedMs: 0,
};

/** What it takes beside the rest of a turn's record to go on behind it. */
export interface TurnSession {
  /** As {@link TurnRecord.requestDigest}, after the turn. */
  readonly endDigest: string;
  /** The run ended with this turn. */
  readonly isLast: boolean;
  /** Appended to the last result. */
  readonly notes: string;
  /** What an answer without calls was answered. */
  readonly nudge: string;
  /** Files that the model has seen in this turn, with the digests of their bytes. */
  readonly known: readonly (readonly [path: string, digest: string])[];
  readonly counts: RunCounts;
}

/** The files as they were after a turn. */
export interface Checkpoint {
  /** One commit on the attempt's base, or the base itself. */
  readonly commit: string;
  /** Object in bucket `inbox` with the bundle `base..commit`; absent for the base. */
  readonly object?: string;
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
  readonly session?: TurnSession;
  /** Absent where it was not stored: nobody can go on behind this turn. */
  readonly checkpoint?: Checkpoint;
  /**
   * Object in bucket `inbox` with the bytes that changes of this turn replaced, where the turn before has them not: JSON, gzipped, of
   * digests to base64.
   */
  readonly images?: string;
  /** Object in bucket `inbox` with the record as JSON, where its texts are cut here. */
  readonly whole?: string;
}

/** A stored turn's JSON is never larger: well below the 1 MB that a NATS message may have. */
export const turnBytesMax = 256 * 1_024;
const callsMax = 256;

/** The record itself, or one with its texts cut, each with a note, so that its JSON has at most {@link turnBytesMax} bytes. */
export function boundTurnRecord(record: TurnRecord): TurnRecord {
  if (record.calls.length <= callsMax && Buffer.byteLength(JSON.stringify(record)) <= turnBytesMax) return record;
  const listed: TurnRecord = {
    ...record,
    calls: record.calls.slice(0, callsMax),
    callsOmitted: record.callsOmitted + Math.max(0, record.calls.length - callsMax),
  };
  for (let charsMax = 128_000; charsMax > 64; charsMax = Math.floor(charsMax / 2)) {
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
