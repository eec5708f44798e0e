import { AgentdError } from "../../../core/errors.ts";
import type { NatsLink } from "../../../platform/nats/connect.ts";
import { eventRange, readEvents } from "../../../platform/nats/messages/events.ts";
import { createTicks } from "../listing/next-or-tick.ts";
import { readVersion } from "../listing/watch-changes.ts";
import type { EventMessage, EventScope } from "./event-scope.ts";

/** One event as a watcher sees it, or a bookmark. */
export interface EventChangeMessage {
  readonly type: "ADDED" | "BOOKMARK";
  readonly event?: EventMessage;
  readonly resourceVersion: string;
}

/** A reader that took longer for an event may have been overtaken by the end of the events' lives. */
const slowMs = 1_000;

/**
 * Events in scope behind a version, in order and without a gap: first what is stored, then a bookmark, then what comes.
 * @throws AgentdError WATCH_EXPIRED when events behind that version may be stored no longer
 */
export async function* watchEvents(
  link: NatsLink,
  scope: EventScope,
  options: { readonly resourceVersion: string; readonly bookmarkMs: number },
  signal: AbortSignal,
): AsyncGenerator<EventChangeMessage, void, undefined> {
  const from = options.resourceVersion === "" ? undefined : readVersion(options.resourceVersion);
  const { firstSeq, lastSeq } = await eventRange(link, signal);
  if (from !== undefined && (from < firstSeq - 1 || from > lastSeq)) throw expired(from);
  let position = from ?? 0;
  for await (const stored of readEvents(link, { ...scope.subject, fromSeq: position + 1, follow: false }, signal)) {
    position = stored.seq;
    const event = scope.show(stored);
    if (event !== undefined) yield added(event);
  }
  position = Math.max(position, lastSeq);
  yield { type: "BOOKMARK", resourceVersion: String(position) };
  yield* follow(link, scope, { position, bookmarkMs: options.bookmarkMs }, signal);
}

async function* follow(
  link: NatsLink,
  scope: EventScope,
  from: { readonly position: number; readonly bookmarkMs: number },
  signal: AbortSignal,
): AsyncGenerator<EventChangeMessage, void, undefined> {
  const ending = new AbortController();
  const query = { ...scope.subject, fromSeq: from.position + 1, follow: true };
  using ticks = createTicks(from.bookmarkMs);
  const events = readEvents(link, query, AbortSignal.any([signal, ending.signal]));
  let { position } = from;
  let marked = position;
  let next = events.next();
  try {
    for (;;) {
      const result = await ticks.nextOrTick(next);
      if (result === "tick") {
        if (position === marked) continue;
        marked = position;
        yield { type: "BOOKMARK", resourceVersion: String(position) };
        continue;
      }
      if (result.done === true) return;
      position = result.value.seq;
      const event = scope.show(result.value);
      if (event !== undefined) {
        marked = position;
        const givenAtMs = performance.now();
        yield added(event);
        if (performance.now() - givenAtMs > slowMs) await requireStored(link, position, signal);
      }
      next = events.next();
    }
  } finally {
    next.catch(() => undefined);
    ending.abort(new DOMException("the watch has ended", "AbortError"));
  }
}

async function requireStored(link: NatsLink, position: number, signal: AbortSignal): Promise<void> {
  if (position < (await eventRange(link, signal)).firstSeq - 1) throw expired(position);
}

function added(event: EventMessage): EventChangeMessage {
  return { type: "ADDED", event, resourceVersion: event.resourceVersion ?? "" };
}

function expired(version: number): AgentdError {
  return new AgentdError("WATCH_EXPIRED", `events after version ${version} are no longer stored; list again`, {
    metadata: { revision: String(version) },
  });
}
