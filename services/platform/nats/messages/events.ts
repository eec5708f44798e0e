import type { NatsLink } from "../connect.ts";
import { withLink } from "../connect.ts";
import { streamNames, subjects } from "../subjects.ts";
import { readSubject } from "./subject-reader.ts";

/** Something that happened to a resource, for people. */
export interface AgentdEvent {
  /** Milliseconds since the epoch. */
  readonly timeMs: number;
  readonly type: "Normal" | "Warning";
  /** CamelCase. */
  readonly reason: string;
  readonly message: string;
  readonly involved: {
    /** Job, Task or Worker. */
    readonly kind: string;
    readonly name: string;
    readonly uid: string;
    /** Of a job and its tasks; absent in older events. */
    readonly namespace?: string;
    readonly job?: string;
  };
  /** How often the same thing happened in a row; 1 the first time. */
  readonly count: number;
}

/** Longest message of an event; longer ones are cut. */
const messageCharsMax = 1_024;

/** Appends an event of a job or worker (`task` undefined), or of one of a job's tasks. Coordinators only. @throws STORE_UNAVAILABLE */
export async function appendEvent(
  link: NatsLink,
  of: { readonly uid: string; readonly task: string | undefined },
  event: AgentdEvent,
  signal: AbortSignal,
): Promise<void> {
  const { message } = event;
  const cut = message.length > messageCharsMax ? `${message.slice(0, messageCharsMax - 1)}…` : message;
  const subject = subjects.event(of.uid, of.task);
  const options = { timeout: link.requestTimeoutMs, retries: 0 };
  const publish = () => link.js.publish(subject, JSON.stringify({ ...event, message: cut }), options);
  await withLink(link, `storing an event of ${event.involved.name}`, publish, signal);
}

/** An event has about a kilobyte. */
const windowEvents = 128;

/** What {@link readEvents} reads. */
export interface EventQuery {
  /** Of this job or worker; absent = all. */
  readonly uid?: string;
  /** Absent = the job and all of its tasks; "_" = only the job itself. */
  readonly task?: string;
  /** Begins here; default: with the oldest that is stored. */
  readonly fromSeq?: number;
  /** True = goes on with what is written later, until `signal` aborts. */
  readonly follow: boolean;
}

/** An event and its place among all. */
export interface StoredEvent {
  readonly event: AgentdEvent;
  readonly seq: number;
}

/** Events in order. @throws STORE_UNAVAILABLE; WATCH_EXPIRED when the reader is too slow */
export async function* readEvents(
  link: NatsLink,
  query: EventQuery,
  signal: AbortSignal,
): AsyncGenerator<StoredEvent, void, undefined> {
  const { fromSeq = 1, follow } = query;
  const read = { stream: streamNames.events, filter: filterOf(query), fromSeq, follow, window: windowEvents };
  for await (const { value, seq } of readSubject(link, read, signal)) {
    // Only coordinators write here.
    yield { event: value as AgentdEvent, seq };
  }
}

function filterOf({ uid, task }: EventQuery): string {
  if (uid === undefined) return subjects.allEvents;
  return task === undefined ? subjects.eventsOf(uid) : subjects.event(uid, task === "_" ? undefined : task);
}

/** Places of the oldest event that is stored and of the newest that was; nothing is stored where the first is greater. */
export async function eventRange(
  link: NatsLink,
  signal: AbortSignal,
): Promise<{ readonly firstSeq: number; readonly lastSeq: number }> {
  const ask = () => link.jsm.streams.info(streamNames.events);
  const { state } = await withLink(link, "asking for the newest event", ask, signal);
  return { firstSeq: state.first_seq, lastSeq: state.last_seq };
}
