import type { Timestamp } from "@bufbuild/protobuf/wkt";
import { timestampMs } from "@bufbuild/protobuf/wkt";

/** A span of time as kubectl prints ages: `41s`, `3m`, `3m12s` below ten minutes, `5h`, `2d`. */
export function formatAge(ms: number): string {
  const seconds = Math.max(0, Math.floor(ms / 1000));
  if (seconds < 120) return `${seconds}s`;
  const minutes = Math.floor(seconds / 60);
  if (minutes < 10) return seconds % 60 === 0 ? `${minutes}m` : `${minutes}m${seconds % 60}s`;
  if (minutes < 180) return `${minutes}m`;
  const hours = Math.floor(minutes / 60);
  return hours < 48 ? `${hours}h` : `${Math.floor(hours / 24)}d`;
}

/** The age of a time stamp, `-` when absent. */
export function ageOf(time: Timestamp | undefined, nowMs: number): string {
  return time === undefined ? "-" : formatAge(nowMs - timestampMs(time));
}

/** A count with a unit that a person reads: `950`, `21k`, `1.2M`. */
export function formatCount(count: bigint | number): string {
  const value = Number(count);
  if (value < 1000) return `${value}`;
  if (value < 999_500) return `${Math.round(value / 1000)}k`;
  return `${(value / 1_000_000).toFixed(1)}M`;
}

/** A duration of a check: `3.1s`, `2m5s`. */
export function formatSeconds(seconds: number): string {
  return seconds < 60 ? `${seconds.toFixed(1)}s` : formatAge(seconds * 1000);
}

/** The first seven digits of a commit. */
export function shortCommit(commit: string): string {
  return commit.slice(0, 7);
}
