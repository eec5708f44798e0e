import { type ChildProcess, execFile, spawn } from "node:child_process";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("../..", import.meta.url));
/** The launcher of `agentd`. */
export const agentdBin = join(root, "services/standalone/bin/agentd");
/** The launcher of `agentctl`. */
export const agentctlBin = join(root, "services/agentctl/bin/agentctl");

/** What a command printed and how it ended. */
export interface CommandResult {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** A whole agentd with a simulated model, in a throw-away folder. */
export interface TestAgentd extends AsyncDisposable {
  readonly data: string;
  /** Process id of `agentd up`, whose children are the parts. */
  readonly pid: number;
  readonly endpoints: { readonly grpc: string; readonly nats: string; readonly model: readonly string[] };
  /** Runs `agentctl` against it. */
  ctl(args: readonly string[], options?: CtlOptions): Promise<CommandResult>;
  /** Process id of a part (`coordinator`, `nats-server`, `vllm-sim`, or a worker's name) as it is now. */
  pidOf(part: string): Promise<number>;
  readonly workers: readonly string[];
  /** Kills `agentd up` itself and all parts at once, as a power cut would. */
  killAll(): Promise<void>;
  /** Starts it again on the same folder after {@link killAll} or {@link stop}. */
  restart(): Promise<void>;
  stop(): Promise<void>;
  /** Exit code of the `agentd up` that was started last; null = a signal ended it. */
  ended(): Promise<number | null>;
  /** What `agentd up` itself printed and logged lately. */
  output(): string;
  /** Log text of a part. */
  log(part: string): Promise<string>;
}

/** How agentctl is called. */
export interface CtlOptions {
  readonly cwd?: string;
  readonly input?: string;
  readonly timeoutMs?: number;
  /** Variables on top of those of the test. */
  readonly env?: Readonly<Record<string, string>>;
}

/** What `agentd up` is started with. */
export interface StartOptions {
  readonly workers?: number;
  readonly slots?: number;
  readonly simArgs?: readonly string[];
  /** Silence after which a worker loses its tasks; by default longer than any machine is busy, so that none is lost by chance. */
  readonly leaseMs?: number;
  /** More flags of `agentd up`. */
  readonly args?: readonly string[];
  /** Variables on top of those of the test. */
  readonly env?: Readonly<Record<string, string>>;
  /** A real model server instead of the simulated one. */
  readonly model?: { readonly url: string; readonly name: string };
}

/** Runs a command to its end; never throws for an exit code. */
export function runProgram(file: string, args: readonly string[], options: CtlOptions = {}): Promise<CommandResult> {
  return new Promise((resolve) => {
    const child = execFile(
      file,
      [...args],
      {
        cwd: options.cwd ?? tmpdir(),
        env: { ...process.env, ...options.env },
        timeout: options.timeoutMs ?? 240_000,
        maxBuffer: 64 * 1024 * 1024,
      },
      (error, stdout, stderr) => {
        const code = error === null ? 0 : typeof error.code === "number" ? error.code : -1;
        resolve({ code, stdout, stderr });
      },
    );
    child.stdin?.on("error", () => undefined);
    child.stdin?.end(options.input ?? "");
  });
}

/** A program that runs, with what it has printed so far. */
export interface RunningProgram {
  readonly process: ChildProcess;
  /** Its exit code; -1 when a signal ended it. */
  readonly ended: Promise<number>;
  stdout(): string;
  stderr(): string;
}

/** Starts a program that the test ends. */
export function startProgram(file: string, args: readonly string[], cwd: string): RunningProgram {
  const child = spawn(file, [...args], { cwd, stdio: ["ignore", "pipe", "pipe"] });
  let [stdout, stderr] = ["", ""];
  child.stdout.setEncoding("utf8").on("data", (chunk: string) => {
    stdout += chunk;
  });
  child.stderr.setEncoding("utf8").on("data", (chunk: string) => {
    stderr += chunk;
  });
  const ended = new Promise<number>((resolve) => child.once("close", (code) => resolve(code ?? -1)));
  return { process: child, ended, stdout: () => stdout, stderr: () => stderr };
}

/** Runs agentctl against a server, or none. */
export function runAgentctl(args: readonly string[], options?: CtlOptions): Promise<CommandResult> {
  return runProgram(agentctlBin, args, options);
}

/** Starts a whole agentd on free ports, with the simulated model unless a real one is named. */
export async function startAgentd(options: StartOptions = {}): Promise<TestAgentd> {
  const data = await mkdtemp(join(tmpdir(), "agentd-e2e-"));
  const args = [
    "up",
    ...(options.model === undefined
      ? ["--simulate"]
      : [`--model-url=${options.model.url}`, `--model=${options.model.name}`]),
    `--data=${data}`,
    "--listen=127.0.0.1:0",
    `--workers=${options.workers ?? 1}`,
    `--slots=${options.slots ?? 8}`,
    `--lease-ms=${options.leaseMs ?? 30_000}`,
    "--heartbeat-ms=500",
    ...(options.simArgs ?? []).map((arg) => `--sim-arg=${arg}`),
    ...(options.args ?? []),
  ];
  let { child, output } = await launch(args, data, options.env);
  const readEndpoints = async () =>
    JSON.parse(await readFile(join(data, "endpoints.json"), "utf8")) as TestAgentd["endpoints"] & { workers: string[] };
  let endpoints = await readEndpoints();
  const pidOf = async (part: string) => Number((await readFile(join(data, "run", `${part}.pid`), "utf8")).trim());
  const killAll = async () => {
    const exited = new Promise((resolve) => child.once("exit", resolve));
    child.kill("SIGKILL");
    await exited;
    for (const part of ["nats-server", "coordinator", "vllm-sim", ...endpoints.workers]) {
      try {
        process.kill(await pidOf(part), "SIGKILL");
      } catch {
        // Already gone.
      }
    }
  };
  const stop = async () => {
    if (child.exitCode !== null || child.signalCode !== null) return;
    const exited = new Promise((resolve) => child.once("exit", resolve));
    child.kill("SIGTERM");
    // With its parts: alone it would leave them to all tests after this one.
    let killed: Promise<void> | undefined;
    const timer = setTimeout(() => {
      killed = killAll();
    }, 60_000);
    await exited;
    clearTimeout(timer);
    await killed;
  };
  return {
    data,
    get pid() {
      return child.pid ?? 0;
    },
    get endpoints() {
      return endpoints;
    },
    workers: endpoints.workers,
    ctl: (words, ctlOptions) => runAgentctl(["--server", endpoints.grpc, ...words], ctlOptions),
    pidOf,
    killAll,
    async restart() {
      ({ child, output } = await launch(args, data, options.env));
      endpoints = await readEndpoints();
    },
    stop,
    ended: () =>
      child.exitCode !== null || child.signalCode !== null
        ? Promise.resolve(child.exitCode)
        : new Promise((resolve) => child.once("exit", resolve)),
    output: () => output(),
    log: (part) => readFile(join(data, "logs", `${part}.log`), "utf8"),
    async [Symbol.asyncDispose]() {
      await stop();
      await rm(data, { recursive: true, force: true, maxRetries: 5 });
    },
  };
}

interface Launched {
  readonly child: ChildProcess;
  readonly output: () => string;
}

async function launch(args: readonly string[], data: string, more: StartOptions["env"]): Promise<Launched> {
  const env = { ...process.env, ...more };
  const child = spawn(agentdBin, [...args], { cwd: tmpdir(), env, stdio: ["ignore", "pipe", "pipe"] });
  let output = "";
  await new Promise<void>((resolve, reject) => {
    const collect = (chunk: string) => {
      output = (output + chunk).slice(-16_384);
      if (output.includes(" is up\n")) resolve();
    };
    child.stdout.setEncoding("utf8").on("data", collect);
    child.stderr.setEncoding("utf8").on("data", collect);
    child.once("exit", (code) => reject(new Error(`agentd up on ${data} ended with ${code}:\n${output}`)));
  });
  return { child, output: () => output };
}

/**
 * Waits until `probe` gives a value; polls, because the outside world has no promise to await. Rests as long as a look takes, so
 * that looking leaves half of a core to what is looked at.
 */
export async function eventually<T>(
  what: string,
  probe: () => Promise<T | undefined> | T | undefined,
  timeoutMs = 120_000,
): Promise<T> {
  const deadline = performance.now() + timeoutMs;
  for (;;) {
    const startedAt = performance.now();
    const value = await probe();
    if (value !== undefined) return value;
    if (performance.now() > deadline) throw new Error(`${what} did not happen within ${timeoutMs / 1000}s`);
    const restMs = Math.min(500, Math.max(50, performance.now() - startedAt));
    await new Promise((resolve) => setTimeout(resolve, restMs));
  }
}
