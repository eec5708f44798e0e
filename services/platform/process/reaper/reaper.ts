import { setTimeout as delay } from "node:timers/promises";
import { AgentdError } from "../../../core/errors.ts";
import { isOwnerGone, parseAttemptMarker } from "./attempt-marker.ts";
import type { ProcessEntry } from "./process-table.ts";
import { listProcesses } from "./process-table.ts";

const DEFAULT_TIMEOUT_MS = 10_000;
const ROUND_PAUSE_MS = 20;

/** Settings of {@link reapMarked}. */
export interface ReapOptions {
  /** Also processes whose working directory lies here: a child may have emptied its environment. */
  readonly directories?: readonly string[];
  /** When to give up on processes that do not die; default 10 s. */
  readonly timeoutMs?: number;
}

/**
 * Kills every process of an attempt, also those that called setsid or were re-parented: all whose environment
 * carries a marker that `match` names or accepts, and all their descendants. Repeats until none is left.
 * Never kills this process.
 *
 * @returns how many processes were killed.
 * @throws AgentdError INTERNAL when some are still alive after `timeoutMs`.
 */
export async function reapMarked(
  match: string | ((marker: string) => boolean),
  options: ReapOptions,
  signal: AbortSignal,
): Promise<number> {
  const isMatch = typeof match === "string" ? (marker: string) => marker === match : match;
  const end = performance.now() + (options.timeoutMs ?? DEFAULT_TIMEOUT_MS);
  const killed = new Set<number>();
  for (;;) {
    signal.throwIfAborted();
    const victims = selectVictims(await listProcesses(), isMatch, options.directories ?? []);
    if (victims.length === 0) return killed.size;
    if (performance.now() >= end) {
      throw new AgentdError("INTERNAL", `Processes ${victims.join(", ")} of an attempt cannot be killed.`);
    }
    for (const pid of victims) {
      if (kill(pid)) killed.add(pid);
    }
    await delay(ROUND_PAUSE_MS);
  }
}

/**
 * Kills what earlier processes of this worker left behind when they were killed: all attempts marked for
 * `worker` whose owner is gone. For a worker that starts.
 *
 * @returns how many processes were killed.
 */
export async function reapOrphans(worker: string, signal: AbortSignal): Promise<number> {
  const markers = new Set<string>();
  for (const { marker } of await listProcesses()) if (marker !== undefined) markers.add(marker);
  const orphaned = new Set<string>();
  for (const text of markers) {
    const marker = parseAttemptMarker(text);
    if (marker?.worker === worker && (await isOwnerGone(marker.owner))) orphaned.add(text);
  }
  return orphaned.size === 0 ? 0 : reapMarked((marker) => orphaned.has(marker), {}, signal);
}

/** The processes to kill: marked, or inside one of the directories, and all below them. */
export function selectVictims(
  processes: readonly ProcessEntry[],
  isMatch: (marker: string) => boolean,
  directories: readonly string[],
): number[] {
  const victims = new Set<number>();
  for (const entry of processes) {
    const isMarked = entry.marker !== undefined && isMatch(entry.marker);
    if (isMarked || directories.some((directory) => isInside(entry.cwd, directory))) victims.add(entry.pid);
  }
  victims.delete(process.pid);
  const children = Map.groupBy(processes, (entry) => entry.parentPid);
  // A Set yields what is added while it is walked.
  for (const pid of victims) {
    for (const child of children.get(pid) ?? []) if (child.pid !== process.pid) victims.add(child.pid);
  }
  return [...victims];
}

function isInside(cwd: string | undefined, directory: string): boolean {
  return cwd !== undefined && (cwd === directory || cwd.startsWith(`${directory}/`));
}

function kill(pid: number): boolean {
  try {
    process.kill(pid, "SIGKILL");
    return true;
  } catch {
    return false;
  }
}
