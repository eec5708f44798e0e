import type { Timestamp } from "@bufbuild/protobuf/wkt";
import { countText } from "../../../core/text/count-text.ts";
import type { Span } from "../../../gen/agentd/v1/trace_service_pb.ts";
import { fullName, parseReferences, type ResourceReference, referenceText, UsageError } from "../../resource-name.ts";
import { type ExitCode, exitCodes, type Session } from "../../session.ts";
import { durationText, traceText } from "../../trace/trace-text.ts";
import { criticalPath, type ShownSpan, traceTrees } from "../../trace/trace-tree.ts";
import { serverVerb } from "../../verb.ts";

interface TraceOptions {
  readonly output?: string;
}

interface Trace {
  readonly traceId: string;
  readonly isExported: boolean;
  readonly isCut: boolean;
  readonly spans: readonly ShownSpan[];
}

/** `agentctl trace job/NAME|task/NAME…`: the tree of spans with durations, the critical path marked. */
export const traceVerb = serverVerb<TraceOptions>({
  words: "<resource...>",
  wordsText: "job/NAME, task/NAME or task/JOB/NAME",
  details: "Shows the spans of a job or a task as a tree. A * marks those that decided how long it took.",
  examples: ["trace job/zod-4", "trace task/zod-4-src-c-ts", "trace job/zod-4 -o json"],
  flags: [{ flags: "-o, --output <format>", text: "json: every span, with times and attributes", values: ["json"] }],
  completes: ["job", "task"],
  run: trace,
});

async function trace(session: Session, words: readonly string[], options: TraceOptions): Promise<ExitCode> {
  if (options.output !== undefined && options.output !== "json") {
    throw new UsageError(`"${options.output}" is no format of a trace; use -o json`);
  }
  for (const reference of parseReferences(words)) {
    if (reference.kind === "worker") throw new UsageError("trace is for jobs and tasks: agentctl trace job/NAME");
    const found = await readTrace(session, fullName(reference, session.namespace));
    if (options.output === "json") session.terminal.out(`${jsonText(found, session.now())}\n`);
    else session.terminal.out(`${textOf(reference, found, session.now())}\n`);
    if (found.isExported && options.output === undefined) {
      session.terminal.err(
        "note: spans leave by OTLP; jobs, tasks and attempts are shown, the rest is in your trace store\n",
      );
    }
    if (found.isCut) session.terminal.err("note: the trace was too large to be kept whole; some spans are missing\n");
  }
  return exitCodes.done;
}

async function readTrace(session: Session, name: string): Promise<Trace> {
  const spans: ShownSpan[] = [];
  let about = { traceId: "", isExported: false, isCut: false };
  for await (const chunk of session.traces.getTrace({ name }, { signal: session.signal })) {
    const { traceId, isExported, isCut } = chunk;
    about = { traceId, isExported, isCut };
    for (const span of chunk.spans) spans.push(shownSpan(span));
  }
  return { ...about, spans };
}

function textOf(reference: ResourceReference, found: Trace, nowMs: number): string {
  const ends = found.spans.map(({ endMs }) => endMs ?? nowMs);
  const tookMs = Math.max(...ends) - Math.min(...found.spans.map(({ startMs }) => startMs));
  const count = countText(found.spans.length, "span");
  const head = `${referenceText(reference)}  ${durationText(tookMs)}  ${count}  trace ${found.traceId}`;
  return `${head}\n\n${traceText(found.spans, nowMs)}\n\n* decided how long it took`;
}

/** Flat, by begin: who wants the tree has the parents. */
function jsonText(found: Trace, nowMs: number): string {
  const path = criticalPath(traceTrees(found.spans, nowMs));
  const { traceId, isExported, isCut } = found;
  const spans = found.spans
    .toSorted((a, b) => a.startMs - b.startMs)
    .map(({ startMs, endMs, ...span }) => ({
      ...span,
      startTime: new Date(startMs).toISOString(),
      ...(endMs === undefined ? {} : { endTime: new Date(endMs).toISOString(), durationMs: endMs - startMs }),
      isCritical: path.has(span.spanId),
    }));
  return JSON.stringify({ traceId, isExported, isCut, spans }, undefined, 2);
}

function shownSpan(span: Span): ShownSpan {
  const { spanId, parentSpanId, name, service, error, attributes, links } = span;
  return {
    spanId,
    parentSpanId,
    name,
    service,
    startMs: timeMs(span.startTime) ?? 0,
    endMs: timeMs(span.endTime),
    error,
    attributes,
    links: links.map((link) => ({ spanId: link.spanId, traceId: link.traceId, attributes: link.attributes })),
  };
}

/** With fractions: a check-out takes less than a millisecond at times. */
function timeMs(time: Timestamp | undefined): number | undefined {
  return time === undefined ? undefined : Number(time.seconds) * 1_000 + time.nanos / 1e6;
}
