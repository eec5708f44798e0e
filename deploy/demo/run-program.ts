import { execFile } from "node:child_process";

/** What a program printed and how it ended. */
export interface ProgramResult {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

const outputBytesMax = 64 * 1024 * 1024;
const timeoutMs = 60_000;

/** Runs a short program to its end, at most a minute. @throws the signal's reason, or Error when it cannot be started. */
export function runProgram(
  file: string,
  args: readonly string[],
  cwd: string,
  signal: AbortSignal,
): Promise<ProgramResult> {
  return new Promise((resolve, reject) => {
    const options = { cwd, signal, timeout: timeoutMs, maxBuffer: outputBytesMax };
    const child = execFile(file, [...args], options, (error, stdout, stderr) => {
      if (signal.aborted) reject(signal.reason as Error);
      else if (error !== null && typeof error.code !== "number") reject(error);
      else resolve({ code: error === null ? 0 : Number(error.code), stdout, stderr });
    });
    child.stdin?.end();
  });
}

/** As {@link runProgram}, for programs that must succeed. @throws Error with what it printed when its exit code is not 0. */
export async function runOk(file: string, args: readonly string[], cwd: string, signal: AbortSignal): Promise<string> {
  const { code, stdout, stderr } = await runProgram(file, args, cwd, signal);
  if (code !== 0) throw new Error(`${[file, ...args].join(" ")} ended with exit code ${code}: ${stderr || stdout}`);
  return stdout;
}
