import { spawn } from "node:child_process";
import { createInterface } from "node:readline";
import { paths } from "./paths.ts";
import type { Screen } from "./screen.ts";

/** How far the job is, as a line of `agentctl apply --wait` tells it. */
export interface Progress {
  readonly merged: number;
  readonly total: number;
  readonly running: number;
  readonly merging: number;
}

/** Reads a progress line; undefined for every other line. */
export function readProgress(line: string): Progress | undefined {
  const merged = /\bmerged (\d+)\/(\d+)/.exec(line);
  if (merged === null) return undefined;
  const count = (word: string) => Number(new RegExp(`\\b${word} (\\d+)`).exec(line)?.[1] ?? 0);
  return { merged: Number(merged[1]), total: Number(merged[2]), running: count("running"), merging: count("merging") };
}

interface ApplyOptions {
  readonly server: string;
  readonly cwd: string;
  readonly screen: Screen;
  readonly onProgress: (progress: Progress) => void;
}

/** Runs `agentctl apply -f job.yaml --wait` with its output on the screen. @returns its exit code */
export async function applyJob(options: ApplyOptions, signal: AbortSignal): Promise<number> {
  const { server, cwd, screen, onProgress } = options;
  const args = ["--server", server, "apply", "-f", "job.yaml", "--wait"];
  const child = spawn(paths.agentctl, args, { cwd, stdio: ["ignore", "pipe", "pipe"], signal, killSignal: "SIGTERM" });
  const ended = new Promise<number>((resolve, reject) => {
    child.once("error", (error) => reject(signal.aborted ? (signal.reason as Error) : error));
    child.once("close", (code) => resolve(code ?? 1));
  });
  const show = (line: string) => {
    const progress = readProgress(line);
    if (progress === undefined) {
      screen.line(`  ${line}`);
      return;
    }
    screen.progress(`  ${line}`);
    onProgress(progress);
  };
  createInterface({ input: child.stdout }).on("line", show);
  createInterface({ input: child.stderr }).on("line", show);
  return await ended;
}
