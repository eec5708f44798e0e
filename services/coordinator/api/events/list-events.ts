import { AgentdError } from "../../../core/errors.ts";
import type { NatsLink } from "../../../platform/nats/connect.ts";
import { eventRange, readEvents } from "../../../platform/nats/messages/events.ts";
import { type PageToken, pageSizeOf, readPageToken, writePageToken } from "../listing/list-page.ts";
import type { EventMessage, EventScope } from "./event-scope.ts";

/** A page of events, as a client asks for it. */
export interface EventListRequest {
  readonly parent: string;
  readonly fieldSelector: string;
  readonly pageSize: number;
  readonly pageToken: string;
  readonly tail: number;
}

/** A page of events. */
export interface EventPage {
  readonly events: EventMessage[];
  readonly nextPageToken: string;
  readonly resourceVersion: string;
}

/** A page of the events in scope, oldest first; all pages together end where the first one began. @throws AgentdError INVALID_SPEC */
export async function listEvents(
  link: NatsLink,
  scope: EventScope,
  request: EventListRequest,
  signal: AbortSignal,
): Promise<EventPage> {
  const said = readPageToken(request.pageToken, `events ${request.parent} ${request.fieldSelector}`);
  const tail = tailOf(request);
  const count = tail ?? pageSizeOf("page_size", request.pageSize);
  const revision = said.revision === 0 ? (await eventRange(link, signal)).lastSeq : said.revision;
  const token: PageToken = { ...said, revision };
  const resourceVersion = String(revision);
  const events: EventMessage[] = [];
  let position = Number(said.after);
  const query = { ...scope.subject, fromSeq: position + 1, follow: false };
  for await (const stored of readEvents(link, query, signal)) {
    if (stored.seq > revision) break;
    const event = scope.show(stored);
    if (event === undefined) continue;
    if (tail === undefined && events.length === count) {
      return { events, nextPageToken: writePageToken({ ...token, after: String(position) }), resourceVersion };
    }
    position = stored.seq;
    events.push(event);
    if (tail !== undefined && events.length > 2 * count) events.splice(0, events.length - count);
  }
  return { events: tail === undefined ? events : events.slice(-count), nextPageToken: "", resourceVersion };
}

function tailOf({ tail, pageToken }: EventListRequest): number | undefined {
  if (tail === 0) return undefined;
  const count = pageSizeOf("tail", tail);
  if (pageToken === "") return count;
  const message = "cannot be asked for together with a page token";
  throw new AgentdError("INVALID_SPEC", `tail ${message}`, { problems: [{ field: "tail", message }] });
}
