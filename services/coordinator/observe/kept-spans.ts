import type { Job } from "../../core/job/job.ts";
import { setNewest } from "../../core/set-newest.ts";
import type { NatsLink } from "../../platform/nats/connect.ts";
import { hearSpans } from "../../platform/nats/messages/trace-messages.ts";
import type { ResourceStore } from "../../platform/nats/store/store.ts";
import { keyPrefixes } from "../../platform/nats/subjects.ts";
import type { SpanRecord } from "../../platform/telemetry/spans/span-record.ts";
import type { SpanStore } from "../../platform/telemetry/spans/span-store.ts";

/** What {@link keepSpans} needs. */
export interface KeepSpansDeps {
  readonly link: NatsLink;
  readonly store: Pick<ResourceStore, "list" | "onChange">;
  readonly spans: Pick<SpanStore, "add">;
}

/** Traces of coordinators' spans that came before their job: of an upload, say. */
const earlyTracesMax = 64;
/** Spans of one of these. */
const earlySpansMax = 64;

/**
 * Keeps the spans of every coordinator and worker on this replica, until it is disposed of. Only those of jobs that there
 * are: a worker cannot fill the folder with traces that nobody can ask for.
 */
export function keepSpans(deps: KeepSpansDeps): Disposable {
  const jobsOf = new Map<string, string>();
  const early = new Map<string, SpanRecord[]>();
  const know = (key: string, job: Job): void => {
    const { traceId } = job.status;
    if (jobsOf.get(traceId) === key) return;
    jobsOf.set(traceId, key);
    const waiting = early.get(traceId);
    early.delete(traceId);
    if (waiting !== undefined) deps.spans.add(waiting);
  };
  for (const { key, value } of deps.store.list<Job>(keyPrefixes.jobs)) know(key, value);
  const stopFollowing = deps.store.onChange(({ key, value }) => {
    if (!key.startsWith(keyPrefixes.jobs)) return;
    if (value !== undefined) know(key, value as Job);
    else for (const [traceId, of] of jobsOf) if (of === key) jobsOf.delete(traceId);
  });
  const wait = (span: SpanRecord): void => {
    const waiting = early.get(span.traceId);
    if (waiting === undefined) setNewest(early, span.traceId, [span], earlyTracesMax);
    else if (waiting.length < earlySpansMax) waiting.push(span);
  };
  const hearing = hearSpans(deps.link, (spans, isTrusted) => {
    deps.spans.add(spans.filter(({ traceId }) => jobsOf.has(traceId)));
    if (!isTrusted) return;
    for (const span of spans) if (!jobsOf.has(span.traceId)) wait(span);
  });
  return {
    [Symbol.dispose]() {
      stopFollowing();
      hearing[Symbol.dispose]();
    },
  };
}
