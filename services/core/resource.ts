import { cutJson } from "./text/bound-text.ts";

/** What every resource carries. `resource_version` is not here: it is the store's revision of the key. */
export interface Metadata {
  /** Last part of the resource's name: a DNS label. */
  readonly name: string;
  readonly namespace: string;
  /** Identity: a name that is used again gets a new uid. A Task carries its Job's uid. */
  readonly uid: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations: Readonly<Record<string, string>>;
  /** Counts changes of `spec`, from 1. */
  readonly generation: number;
  /** Milliseconds since the epoch. */
  readonly createdAtMs: number;
}

/** Kubernetes condition semantics: `Unknown` until observed. */
export type ConditionStatus = "True" | "False" | "Unknown";

/** One observed aspect of a resource; a list of them is keyed by `type`. */
export interface Condition {
  readonly type: string;
  readonly status: ConditionStatus;
  /** CamelCase, never empty. */
  readonly reason: string;
  readonly message: string;
  readonly observedGeneration: number;
  /** When `status` last changed, in milliseconds since the epoch; not when the reason or message did. */
  readonly lastTransitionAtMs: number;
}

/** Tokens, turns and time that were used, summed over attempts. */
export interface Usage {
  readonly inputTokens: number;
  /** Part of `inputTokens` that the engine served from its prefix cache. */
  readonly cachedTokens: number;
  readonly outputTokens: number;
  readonly turns: number;
  /** Seconds of attempts, waiting for the engine included. */
  readonly seconds: number;
}

/** Nothing used yet. */
export const noUsage: Usage = { inputTokens: 0, cachedTokens: 0, outputTokens: 0, turns: 0, seconds: 0 };

/** The sum of two usages. */
export function addUsage(a: Usage, b: Usage): Usage {
  return {
    inputTokens: a.inputTokens + b.inputTokens,
    cachedTokens: a.cachedTokens + b.cachedTokens,
    outputTokens: a.outputTokens + b.outputTokens,
    turns: a.turns + b.turns,
    seconds: a.seconds + b.seconds,
  };
}

/** Bytes of a condition's message as JSON: a Job has six conditions beside a spec of 23 KiB. */
const conditionMessageBytesMax = 768;

/**
 * `conditions` with the one of `next.type` set, its message cut to 768 bytes of JSON; its transition time is kept when
 * the status stays the same.
 */
export function setCondition(conditions: readonly Condition[], wanted: Condition): readonly Condition[] {
  const next = { ...wanted, message: cutJson(wanted.message, conditionMessageBytesMax) };
  const previous = conditions.find((condition) => condition.type === next.type);
  const merged =
    previous !== undefined && previous.status === next.status
      ? { ...next, lastTransitionAtMs: previous.lastTransitionAtMs }
      : next;
  if (previous === undefined) return [...conditions, merged];
  return conditions.map((condition) => (condition.type === next.type ? merged : condition));
}

/** The condition of that type, if it was ever set. */
export function findCondition(conditions: readonly Condition[], type: string): Condition | undefined {
  return conditions.find((condition) => condition.type === type);
}
