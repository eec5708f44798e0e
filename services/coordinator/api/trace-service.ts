import type { MessageInitShape } from "@bufbuild/protobuf";
import { AgentdError } from "../../core/errors.ts";
import type { Job } from "../../core/job/job.ts";
import { parseJobName, parseTaskName } from "../../core/resource-name.ts";
import type { Task } from "../../core/task/task.ts";
import type { GetTraceResponseSchema, Span, SpanSchema, TraceService } from "../../gen/agentd/v1/trace_service_pb.ts";
import type { ServiceImpl } from "../../platform/grpc/service-definition.ts";
import { keyPrefixes } from "../../platform/nats/subjects.ts";
import { parseSpanRecord, type SpanRecord } from "../../platform/telemetry/spans/span-record.ts";
import { recordSpan } from "../../platform/telemetry/spans/tracer.ts";
import { taskSpan } from "../observe/job-trace.ts";
import { type ResourceSpan, spanOfJob, spansOfTask } from "../observe/resource-spans.ts";
import type { ApiDeps } from "./api-deps.ts";
import { findJob, findTask } from "./find-resource.ts";

/** Spans in one message of the answer. */
const chunkSpans = 500;

type Shown = ResourceSpan & { readonly service: string };

/** Verbs on traces. */
export function createTraceService(deps: ApiDeps): ServiceImpl<typeof TraceService> {
  return {
    async *getTrace({ name }) {
      const isTask = name.split("/").length > 4;
      const found = isTask ? findTask(deps.store, parseTaskName("name", name)) : undefined;
      const job = (found?.job ?? findJob(deps.store, parseJobName("name", name))).value;
      const { traceId } = job.status;
      const kept = (await deps.traces?.read(traceId)) ?? { spans: [], isCut: false };
      const all = withResources(deps, job, kept.spans);
      const spans = found === undefined ? all : around(all, taskSpan(job, found.task.value.metadata.name).spanId);
      const about = { traceId, isExported: deps.traces?.isExported ?? false, isCut: kept.isCut };
      for (let at = 0; at < Math.max(1, spans.length); at += chunkSpans) {
        const chunk: MessageInitShape<typeof GetTraceResponseSchema> = {
          ...about,
          spans: spans.slice(at, at + chunkSpans).map(spanMessage),
        };
        yield chunk;
      }
    },
    async recordSpan({ name, traceId, span }) {
      const job = findJob(deps.store, parseJobName("name", name)).value;
      if (span === undefined || traceId !== job.status.traceId) {
        throw invalidSpan("trace_id", "the span is of another trace than the job's");
      }
      const record = readSpan(traceId, span);
      if (record === undefined) throw invalidSpan("span", "the span is malformed");
      if (job.status.isUntraced !== true) recordSpan(record);
      return await Promise.resolve({});
    },
  };
}

function invalidSpan(field: string, message: string): AgentdError {
  return new AgentdError("INVALID_SPEC", `${field}: ${message}`, { problems: [{ field, message }] });
}

/** What the resources tell goes before what was kept: it knows the end, and is there whatever was lost. */
function withResources(deps: ApiDeps, job: Job, kept: readonly SpanRecord[]): readonly Shown[] {
  const tasks = deps.store.list<Task>(keyPrefixes.tasksOf(job.metadata.uid));
  const told = [spanOfJob(job), ...tasks.flatMap(({ value }) => spansOfTask(job, value))];
  const shown = new Map<string, Shown>(kept.map((span) => [span.spanId, span]));
  for (const span of told) shown.set(span.spanId, { ...span, service: "coordinator" });
  return [...shown.values()];
}

/** The span of that id with everything below and above it. */
function around(spans: readonly Shown[], spanId: string): readonly Shown[] {
  const byId = new Map(spans.map((span) => [span.spanId, span]));
  const isBelow = new Map<string, boolean>([[spanId, true]]);
  const below = (span: Shown): boolean => {
    const path: string[] = [];
    let at: Shown | undefined = span;
    let answer: boolean | undefined;
    // A malformed trace may go round in circles.
    while (at !== undefined && !path.includes(at.spanId)) {
      answer = isBelow.get(at.spanId);
      if (answer !== undefined) break;
      path.push(at.spanId);
      at = byId.get(at.parentSpanId ?? "");
    }
    for (const each of path) isBelow.set(each, answer ?? false);
    return answer ?? false;
  };
  const above = new Set<string>();
  for (let at = byId.get(spanId); at !== undefined && !above.has(at.spanId); at = byId.get(at.parentSpanId ?? "")) {
    above.add(at.spanId);
  }
  return spans.filter((span) => above.has(span.spanId) || below(span));
}

function spanMessage(span: Shown): MessageInitShape<typeof SpanSchema> {
  const { spanId, parentSpanId, name, kind, service, startMs, endMs, error, links } = span;
  return {
    spanId,
    parentSpanId: parentSpanId ?? "",
    name,
    kind,
    service,
    startTime: preciseTime(startMs),
    ...(endMs === undefined ? {} : { endTime: preciseTime(endMs) }),
    error: error ?? "",
    attributes: textsOf(span.attributes),
    links: links.map((link) => ({ ...link, attributes: textsOf(link.attributes) })),
  };
}

function textsOf(attributes: SpanRecord["attributes"]): Record<string, string> {
  return Object.fromEntries(Object.entries(attributes).map(([name, value]) => [name, String(value)]));
}

function preciseTime(timeMs: number) {
  const seconds = Math.floor(timeMs / 1_000);
  return { seconds: BigInt(seconds), nanos: Math.min(999_999_999, Math.round((timeMs - seconds * 1_000) * 1e6)) };
}

function readSpan(traceId: string, span: Span): SpanRecord | undefined {
  const { spanId, parentSpanId, name, startTime, endTime, error, attributes } = span;
  const timeMs = (time: Span["startTime"]) => Number(time?.seconds ?? 0n) * 1_000 + (time?.nanos ?? 0) / 1e6;
  return parseSpanRecord({
    traceId,
    spanId,
    ...(parentSpanId === "" ? {} : { parentSpanId }),
    name,
    // The caller's span, whatever it calls itself: nobody speaks for a coordinator or a worker.
    kind: "client",
    service: "agentctl",
    startMs: timeMs(startTime),
    endMs: timeMs(endTime),
    ...(error === "" ? {} : { error }),
    attributes,
    links: [],
  });
}
