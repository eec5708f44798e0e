import { type ChildProcess, spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { extname, join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { removeWorktree } from "../../platform/git/worktree/worktree.ts";
import { parseAttemptMarker } from "../../platform/process/reaper/attempt-marker.ts";
import { reapMarked } from "../../platform/process/reaper/reaper.ts";
import type { Logger } from "../../platform/telemetry/log.ts";
import { recordSpan } from "../../platform/telemetry/spans/tracer.ts";
import {
  type AttemptProgress,
  type AttemptResult,
  attemptResult,
  type RunAttempt,
  StopReason,
} from "./attempt-result.ts";
import type { ChildInput, ChildMessage } from "./child-protocol.ts";

/** An aborted child may take this long to clear away before it is killed. */
const abortGraceMs = 15_000;
/** A child that has answered may take this long to end. */
const exitGraceMs = 5_000;
/** Clearing away after a dead child may take this long. */
const clearTimeoutMs = 60_000;

/** What attempts in child processes need. */
export interface IsolatedDeps {
  readonly worker: string;
  /** Folder in which each child gets a data folder of its own: what it does to it hurts nobody else. */
  readonly directory: string;
  /** All that the child needs but the assignment; secrets go through standard input only. */
  readonly input: Omit<ChildInput, "assignment" | "dataRoot">;
  readonly logger: Logger;
}

/**
 * Runs attempts in a child process each, for tasks that were there when a worker died.
 *
 * A child that dies without an answer is an `Infra` end with `childDied`: the coordinator counts these, three are Poison.
 */
export function createIsolatedRunner(deps: IsolatedDeps): RunAttempt {
  return async (assignment, progress, signal) => {
    const child = startChild(deps.input.host);
    const dataRoot = join(deps.directory, `${assignment.task.slice(0, 24)}-${randomBytes(4).toString("hex")}`);
    try {
      return await runChild(child, { ...deps.input, assignment, dataRoot }, progress, signal);
    } catch (error) {
      deps.logger.warn({ err: error }, "the child process of an attempt could not be run");
      return attemptResult("Infra", `the attempt's own process could not be run: ${(error as Error).message}`);
    } finally {
      await clearAway(deps, child.pid, dataRoot);
    }
  };
}

async function runChild(
  child: ChildProcess,
  input: ChildInput,
  progress: AttemptProgress,
  signal: AbortSignal,
): Promise<AttemptResult> {
  const ended = endOf(child);
  // A child that is dead already is reported by its exit.
  child.stdin?.on("error", () => undefined);
  child.stdin?.write(`${JSON.stringify(input)}\n`);
  let result: AttemptResult | undefined;
  let killer: NodeJS.Timeout | undefined;
  const killLater = (afterMs: number): void => {
    clearTimeout(killer);
    killer = setTimeout(() => child.kill("SIGKILL"), afterMs);
  };
  const reading = readMessages(child, (message) => {
    if ("phase" in message) progress.onPhase(message.phase);
    else if ("usage" in message) progress.onUsage(message.usage);
    else if ("span" in message) recordSpan(message.span);
    else {
      result = message.result;
      killLater(exitGraceMs);
    }
  });
  const onAbort = (): void => {
    const reason = signal.reason instanceof StopReason ? signal.reason : new StopReason("Infra", "stopped");
    child.stdin?.end(`${JSON.stringify({ stop: { outcome: reason.outcome, message: reason.message } })}\n`);
    killLater(abortGraceMs);
  };
  if (signal.aborted) onAbort();
  else signal.addEventListener("abort", onAbort, { once: true });
  try {
    const how = await ended;
    await reading;
    if (result !== undefined) return result;
    if (signal.aborted && signal.reason instanceof StopReason) {
      return attemptResult(signal.reason.outcome, signal.reason.message);
    }
    return attemptResult("Infra", `the attempt's own process died (${how})`, { childDied: true });
  } finally {
    clearTimeout(killer);
    signal.removeEventListener("abort", onAbort);
    child.stdin?.destroy();
  }
}

function startChild(host: ChildInput["host"]): ChildProcess {
  const entry = fileURLToPath(new URL(`../attempt-child${extname(import.meta.filename)}`, import.meta.url));
  // Nothing else of our environment: what the child may hand to its own children comes with its input.
  const cache = host["NODE_COMPILE_CACHE"];
  return spawn(process.execPath, ["--disable-warning=ExperimentalWarning", entry], {
    env: cache === undefined ? {} : { NODE_COMPILE_CACHE: cache },
    stdio: ["pipe", "pipe", "inherit"],
  });
}

function endOf(child: ChildProcess): Promise<string> {
  return new Promise((resolve, reject) => {
    child.once("error", reject);
    child.once("exit", (code, signalName) => resolve(signalName ?? `exit code ${code}`));
  });
}

async function readMessages(child: ChildProcess, onMessage: (message: ChildMessage) => void): Promise<void> {
  if (child.stdout === null) return;
  // Lines come from our own program; a line that is cut by its death is no message.
  for await (const line of createInterface({ input: child.stdout })) {
    try {
      onMessage(JSON.parse(line) as ChildMessage);
    } catch {
      return;
    }
  }
}

/** Ends what the child started and removes what it made. Never throws. */
async function clearAway(deps: IsolatedDeps, pid: number | undefined, dataRoot: string): Promise<void> {
  try {
    const isOurs = (text: string): boolean => {
      const marker = parseAttemptMarker(text);
      return marker?.worker === deps.worker && marker.owner.pid === pid;
    };
    await reapMarked(isOurs, { directories: [dataRoot] }, AbortSignal.timeout(clearTimeoutMs));
    await removeWorktree({ directory: dataRoot }, AbortSignal.timeout(clearTimeoutMs));
  } catch (error) {
    deps.logger.error({ pid, err: error }, "an isolated attempt could not be cleared away");
  }
}
