import { execFile } from "node:child_process";
import { readdir, readFile, readlink } from "node:fs/promises";
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

/** Processes read at a time: /proc answers fast, but a read may block on a stuck process. */
const READ_BATCH = 32;
const LISTING_BYTES_MAX = 64 * 1024 * 1024;

/** All living processes that this user may see, zombies left out. */
export async function listProcesses(): Promise<ProcessEntry[]> {
  return process.platform === "linux" ? listLinux() : listWithPs();
}

async function listLinux(): Promise<ProcessEntry[]> {
  const pids = (await readdir("/proc")).filter((name) => /^\d+$/.test(name)).map(Number);
  const entries: ProcessEntry[] = [];
  for (let start = 0; start < pids.length; start += READ_BATCH) {
    const batch = await Promise.all(pids.slice(start, start + READ_BATCH).map(readLinux));
    for (const entry of batch) if (entry !== undefined) entries.push(entry);
  }
  return entries;
}

async function readLinux(pid: number): Promise<ProcessEntry | undefined> {
  const [stat, environ, cwd] = await Promise.all([
    readFile(`/proc/${pid}/stat`, "latin1").catch(() => ""),
    readFile(`/proc/${pid}/environ`).catch(() => Buffer.alloc(0)),
    readlink(`/proc/${pid}/cwd`).catch(() => undefined),
  ]);
  const [state, parent] = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  if (stat === "" || state === "Z" || state === "X") return undefined;
  return { pid, parentPid: Number(parent), marker: markerIn(environ), cwd };
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
