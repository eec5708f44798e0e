import type { CallContext } from "../../platform/grpc/service-definition.ts";
import { newTraceId, parseTraceparent } from "../../platform/telemetry/spans/trace-context.ts";
import { inSpan } from "../../platform/telemetry/spans/tracer.ts";
import type { ApiDeps } from "./api-deps.ts";

/** Calls that begin a trace where their caller has none: what they make goes on for long. */
const roots: ReadonlySet<string> = new Set(["agentd.v1.JobService/CreateJob", "agentd.v1.JobService/ApplyJob"]);

/**
 * Runs a call with one answer in a span of its caller's trace. An invalid `traceparent` counts as none. Not for streams of
 * answers: a watch takes as long as somebody looks.
 */
export async function traced<T>(
  deps: Pick<ApiDeps, "sampler">,
  context: CallContext,
  call: () => Promise<T>,
): Promise<T> {
  const parent = parseTraceparent(context.traceparent);
  if (parent === undefined && !roots.has(context.method)) return await call();
  const traceId = parent?.traceId ?? newTraceId();
  const isSampled = deps.sampler?.(traceId, parent?.isSampled) ?? parent?.isSampled ?? true;
  const place = parent === undefined ? { root: { traceId, isSampled } } : { parent: { ...parent, isSampled } };
  const attributes = { "rpc.system": "grpc", "rpc.method": context.method };
  return await inSpan(context.method, { ...place, kind: "server", attributes }, call);
}
