/** Where a command runs: a tree and what belongs to it. */
export interface CommandPlace {
  /** The worktree: current directory, and the only repository content that may be written. */
  readonly tree: string;
  /** Private HOME. */
  readonly home: string;
  /** Private TMPDIR. */
  readonly tmp: string;
  /** Read-only for the commands, although hidden otherwise: the repository behind the worktree. */
  readonly readable: readonly string[];
  /** Value of AGENTD_ATTEMPT in every process below: the reaper finds them by it. */
  readonly marker: string;
}

/** One command of the job's author: a check, a setup line or a plan. */
export interface ShellCommand {
  readonly command: string;
  readonly place: CommandPlace;
  readonly timeoutMs: number;
  /** Let it reach the network, where the sandbox can tell. */
  readonly network: boolean;
  /** Keeps standard output apart, at most so many bytes. Default: not kept. */
  readonly stdoutBytesMax?: number;
}

/** How the command ended. */
export interface ShellResult {
  /** Absent when it was killed by a signal. */
  readonly exitCode?: number;
  readonly isTimedOut: boolean;
  readonly durationMs: number;
  /** sha256 of the whole output, hex; of standard output alone where that is kept. */
  readonly outputDigest: string;
  /** Last 4,096 characters of standard output and error, in the order they came. */
  readonly outputTail: string;
  /** Empty unless it was asked for. */
  readonly stdout: string;
  /** More came than `stdoutBytesMax`: `stdout` has a hole. */
  readonly isStdoutCut: boolean;
}

/** Runs commands of the job's author in the sandbox, with an allow-listed environment. */
export interface Shell {
  /**
   * Runs `command` to its end; its process group is gone when this returns.
   * @throws the signal's reason after killing the command, or an Error when it cannot be started.
   */
  run(command: ShellCommand, signal: AbortSignal): Promise<ShellResult>;
}

/** Whether a command proved what it was run for. */
export function shellStatus(result: ShellResult): "Passed" | "Failed" | "TimedOut" {
  if (result.isTimedOut) return "TimedOut";
  return result.exitCode === 0 ? "Passed" : "Failed";
}
