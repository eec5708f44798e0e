import type { FilesPoint } from "../../core/task/task.ts";
import type { ChatMessage, ChatReply } from "../../model/chat.ts";
import type { TurnRecord } from "../transcript.ts";

/**
 * First record of an attempt's session. The turns that follow hang below each other; where `parent` is set, the first of them hangs
 * below a turn of an earlier attempt, so that all attempts of a task together are a tree.
 */
export interface SessionHeader {
  readonly kind: "session";
  readonly version: 1;
  readonly attempt: number;
  readonly parent?: SessionPoint & { readonly worker: string };
  readonly atMs: number;
  readonly model: string;
  /** Commit that the attempt's result is made against. */
  readonly base: string;
  /** sha256 over the tools' schemas, hex. */
  readonly toolsDigest: string;
  /** What the conversation starts with; absent in a branch, and where it is longer than a message may be. */
  readonly opening?: readonly ChatMessage[];
  /** In a branch: what the model was told at its beginning, behind the last message. */
  readonly note?: string;
}

/** The end of one turn of one attempt. */
export interface SessionPoint {
  readonly attempt: number;
  readonly turn: number;
  /** Where the files are not those after the turn, but of an earlier moment. */
  readonly files?: FilesPoint;
}

/** Stored before a command of a turn is run: without that turn's own record it may have run, or not. */
export interface StartedRecord {
  readonly kind: "started";
  readonly turn: number;
  readonly atMs: number;
  /** Each at most 1,000 characters. */
  readonly commands: readonly string[];
  /** Which call of the answer it is, from 0. */
  readonly call?: number;
  /** With the first command of an answer: whoever goes on need not ask for it again. */
  readonly answer?: RecordedAnswer;
}

/** A model's answer as it is kept before its calls are run; of answers for which the conversation was shortened there is none. */
export interface RecordedAnswer {
  /** As `TurnRecord.requestDigest`. */
  readonly requestDigest: string;
  readonly reply: ChatReply;
}

/** One message of a transcript. */
export type SessionRecord = SessionHeader | StartedRecord | TurnRecord;

/** What the agent knows of a session when it begins; the worker adds the rest of the header. */
export type SessionStart = Pick<SessionHeader, "toolsDigest" | "opening" | "note">;

/** A command that is about to run; `answer` is the same for all of one answer, and absent where it cannot be used again. */
export interface CommandStart extends Pick<StartedRecord, "answer"> {
  readonly turn: number;
  readonly call: number;
  readonly command: string;
}

/** A record as it is stored, with the attempt that wrote it. */
export interface StoredRecord {
  readonly attempt: number;
  readonly value: SessionRecord;
}

/** Of an opening that goes into the header, as JSON. */
export const openingBytesMax = 512 * 1_024;
/** Of an answer in a {@link StartedRecord}, as JSON. */
export const answerBytesMax = 256 * 1_024;
/** Longest command in a {@link StartedRecord}. */
export const commandCharsMax = 1_000;

/** Whether the record begins a session. */
export function isHeader(record: SessionRecord): record is SessionHeader {
  return "kind" in record && record.kind === "session";
}

/** Whether the record tells of a command that was about to run. */
export function isStarted(record: SessionRecord): record is StartedRecord {
  return "kind" in record && record.kind === "started";
}

/** Whether the record is a finished turn. */
export function isTurn(record: SessionRecord): record is TurnRecord {
  return !("kind" in record) && typeof record.turn === "number" && Array.isArray(record.calls);
}
