import { execFile } from "node:child_process";
import { readdirSync, readFileSync, readlinkSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { setImmediate as nextTurn } from "node:timers/promises";
import { promisify } from "node:util";
import { attemptVariable } from "./attempt-marker.ts";

/** A living process as far as the reaper needs it. */
export interface ProcessEntry {
  readonly pid: number;
  readonly parentPid: number;
  /** Value of AGENTD_ATTEMPT in its environment, if it is there and may be read. */
  readonly marker: string | undefined;
  /** Working directory; undefined where it may not be read (and on macOS). */
  readonly cwd: string | undefined;
}

/** Processes read between two turns of the event loop: about 1 ms. */
const READ_BATCH = 32;
/** What has had no marker for so long will not get one: a command of ours has it from its first program on. */
const FOREIGN_AFTER_MS = 10_000;
const LISTING_BYTES_MAX = 64 * 1024 * 1024;

/** All living processes that this user may see, zombies left out. */
export async function listProcesses(): Promise<ProcessEntry[]> {
  return process.platform === "linux" ? listLinux() : listWithPs();
}

/** What was found out about a process earlier, by its id and start time. */
interface KnownProcess {
  /** "foreign": looked at for long enough, and never marked. */
  readonly marker: string | undefined;
  readonly firstSeenMs: number;
}

let known = new Map<string, KnownProcess>();

async function listLinux(): Promise<ProcessEntry[]> {
  const pids = readdirSync("/proc").filter((name) => /^\d+$/.test(name));
  const seen: typeof known = new Map();
  const entries: ProcessEntry[] = [];
  for (let start = 0; start < pids.length; start += READ_BATCH) {
    if (start > 0) await nextTurn();
    const batch = pids.slice(start, start + READ_BATCH).map((pid) => readLinux(pid, seen));
    for (const entry of await Promise.all(batch)) if (entry !== undefined) entries.push(entry);
  }
  // Those that are gone are forgotten; of two lists at a time one may forget what the other has learnt, and nothing more.
  known = seen;
  return entries;
}

/**
 * Reads one process. These are many small reads, and as promises they cost ten times as much. Only the environment lies in the
 * process's own memory, which it can make slow to read: that one never holds this thread, and is read once.
 */
async function readLinux(pid: string, seen: typeof known): Promise<ProcessEntry | undefined> {
  const stat = attempt(() => readFileSync(`/proc/${pid}/stat`, "latin1"));
  if (stat === undefined) return undefined;
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  const [state, parent] = fields;
  if (state === "Z" || state === "X") return undefined;
  const cwd = attempt(() => readlinkSync(`/proc/${pid}/cwd`));
  // proc_pid_stat(5): the start time is field 22, the state field 3.
  const key = `${pid} ${fields[19]}`;
  const before = known.get(key) ?? { marker: undefined, firstSeenMs: performance.now() };
  let { marker } = before;
  if (marker === undefined) {
    marker = markerIn(await readFile(`/proc/${pid}/environ`).catch(() => Buffer.alloc(0)));
    if (marker === undefined && performance.now() - before.firstSeenMs > FOREIGN_AFTER_MS) marker = "foreign";
  }
  seen.set(key, { ...before, marker });
  return { pid: Number(pid), parentPid: Number(parent), marker: marker === "foreign" ? undefined : marker, cwd };
}

/** The result, or undefined when the process is gone or belongs to somebody else. */
function attempt<T>(read: () => T): T | undefined {
  try {
    return read();
  } catch {
    return undefined;
  }
}

/** The marker in a NUL-separated environment block. */
function markerIn(environ: Buffer): string | undefined {
  const name = `${attemptVariable}=`;
  let start = environ.indexOf(`\0${name}`);
  if (start >= 0) start += 1;
  else if (environ.subarray(0, name.length).toString("latin1") === name) start = 0;
  if (start < 0) return undefined;
  const end = environ.indexOf(0, start);
  return environ.subarray(start + name.length, end < 0 ? environ.length : end).toString("utf8");
}

async function listWithPs(): Promise<ProcessEntry[]> {
  // `e` appends the environment to the command, `ww` does not cut it.
  const { stdout } = await promisify(execFile)("/bin/ps", ["axeww", "-o", "pid=,ppid=,stat=,command="], {
    env: { LC_ALL: "C" },
    maxBuffer: LISTING_BYTES_MAX,
  });
  const entries: ProcessEntry[] = [];
  for (const line of stdout.split("\n")) {
    const match = /^\s*(\d+)\s+(\d+)\s+(\S+)\s+(.*)$/.exec(line);
    if (match === null || match[3]?.startsWith("Z")) continue;
    const marker = new RegExp(` ${attemptVariable}=(\\S+)`).exec(match[4] ?? "")?.[1];
    entries.push({ pid: Number(match[1]), parentPid: Number(match[2]), marker, cwd: undefined });
  }
  return entries;
}
