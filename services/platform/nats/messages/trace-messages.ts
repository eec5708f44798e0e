import { headers, type MsgHdrs } from "@nats-io/nats-core";
import { parseSpanRecord, type SpanRecord } from "../../telemetry/spans/span-record.ts";
import { currentTraceparent } from "../../telemetry/spans/tracer.ts";
import type { NatsLink } from "../connect.ts";
import { subjects } from "../subjects.ts";

/** Spans of one message that are looked at; a worker of ours sends at most 64. */
const spansMax = 256;

/** The current span as NATS headers, for whoever publishes. */
export function traceHeaders(): { readonly headers?: MsgHdrs } {
  const traceparent = currentTraceparent();
  if (traceparent === undefined) return {};
  const carried = headers();
  carried.set("traceparent", traceparent);
  return { headers: carried };
}

/** The `traceparent` of a message, if it has one. */
export function traceparentOf(message: { readonly headers?: MsgHdrs | undefined }): string | undefined {
  return message.headers?.get("traceparent") || undefined;
}

/**
 * Hands spans to whoever keeps them; `subject` is one of `subjects.spans` or `subjects.coordinatorSpans`. Not stored: who
 * does not listen now misses them. Does not wait.
 *
 * @throws Error while NATS is away
 */
export function publishSpans(link: NatsLink, subject: string, spans: readonly SpanRecord[]): void {
  // The client would keep them in memory and send them late.
  if (!link.isConnected) throw new Error("NATS is away");
  link.connection.publish(subject, JSON.stringify(spans));
}

/** Hears the spans of all coordinators and workers; `isTrusted` says which of the two. What is malformed is dropped. */
export function hearSpans(
  link: NatsLink,
  onSpans: (spans: readonly SpanRecord[], isTrusted: boolean) => void,
): Disposable {
  const hear = (subject: string, isTrusted: boolean) =>
    link.connection.subscribe(subject, {
      callback(error, message) {
        if (error !== null) return;
        const spans = readSpans(message);
        if (spans.length > 0) onSpans(spans, isTrusted);
      },
    });
  const subscriptions = [hear(subjects.allWorkerSpans, false), hear(subjects.coordinatorSpans, true)];
  return {
    [Symbol.dispose]() {
      for (const subscription of subscriptions) subscription.unsubscribe();
    },
  };
}

function readSpans(message: { json<T>(): T }): readonly SpanRecord[] {
  try {
    const values = message.json<unknown>();
    if (!Array.isArray(values)) return [];
    return values.slice(0, spansMax).flatMap((value: unknown) => parseSpanRecord(value) ?? []);
  } catch {
    return [];
  }
}
