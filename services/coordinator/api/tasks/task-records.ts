import type { JsonObject, MessageInitShape } from "@bufbuild/protobuf";
import type { LogEntrySchema } from "../../../gen/agentd/v1/task_service_pb.ts";
import type { TranscriptItem } from "../../../platform/nats/messages/transcripts.ts";
import { time } from "../convert-resource.ts";

/** Where each attempt of one way through a task's sessions ends: its last turn. */
export type SessionWay = ReadonlyMap<number, number>;

/** Longest way that is followed. */
const attemptsMax = 100;

/** The attempts that lead to the end of `attempt`, by the headers among the items. */
export function wayTo(attempt: number, items: readonly TranscriptItem<unknown>[]): SessionWay {
  const way = new Map<number, number>([[attempt, Number.POSITIVE_INFINITY]]);
  for (let at = attempt; way.size < attemptsMax; ) {
    const headers = items.filter((item) => item.attempt === at).map(({ value }) => fieldsOf(value));
    const parent = fieldsOf(headers.find(({ kind }) => kind === "session")?.["parent"]);
    const [earlier, turn] = [Number(parent["attempt"]), Number(parent["turn"])];
    if (!Number.isSafeInteger(earlier) || earlier < 1 || earlier >= at || !(turn >= 0)) break;
    way.set(earlier, turn);
    at = earlier;
  }
  return way;
}

/** Whether the record lies on the way, or behind it: in an attempt that was granted later. */
export function isOnWay(way: SessionWay, item: TranscriptItem<unknown>): boolean {
  if (item.attempt > Math.max(...way.keys())) return true;
  const last = way.get(item.attempt);
  if (last === undefined) return false;
  const { kind, turn } = fieldsOf(item.value);
  return kind === "session" || (typeof turn === "number" && turn <= last);
}

/** The record as it is stored; nothing where it is no object. */
export function recordEntry(item: TranscriptItem<unknown>): MessageInitShape<typeof LogEntrySchema> | undefined {
  if (typeof item.value !== "object" || item.value === null || Array.isArray(item.value)) return undefined;
  const { atMs, turn } = fieldsOf(item.value);
  return {
    time: time(typeof atMs === "number" && Number.isFinite(atMs) ? atMs : item.timeMs),
    attempt: item.attempt,
    turn: typeof turn === "number" && Number.isSafeInteger(turn) && turn > 0 && turn < 1e6 ? turn : 0,
    // It was read as JSON.
    record: item.value as JsonObject,
  };
}

function fieldsOf(value: unknown): Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null ? Object.fromEntries(Object.entries(value)) : {};
}
