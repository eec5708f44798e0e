import type { MessageInitShape } from "@bufbuild/protobuf";
import type { Duration, Timestamp } from "@bufbuild/protobuf/wkt";
import { durationFromMs, timestampFromMs } from "@bufbuild/protobuf/wkt";
import type { Check } from "../../core/job/job.ts";
import type { Condition, Metadata, Usage } from "../../core/resource.ts";
import type { CheckSchema } from "../../gen/agentd/v1/job_pb.ts";
import type { ConditionSchema, MetadataSchema, UsageSchema } from "../../gen/agentd/v1/resource_pb.ts";

/** The end of the year 9999, where Timestamp ends; a duration has the same bound here. */
const msMax = 253_402_300_799_999;

/**
 * A time for the API; the store has milliseconds since the epoch. Some of them are what a worker said: a fraction, or
 * more than a Timestamp holds, must not make a whole answer fail.
 */
export const time = (ms: number): Timestamp => timestampFromMs(wholeMs(ms));
/** A duration for the API. */
export const duration = (ms: number): Duration => durationFromMs(wholeMs(ms));

function wholeMs(ms: number): number {
  return Number.isFinite(ms) ? Math.round(Math.min(Math.max(ms, 0), msMax)) : 0;
}

/** `resource_version` is the revision of the resource's entry in the store. */
export function metadataMessage(metadata: Metadata, revision: number): MessageInitShape<typeof MetadataSchema> {
  const { name, namespace, uid, labels, annotations, generation, createdAtMs } = metadata;
  return {
    name,
    namespace,
    uid,
    labels: { ...labels },
    annotations: { ...annotations },
    generation: BigInt(generation),
    resourceVersion: String(revision),
    createTime: time(createdAtMs),
  };
}

/** A condition for the API. */
export function conditionMessage(condition: Condition): MessageInitShape<typeof ConditionSchema> {
  const { type, status, reason, message, observedGeneration, lastTransitionAtMs } = condition;
  const lastTransitionTime = time(lastTransitionAtMs);
  return { type, status, reason, message, observedGeneration: BigInt(observedGeneration), lastTransitionTime };
}

/** Usage for the API; tokens and turns as whole numbers. */
export function usageMessage(usage: Usage): MessageInitShape<typeof UsageSchema> {
  return {
    inputTokens: BigInt(Math.round(usage.inputTokens)),
    cachedTokens: BigInt(Math.round(usage.cachedTokens)),
    outputTokens: BigInt(Math.round(usage.outputTokens)),
    turns: BigInt(Math.round(usage.turns)),
    seconds: usage.seconds,
  };
}

/** A check for the API. */
export function checkMessage(check: Check): MessageInitShape<typeof CheckSchema> {
  const { name, run, timeoutMs, redOnBase = false } = check;
  return { name, run, timeout: duration(timeoutMs), redOnBase };
}
