/** One command that a tool wants to run. */
export interface ExecCommand {
  /** Program and arguments; never passed through a shell by the port itself. */
  readonly argv: readonly string[];
  /** After so many milliseconds the whole process group is killed. */
  readonly timeoutMs: number;
  /** Bytes of output kept; what is beyond is dropped from the middle (20 % head, 80 % tail), the command goes on. */
  readonly outputBytesMax: number;
}

/** How the command ended. */
export interface ExecResult {
  /** Absent (null) when it was killed by a signal or by the time limit. */
  readonly exitCode: number | null;
  /** Standard output and standard error in order of arrival, decoded as UTF-8. */
  readonly output: string;
  readonly timedOut: boolean;
  readonly durationMs: number;
}

/**
 * Runs a command for the tools bash, glob and grep: the one place where the worker puts its sandbox around them.
 *
 * The port promises: the working directory is the worktree's root; standard input is closed; the environment is an allow-list
 * without secrets, with `CI=1 PAGER=cat GIT_TERMINAL_PROMPT=0`; no process of the command's group outlives the call; a program
 * named by an absolute path (ripgrep's) can be run inside the sandbox.
 * @throws the signal's reason when aborted, after the process group is dead.
 */
export type Exec = (command: ExecCommand, signal: AbortSignal) => Promise<ExecResult>;
