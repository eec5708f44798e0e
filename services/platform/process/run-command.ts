import type { ChildProcess } from "node:child_process";
import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { setTimeout as delay, setImmediate as nextTurn } from "node:timers/promises";
import { AgentdError } from "../../core/errors.ts";
import type { OutputBuffer } from "./output-buffer.ts";
import { createOutputBuffer } from "./output-buffer.ts";
import { endProcessGroup, TERMINATE_GRACE_MS } from "./process-group.ts";
import { attemptVariable } from "./reaper/attempt-marker.ts";

/** A pipe that stays silent this long after its command ended is held by a stranger (a daemon), and let go. */
const DRAIN_SILENCE_MS = 100;
const DRAIN_MS_MAX = 2_000;
/** How long a killed process may take to be reported as ended before it is given up. */
const REAP_MS_MAX = 5_000;

/** What to run, where, with what, and its bounds. */
export interface Command {
  /** The program and its arguments, or a script for the shell (bash where there is one, else sh). */
  readonly run: { readonly argv: readonly string[] } | { readonly shell: string };
  readonly cwd: string;
  /** The whole environment of the child: nothing is inherited. See `child-environment.ts`. */
  readonly env: Readonly<Record<string, string>>;
  /** Written to standard input, which is then closed; without it, standard input is empty. */
  readonly stdin?: string | Uint8Array;
  readonly timeoutMs: number;
  /** Cap on each kept output, in bytes as printed: first 20 %, last 80 %. Bytes that are no UTF-8 become U+FFFD. */
  readonly outputBytesMax: number;
  /** Attempt marker for the child's environment: see `attempt-marker.ts`. */
  readonly marker?: string;
  /** Keep standard error apart instead of in order within `output`. Default false. */
  readonly separateStderr?: boolean;
  /** Sees every chunk as it arrives, also what the cap leaves out. Must not throw. */
  readonly onOutput?: (chunk: Buffer) => void;
  /** Wraps the final argument vector, shell included, for example with `sandboxArgv`. */
  readonly wrap?: (argv: readonly string[]) => readonly string[];
  /** Time between SIGTERM and SIGKILL; default 2 s. */
  readonly killGraceMs?: number;
}

/** How a command ended. */
export interface CommandResult {
  /** Null when a signal ended it; 127 when the shell did not find the program. */
  readonly exitCode: number | null;
  readonly signalName: NodeJS.Signals | null;
  /** Standard output and standard error as they came; standard output only with `separateStderr`. */
  readonly output: string;
  /** Standard error with `separateStderr`, else empty. */
  readonly stderr: string;
  /** Bytes of the whole `output`, and how many of them the cap left out. */
  readonly outputBytes: number;
  readonly outputOmittedBytes: number;
  /** Hex SHA-256 of the whole `output`. */
  readonly outputDigest: string;
  readonly durationMs: number;
  readonly timedOut: boolean;
}

/**
 * Runs a command in a process group of its own and leaves nothing of that group behind: at its end, at
 * `timeoutMs` or on abort the group gets SIGTERM and, 2 s later, SIGKILL. Memory stays bounded whatever is
 * printed, and the promise settles even when a daemon that left the group keeps the output pipe open (the
 * reaper ends such a daemon).
 *
 * @throws AgentdError INTERNAL when the program cannot be started; the signal's reason after an abort.
 */
export async function runCommand(command: Command, signal: AbortSignal): Promise<CommandResult> {
  signal.throwIfAborted();
  const startedAt = performance.now();
  const child = startChild(command);
  const output = createOutputBuffer(command.outputBytesMax);
  const stderr = createOutputBuffer(command.outputBytesMax);
  const exit = exitOf(child, command);
  collect(child.stdout, output, command.onOutput);
  collect(child.stderr, stderr, command.onOutput);
  writeInput(child, command.stdin);

  const ended = await exitOrDeadline(exit, command.timeoutMs, signal);
  const durationMs = Math.round(performance.now() - startedAt);
  if (child.pid !== undefined) await endProcessGroup(child.pid, command.killGraceMs ?? TERMINATE_GRACE_MS);
  const status = await Promise.race([exit, delay(REAP_MS_MAX, undefined, { ref: false })]);
  await drain(child, () => output.bytes + stderr.bytes);
  signal.throwIfAborted();

  const kept = output.finish();
  return {
    exitCode: status?.exitCode ?? null,
    signalName: status === undefined ? "SIGKILL" : status.signalName,
    output: kept.text,
    stderr: stderr.finish().text,
    outputBytes: kept.bytes,
    outputOmittedBytes: kept.omittedBytes,
    outputDigest: kept.digest,
    durationMs,
    timedOut: ended === "deadline",
  };
}

function startChild(command: Command): ChildProcess {
  const inner = "argv" in command.run ? command.run.argv : [...shell(), "-c", command.run.shell];
  const wrapped = command.wrap?.(inner) ?? inner;
  // One pipe for both streams keeps their order: two pipes are read in the order in which the reader wakes.
  const argv = command.separateStderr ? wrapped : ["/bin/sh", "-c", 'exec "$@" 2>&1', "sh", ...wrapped];
  const [program, ...parameters] = argv;
  if (program === undefined) throw new AgentdError("INTERNAL", "A command without a program cannot be run.");
  const marker = command.marker === undefined ? {} : { [attemptVariable]: command.marker };
  return spawn(program, parameters, {
    cwd: command.cwd,
    env: { ...command.env, ...marker },
    stdio: [command.stdin === undefined ? "ignore" : "pipe", "pipe", command.separateStderr ? "pipe" : "ignore"],
    detached: true,
  });
}

/** Without `--norc`, bash takes a socket as standard input (Node's pipes are) for a remote login and reads ~/.bashrc. */
function shell(): string[] {
  return existsSync("/bin/bash") ? ["/bin/bash", "--norc"] : ["/bin/sh"];
}

interface ExitStatus {
  readonly exitCode: number | null;
  readonly signalName: NodeJS.Signals | null;
}

function exitOf(child: ChildProcess, command: Command): Promise<ExitStatus> {
  return new Promise((resolve, reject) => {
    child.once("exit", (exitCode, signalName) => resolve({ exitCode, signalName }));
    child.on("error", (cause) => {
      const what = "argv" in command.run ? (command.run.argv[0] ?? "") : "the shell";
      reject(new AgentdError("INTERNAL", `Could not start ${what} in ${command.cwd}: ${cause.message}`, { cause }));
    });
  });
}

function collect(stream: ChildProcess["stdout"], into: OutputBuffer, onOutput: Command["onOutput"]): void {
  stream?.on("data", (chunk: Buffer) => {
    into.push(chunk);
    onOutput?.(chunk);
  });
  // A read error means that the pipe is gone; the exit status tells the rest.
  stream?.on("error", () => {});
}

function writeInput(child: ChildProcess, stdin: string | Uint8Array | undefined): void {
  // A child that does not read its input is no failure (EPIPE).
  child.stdin?.on("error", () => {});
  child.stdin?.end(stdin);
}

async function exitOrDeadline(
  exit: Promise<ExitStatus>,
  timeoutMs: number,
  signal: AbortSignal,
): Promise<"exit" | "deadline" | "abort"> {
  const { promise, resolve } = Promise.withResolvers<"deadline" | "abort">();
  const timer = setTimeout(() => resolve("deadline"), timeoutMs);
  const onAbort = (): void => resolve("abort");
  signal.addEventListener("abort", onAbort, { once: true });
  try {
    return await Promise.race([exit.then(() => "exit" as const), promise]);
  } finally {
    clearTimeout(timer);
    signal.removeEventListener("abort", onAbort);
  }
}

/** Reads what is still in the pipes, then lets go of them: a daemon that left the group may hold them for ever. */
async function drain(child: ChildProcess, bytesSeen: () => number): Promise<void> {
  const streams = [child.stdout, child.stderr].filter((stream) => stream !== null);
  const end = performance.now() + DRAIN_MS_MAX;
  let seen = -1;
  while (streams.some((stream) => !stream.closed && !stream.readableEnded)) {
    const now = bytesSeen();
    if (seen === now || performance.now() > end) break;
    seen = now;
    await waitForEnd(streams, DRAIN_SILENCE_MS);
    // One more turn of the event loop: after a long block the timer comes before the data that is there.
    await nextTurn();
  }
  for (const stream of streams) stream.destroy();
}

async function waitForEnd(streams: readonly NonNullable<ChildProcess["stdout"]>[], timeoutMs: number): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  const check = (): void => {
    if (streams.every((stream) => stream.readableEnded || stream.closed)) resolve();
  };
  const timer = setTimeout(resolve, timeoutMs);
  for (const stream of streams) stream.once("end", check).once("close", check);
  check();
  await promise;
  clearTimeout(timer);
  for (const stream of streams) stream.off("end", check).off("close", check);
}
