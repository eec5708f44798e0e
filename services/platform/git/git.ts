import type { ChildProcess } from "node:child_process";
import { spawn } from "node:child_process";
import { AgentdError } from "../../core/errors.ts";
import { endProcessGroup } from "../process/process-group.ts";
import { gitMessage } from "./git-text.ts";
import { type GitIdentity, type GitSettings, gitEnvironment, hardenedWords } from "./hardened-git.ts";

/** Settings of one run. */
export interface GitRunOptions {
  /** Text or bytes, or an open file descriptor that git reads from its current offset. */
  readonly stdin?: string | Uint8Array | { readonly fd: number };
  /** Standard output goes to this file descriptor; `stdout` is then empty. */
  readonly stdoutFd?: number;
  /** Exit codes that are answers, not failures; default 0. */
  readonly okExitCodes?: readonly number[];
  /** Default 64 MiB. */
  readonly stdoutBytesMax?: number;
  /** Cut the output at the cap and end git, instead of throwing. Default false. */
  readonly truncate?: boolean;
  /** Default 10 minutes. */
  readonly timeoutMs?: number;
  readonly author?: GitIdentity;
  readonly committer?: GitIdentity;
}

/** What git answered. */
export interface GitResult {
  readonly stdout: Buffer;
  /** Bounded, as git wrote it: pass it through `gitMessage` before showing it. */
  readonly stderr: string;
  readonly exitCode: number;
  readonly isTruncated: boolean;
}

/** One hardened git: no hooks, no file-system monitor, no system or user configuration, no prompts, literal paths. */
export interface Git {
  readonly settings: GitSettings;
  /**
   * Runs one git command.
   *
   * @throws AgentdError DISK_FULL, LIMIT_EXCEEDED (output above its cap), INTERNAL with git's own words for
   * any exit code that is not in `okExitCodes`; the signal's reason after an abort.
   */
  run(args: readonly string[], options: GitRunOptions, signal: AbortSignal): Promise<GitResult>;
  /**
   * Runs several commands for the price of one: starting a process from a Node with a large heap takes milliseconds, in which
   * nothing else of it runs. A command that fails ends the script with its exit code. Otherwise like `run`.
   */
  runScript(script: GitScript, options: GitRunOptions, signal: AbortSignal): Promise<GitResult>;
}

/** A constant text for a POSIX shell in which `"$@"` stands for this git, as in `"$@" write-tree`. */
export interface GitScript {
  /** For messages: "git <name> failed". */
  readonly name: string;
  /** Nothing is put into it: values are in the settings' variables (`$GIT_DIR`, …) and on standard input. */
  readonly text: string;
}

const DEFAULT_STDOUT_BYTES_MAX = 64 * 1024 * 1024;
const DEFAULT_TIMEOUT_MS = 10 * 60_000;
const STDERR_BYTES_MAX = 16 * 1024;

/** Makes a git for one git dir. Starting nothing itself, it needs no closing. */
export function createGit(settings: GitSettings): Git {
  const nameOf = (args: readonly string[]): string => args.find((argument) => !argument.startsWith("-")) ?? "";
  return {
    settings,
    run: (args, options, signal) => runGit(settings, { name: nameOf(args), args, launcher: [] }, options, signal),
    runScript: ({ name, text }, options, signal) =>
      runGit(settings, { name, args: [], launcher: ["/bin/sh", "-e", "-c", text, "sh"] }, options, signal),
  };
}

/** The same git with some settings replaced. */
export function withGitSettings(git: Git, settings: Partial<GitSettings>): Git {
  return createGit({ ...git.settings, ...settings });
}

interface GitCommand {
  /** For messages. */
  readonly name: string;
  readonly args: readonly string[];
  /** Words before `git`. */
  readonly launcher: readonly string[];
}

async function runGit(
  settings: GitSettings,
  command: GitCommand,
  options: GitRunOptions,
  signal: AbortSignal,
): Promise<GitResult> {
  signal.throwIfAborted();
  const child = startGit(settings, command.args, options, command.launcher);
  const group = child.pid;
  let reasonToStop: "abort" | "timeout" | "size" | undefined;
  let ending: Promise<void> | undefined;
  const stop = (reason: "abort" | "timeout" | "size"): void => {
    reasonToStop ??= reason;
    if (group !== undefined) ending ??= endProcessGroup(group);
  };
  const timer = setTimeout(stop, options.timeoutMs ?? DEFAULT_TIMEOUT_MS, "timeout");
  const onAbort = (): void => stop("abort");
  signal.addEventListener("abort", onAbort, { once: true });
  const stdout = collect(child.stdout, options.stdoutBytesMax ?? DEFAULT_STDOUT_BYTES_MAX, () => stop("size"));
  const stderr = collect(child.stderr, STDERR_BYTES_MAX, () => {});
  feed(child, options.stdin);
  try {
    const exitCode = await closed(child, command);
    await ending;
    signal.throwIfAborted();
    const isTruncated = reasonToStop === "size";
    const result = { stdout: stdout(), stderr: stderr().toString("utf8"), exitCode: exitCode ?? -1, isTruncated };
    const isOk = (options.okExitCodes ?? [0]).includes(result.exitCode);
    if (reasonToStop === undefined ? isOk : isTruncated && options.truncate === true) return result;
    throw gitFailure(command, result, reasonToStop);
  } finally {
    clearTimeout(timer);
    signal.removeEventListener("abort", onAbort);
  }
}

/**
 * Starts a git that is as hardened as {@link Git.run} makes it; all three streams are for the caller, who ends it.
 *
 * @param launcher words before `git` that start it in another way, such as `stdbuf -o0`.
 */
export function spawnGit(git: Git, args: readonly string[], launcher: readonly string[] = []): ChildProcess {
  return startGit(git.settings, args, { stdin: "" }, launcher);
}

function startGit(
  settings: GitSettings,
  args: readonly string[],
  options: GitRunOptions,
  launcher: readonly string[] = [],
): ChildProcess {
  const stdin = options.stdin;
  const [program = "git", ...words] = [...launcher, ...hardenedWords(settings), ...args];
  return spawn(program, words, {
    cwd: settings.workTree ?? settings.gitDir,
    env: gitEnvironment(settings, options),
    stdio: [
      stdin === undefined ? "ignore" : typeof stdin === "object" && "fd" in stdin ? stdin.fd : "pipe",
      options.stdoutFd ?? "pipe",
      "pipe",
    ],
    detached: true,
  });
}

/** Collects up to `bytesMax`; calls `onFull` once when more comes, and drops it. */
function collect(stream: ChildProcess["stdout"], bytesMax: number, onFull: () => void): () => Buffer {
  const chunks: Buffer[] = [];
  let bytes = 0;
  stream?.on("data", (chunk: Buffer) => {
    const room = bytesMax - bytes;
    if (chunk.length > room) onFull();
    if (room > 0) chunks.push(chunk.length > room ? chunk.subarray(0, room) : chunk);
    bytes += Math.min(chunk.length, Math.max(0, room));
  });
  stream?.on("error", () => {});
  return () => Buffer.concat(chunks);
}

function feed(child: ChildProcess, stdin: GitRunOptions["stdin"]): void {
  if (stdin === undefined || (typeof stdin === "object" && "fd" in stdin)) return;
  // git may end without reading all of its input; its exit code says why.
  child.stdin?.on("error", () => {});
  child.stdin?.end(stdin);
}

function closed(child: ChildProcess, command: GitCommand): Promise<number | null> {
  return new Promise((resolve, reject) => {
    child.once("close", (exitCode) => resolve(exitCode));
    child.once("error", (cause: NodeJS.ErrnoException) => {
      const hint = cause.code === "ENOENT" ? "Install git 2.38 or newer, or check that the folder exists." : "";
      reject(new AgentdError("INTERNAL", `Could not start git ${command.name}: ${cause.message}. ${hint}`, { cause }));
    });
  });
}

function gitFailure(
  { name: command }: GitCommand,
  result: GitResult,
  stopped: "abort" | "timeout" | "size" | undefined,
): AgentdError {
  const metadata = { command, exitCode: String(result.exitCode) };
  if (stopped === "size") {
    return new AgentdError("LIMIT_EXCEEDED", `git ${command} printed more than its output cap allows.`, { metadata });
  }
  if (stopped === "timeout") {
    return new AgentdError("INTERNAL", `git ${command} did not finish in time and was stopped.`, { metadata });
  }
  const words = gitMessage(result.stderr) || "it said nothing";
  if (/No space left on device|Disk quota exceeded/i.test(result.stderr)) {
    return new AgentdError("DISK_FULL", `git ${command} found no free disk space: ${words}`, { metadata });
  }
  return new AgentdError("INTERNAL", `git ${command} failed with exit code ${result.exitCode}: ${words}`, { metadata });
}
