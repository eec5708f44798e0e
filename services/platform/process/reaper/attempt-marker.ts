import { execFile } from "node:child_process";
import { readFile, readlink } from "node:fs/promises";
import { promisify } from "node:util";

/** Name of the environment variable that every process of an attempt carries. */
export const attemptVariable = "AGENTD_ATTEMPT";

/** Says which attempt a process belongs to, and which process started it. */
export interface AttemptMarker {
  readonly worker: string;
  /** The process that started the attempt: see {@link currentOwner}. */
  readonly owner: ProcessOwner;
  readonly uid: string;
  readonly task: string;
  readonly attempt: number;
}

/** A process, so named that a later process with the same id is not mistaken for it. */
export interface ProcessOwner {
  readonly pid: number;
  /** Start time as the system counts it; an opaque word. */
  readonly startedAt: string;
  /** The pid namespace in which `pid` counts; "-" where there is none. */
  readonly namespace: string;
}

/** Writes a marker as one word without blanks: `worker:pid:start:namespace:uid:task:attempt`. */
export function formatAttemptMarker(marker: AttemptMarker): string {
  const { worker, owner, uid, task, attempt } = marker;
  return [worker, owner.pid, owner.startedAt, owner.namespace, uid, task, attempt].join(":");
}

/** Reads what {@link formatAttemptMarker} wrote; undefined for anything else. */
export function parseAttemptMarker(text: string): AttemptMarker | undefined {
  const [worker, pid, startedAt, namespace, uid, task, attempt, ...rest] = text.split(":");
  if (!worker || !startedAt || !namespace || !uid || !task || rest.length > 0) return undefined;
  if (!/^\d{1,10}$/.test(pid ?? "") || !/^\d{1,10}$/.test(attempt ?? "")) return undefined;
  return { worker, owner: { pid: Number(pid), startedAt, namespace }, uid, task, attempt: Number(attempt) };
}

/** This process, as owner of the attempts that it starts. */
export async function currentOwner(): Promise<ProcessOwner> {
  const startedAt = (await processStart(process.pid)) ?? "0";
  return { pid: process.pid, startedAt, namespace: await pidNamespace() };
}

/**
 * Whether the process that started an attempt is gone, so that nobody else will end the attempt's processes.
 * False for an owner in another pid namespace: from here it cannot be told.
 */
export async function isOwnerGone(owner: ProcessOwner): Promise<boolean> {
  if (owner.namespace !== (await pidNamespace())) return false;
  const startedAt = await processStart(owner.pid);
  return startedAt === undefined || startedAt !== owner.startedAt;
}

async function pidNamespace(): Promise<string> {
  const link = await readlink("/proc/self/ns/pid").catch(() => "");
  return /\d+/.exec(link)?.[0] ?? "-";
}

/** Start time of a process; undefined when there is no such process or it is a zombie. */
async function processStart(pid: number): Promise<string | undefined> {
  if (process.platform === "linux") {
    const stat = await readFile(`/proc/${pid}/stat`, "latin1").catch(() => "");
    // proc_pid_stat(5): the state is field 3, the start time field 22; the name before them may contain blanks.
    const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    return fields[0] === "Z" || fields[0] === "X" ? undefined : fields[19];
  }
  const listing = await promisify(execFile)("/bin/ps", ["-o", "lstart=", "-p", String(pid)], {
    env: { LC_ALL: "C", TZ: "UTC" },
  }).catch(() => undefined);
  const text = listing?.stdout.trim();
  return text ? String(Date.parse(`${text} UTC`)) : undefined;
}
