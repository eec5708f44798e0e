import { samplerOf } from "../../platform/telemetry/spans/sampling.ts";
import {
  formatTraceparent,
  newSpanId,
  newTraceId,
  parseTraceparent,
} from "../../platform/telemetry/spans/trace-context.ts";
import { underTraceparent } from "../../platform/telemetry/spans/tracer.ts";
import type { Session } from "../session.ts";

const tellTimeoutMs = 2_000;

/**
 * Runs `create` in the span of a command: the root of the trace of the job that it makes, or, where `TRACEPARENT` is
 * valid, below the CI step that called agentctl. Whether the trace is recorded, `OTEL_TRACES_SAMPLER` says.
 *
 * When `create` names a job that it made (`namespaces/…/jobs/…`), the span has ended and is added to that job's trace; so a
 * wait that is interrupted later loses nothing. The server keeps or exports it with the others: agentctl has no exporter. A
 * span that cannot be added is dropped: the job is accepted.
 */
export async function underRootSpan<T>(
  session: Session,
  command: string,
  create: () => Promise<{ readonly value: T; readonly created: string | undefined }>,
): Promise<T> {
  const parent = parseTraceparent(session.env["TRACEPARENT"]);
  const traceId = parent?.traceId ?? newTraceId();
  const spanId = newSpanId();
  const isSampled = samplerOf(session.env)(traceId, parent?.isSampled);
  const startMs = session.now();
  const { value, created } = await underTraceparent(formatTraceparent({ traceId, spanId, isSampled }), create);
  if (created === undefined || !isSampled) return value;
  const span = {
    spanId,
    parentSpanId: parent?.spanId ?? "",
    name: `agentctl ${command}`,
    startTime: time(startMs),
    endTime: time(session.now()),
  };
  const options = { signal: session.signal, timeoutMs: tellTimeoutMs };
  await session.traces.recordSpan({ name: created, traceId, span }, options).catch(() => undefined);
  return value;
}

function time(timeMs: number) {
  return { seconds: BigInt(Math.floor(timeMs / 1_000)), nanos: (timeMs % 1_000) * 1e6 };
}
