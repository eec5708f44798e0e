import { type ChildProcess, spawn } from "node:child_process";
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { paths } from "./paths.ts";
import { type ProgramResult, runProgram } from "./run-program.ts";

/** What `agentd up` writes about itself. */
interface Endpoints {
  readonly grpc: string;
  readonly model: readonly string[];
  readonly isSimulated: boolean;
  readonly workers: readonly string[];
}

/** A running `agentd up --simulate`. */
export interface LocalAgentd {
  readonly endpoints: Endpoints;
  /** What it said when it was up. */
  readonly greeting: string;
  /** Runs agentctl against it. */
  ctl(args: readonly string[], signal: AbortSignal): Promise<ProgramResult>;
  /** Process id of a part, as it is now. */
  pidOf(part: string): Promise<number>;
  /** Ends it and every part of it; a second call joins the first. */
  stop(): Promise<void>;
}

const upTimeoutMs = 60_000;
// Longer than agentd gives its own parts.
const stopTimeoutMs = 45_000;

/** Starts agentd with a simulated model. @throws Error with its last words when it does not come up. */
export async function startAgentd(
  data: string,
  flags: readonly string[],
  cwd: string,
  signal: AbortSignal,
): Promise<LocalAgentd> {
  const args = ["up", "--simulate", `--data=${data}`, "--listen=127.0.0.1:0", ...flags];
  // A process group of its own: Ctrl-C is ours to handle, so that everything is stopped in order.
  const child = spawn(paths.agentd, args, { cwd, stdio: ["ignore", "pipe", "pipe"], detached: true });
  let stopping: Promise<void> | undefined;
  const stop = () => (stopping ??= endTree(child, data));
  try {
    const greeting = await untilUp(child, signal);
    const endpoints = JSON.parse(await readFile(join(data, "endpoints.json"), "utf8")) as Endpoints;
    return {
      endpoints,
      greeting,
      ctl: (words, ctlSignal) => runProgram(paths.agentctl, ["--server", endpoints.grpc, ...words], cwd, ctlSignal),
      pidOf: (part) => readPid(join(data, "run", `${part}.pid`)),
      stop,
    };
  } catch (error) {
    await stop();
    throw error;
  }
}

async function untilUp(child: ChildProcess, signal: AbortSignal): Promise<string> {
  let output = "";
  return await new Promise<string>((resolve, reject) => {
    const fail = (why: string) => reject(new Error(`agentd up ${why}\n${output.trim()}`));
    const timer = setTimeout(() => fail(`was not up within ${upTimeoutMs / 1000} s`), upTimeoutMs);
    signal.addEventListener("abort", () => reject(signal.reason as Error), { once: true });
    const collect = (chunk: string) => {
      output = (output + chunk).slice(-16_384);
      const start = output.search(/^agentd \S+ is up$/m);
      // The greeting ends in a line with what to try.
      const end = output.indexOf("\n", output.indexOf("\nTry: ", start) + 1);
      if (start < 0 || end < 0 || !output.includes("\nTry: ")) return;
      clearTimeout(timer);
      resolve(output.slice(start, end));
    };
    child.stdout?.setEncoding("utf8").on("data", collect);
    child.stderr?.setEncoding("utf8").on("data", collect);
    child.once("error", (error) => fail(`cannot be started: ${error.message}`));
    child.once("exit", (code) => fail(`ended with exit code ${code}`));
  });
}

async function readPid(file: string): Promise<number> {
  return Number((await readFile(file, "utf8")).trim());
}

async function endTree(child: ChildProcess, data: string): Promise<void> {
  const exited = new Promise<void>((resolve) => child.once("exit", () => resolve()));
  if (child.exitCode === null && child.signalCode === null && child.pid !== undefined) {
    // Noted before: agentd removes the files of parts that it has ended.
    const pids = await partPids(data);
    child.kill("SIGTERM");
    const timer = setTimeout(() => {
      child.kill("SIGKILL");
      for (const pid of pids) killQuietly(pid);
    }, stopTimeoutMs);
    await exited;
    clearTimeout(timer);
  }
}

async function partPids(data: string): Promise<readonly number[]> {
  const run = join(data, "run");
  const files = (await readdir(run).catch(() => [])).filter((name) => name.endsWith(".pid"));
  const pids = await Promise.all(files.map((name) => readPid(join(run, name)).catch(() => 0)));
  return pids.filter((pid) => Number.isInteger(pid) && pid > 1);
}

function killQuietly(pid: number): void {
  try {
    process.kill(pid, "SIGKILL");
  } catch {
    // Gone already.
  }
}
