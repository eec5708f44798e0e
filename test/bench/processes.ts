import { execFileSync, spawn } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { createInterface } from "node:readline";
import { setTimeout as delay } from "node:timers/promises";

/** What a tree of processes has used. */
export interface TreeUse {
  /** User and system time of its processes and of those that they have waited for. */
  readonly cpuMs: number;
  /** Proportional set size: pages that several processes share count once. */
  readonly memoryBytes: number;
}

const tickMs = 1_000 / Number(execFileSync("getconf", ["CLK_TCK"], { encoding: "utf8" }));

interface ProcessRow {
  readonly parent: number;
  readonly cpuMs: number;
}

/** Linux only: reads `/proc`. A process that vanishes while it is read has been waited for by then, or is not counted. */
function readTable(): ReadonlyMap<number, ProcessRow> {
  const table = new Map<number, ProcessRow>();
  for (const name of readdirSync("/proc")) {
    if (!/^\d+$/.test(name)) continue;
    const text = readQuietly(`/proc/${name}/stat`);
    // The command's name may hold blanks and parentheses.
    const fields = text.slice(text.lastIndexOf(")") + 2).split(" ");
    if (fields.length < 16) continue;
    const ticks = [11, 12, 13, 14].reduce((sum, index) => sum + Number(fields[index]), 0);
    table.set(Number(name), { parent: Number(fields[1]), cpuMs: ticks * tickMs });
  }
  return table;
}

function membersOf(roots: readonly number[], table: ReadonlyMap<number, ProcessRow>): readonly number[] {
  const members = new Set(roots.filter((pid) => table.has(pid)));
  for (let size = -1; size !== members.size; ) {
    size = members.size;
    for (const [pid, { parent }] of table) if (members.has(parent)) members.add(pid);
  }
  return [...members];
}

/** Processor time so far of the processes and everything below them. */
export function treeCpuMs(...roots: readonly number[]): number {
  const table = readTable();
  return membersOf(roots, table).reduce((sum, pid) => sum + (table.get(pid)?.cpuMs ?? 0), 0);
}

/** Processor time of the children that this process has waited for. */
export function waitedCpuMs(): number {
  const text = readQuietly("/proc/self/stat");
  const fields = text.slice(text.lastIndexOf(")") + 2).split(" ");
  return (Number(fields[13]) + Number(fields[14])) * tickMs;
}

/** Memory now of the processes and everything below them, but what `isLeftOut` says. */
export function treeMemoryBytes(roots: readonly number[], isLeftOut: (pid: number) => boolean = () => false): number {
  const members = membersOf(roots, readTable()).filter((pid) => !isLeftOut(pid));
  return members.reduce((sum, pid) => {
    const kib = /^Pss:\s+(\d+) kB/m.exec(readQuietly(`/proc/${pid}/smaps_rollup`))?.[1];
    return sum + Number(kib ?? 0) * 1_024;
  }, 0);
}

/** Resident set size of one process, and its highest so far. */
export function residentBytes(pid: number): { readonly now: number; readonly peak: number } {
  const text = readQuietly(`/proc/${pid}/status`);
  const field = (name: string) => Number(new RegExp(`^${name}:\\s+(\\d+) kB`, "m").exec(text)?.[1] ?? 0) * 1_024;
  return { now: field("VmRSS"), peak: field("VmHWM") };
}

/** Samples a value until `stop`, which gives the highest. */
export function watchPeak(read: () => number, everyMs = 250): { stop(): number } {
  let peak = read();
  const timer = setInterval(() => {
    peak = Math.max(peak, read());
  }, everyMs);
  return {
    stop() {
      clearInterval(timer);
      return peak;
    },
  };
}

/** A Node program of ours that says in its first line of JSON that it is ready. */
export interface ReadyProgram<T> extends AsyncDisposable {
  readonly pid: number;
  readonly ready: T;
  /** Its next line of JSON. */
  next<N>(): Promise<N>;
  /** Asks it for more: a line on its standard input. */
  tell(line: string): void;
  readonly ended: Promise<void>;
  kill(signal: NodeJS.Signals): Promise<void>;
}

/** A program that ends with its standard input has this long; it may have a NATS server to stop. */
const endMs = 3_000;

/**
 * Starts `node main args`, or Node with other arguments, and waits for its first line.
 * @throws Error with its last words when it ends before
 */
export async function startNode<T>(
  main: string | readonly string[],
  args: readonly string[],
  variables: Readonly<Record<string, string>> = {},
): Promise<ReadyProgram<T>> {
  const command = typeof main === "string" ? ["--disable-warning=ExperimentalWarning", main] : main;
  const env = { ...process.env, ...variables };
  const child = spawn(process.execPath, [...command, ...args], { env, stdio: ["pipe", "pipe", "pipe"] });
  let words = "";
  child.stderr.setEncoding("utf8").on("data", (text: string) => {
    words = (words + text).slice(-8_192);
  });
  child.stdin.on("error", () => undefined);
  const ended = new Promise<void>((resolve) => child.once("exit", () => resolve()));
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const next = async <N>(): Promise<N> => {
    const line = await lines.next();
    if (line.done === true) throw new Error(`${command.at(-1)} ended:\n${words}`);
    return JSON.parse(line.value) as N;
  };
  const kill = async (signal: NodeJS.Signals): Promise<void> => {
    child.kill(signal);
    await ended;
  };
  return {
    ready: await next<T>(),
    pid: child.pid ?? 0,
    next,
    tell: (line) => child.stdin.write(`${line}\n`),
    ended,
    kill,
    async [Symbol.asyncDispose]() {
      child.stdin.end();
      await Promise.race([ended, delay(endMs, undefined, { ref: false })]);
      await kill("SIGKILL");
    },
  };
}

function readQuietly(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return "";
  }
}
