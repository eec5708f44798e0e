import type { NatsLink } from "./connect.ts";
import { withLink } from "./connect.ts";
import { readSubject } from "./subject-reader.ts";
import { streamNames, subjects } from "./subjects.ts";

/** Something that happened to a resource, for people. */
export interface AgentdEvent {
  /** Milliseconds since the epoch. */
  readonly timeMs: number;
  readonly type: "Normal" | "Warning";
  /** CamelCase. */
  readonly reason: string;
  readonly message: string;
  readonly involved: { readonly kind: string; readonly name: string; readonly uid: string };
  /** How often the same thing happened in a row; 1 the first time. */
  readonly count: number;
}

/** Longest message of an event; longer ones are cut. */
const messageCharsMax = 1_024;

/** Appends an event of a job (`task` undefined) or of one of its tasks. Coordinators only. @throws STORE_UNAVAILABLE */
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

/** What {@link readEvents} reads. */
export interface EventQuery {
  readonly uid: string;
  /** Absent = the job and all of its tasks; "_" = only the job itself. */
  readonly task?: string;
  /** True = goes on with what is written later, until `signal` aborts. */
  readonly follow: boolean;
}

/** Events from the oldest that is stored. @throws STORE_UNAVAILABLE; WATCH_EXPIRED when the reader is too slow */
export async function* readEvents(
  link: NatsLink,
  query: EventQuery,
  signal: AbortSignal,
): AsyncGenerator<AgentdEvent, void, undefined> {
  const { task } = query;
  const filter =
    task === undefined ? subjects.eventsOf(query.uid) : subjects.event(query.uid, task === "_" ? undefined : task);
  for await (const message of readSubject(link, { stream: streamNames.events, filter, follow: query.follow }, signal)) {
    yield message.value as AgentdEvent;
  }
}
