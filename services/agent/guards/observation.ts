import { createHash } from "node:crypto";

/** One call that was made and what came back. */
export interface Step {
  /** Turn of the attempt; several calls of one reply have the same. */
  readonly turn: number;
  readonly tool: string;
  /** The parsed arguments, or the raw text when they could not be parsed. */
  readonly args: unknown;
  readonly result: string;
  readonly isError: boolean;
}

/** Equal for calls with the same tool and arguments, whatever the order of the arguments' names. */
export function callKey(step: Step): string {
  return digest([step.tool, sortKeys(step.args)]);
}

/** Equal for results that say the same: durations, times of day and names of temporary files are no news. */
export function resultKey(step: Step): string {
  return digest([step.isError, withoutNoise(step.result)]);
}

function digest(value: unknown): string {
  return createHash("sha256").update(JSON.stringify(value)).digest("base64");
}

function sortKeys(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sortKeys);
  if (typeof value !== "object" || value === null) return value;
  const entries = Object.entries(value).sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0));
  return entries.map(([name, item]) => [name, sortKeys(item)]);
}

/** Quantifiers are bounded: the text is hostile. */
function withoutNoise(text: string): string {
  return text
    .replaceAll(/(?<!\d)\d{1,9}(?:\.\d{1,9})? ?(?:ms|s|sec|seconds)\b/gu, "<duration>")
    .replaceAll(/(?:\d{4}-\d{2}-\d{2}[T ])?\d{2}:\d{2}:\d{2}(?:[.,]\d{1,9})?Z?/gu, "<time>")
    .replaceAll(/\/tmp\/[\w.-]{1,128}/gu, "<temporary>");
}
