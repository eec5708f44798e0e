import { type ChildProcess, spawn } from "node:child_process";
import { rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import type { Logger } from "../../platform/telemetry/log.ts";

/** One process of the tree. */
export interface Part {
  readonly name: string;
  readonly command: string;
  readonly args: readonly string[];
  /** Arguments of later starts, given what the first one said: a free port, once found, is kept. Default: `args`. */
  readonly argsAgain?: (ready: Ready) => readonly string[];
  /** The whole environment: nothing is inherited. */
  readonly env: Readonly<Record<string, string>>;
  /** File that gets standard error (the JSON log). */
  readonly logFd: number;
  /** How long it may take to say that it is ready. Default 60,000. */
  readonly readyTimeoutMs?: number;
}

/** What a part says once it serves: the JSON object of its first line on standard output. */
export type Ready = Readonly<Record<string, unknown>>;

/** A part that runs, over restarts. */
export interface SupervisedPart {
  readonly name: string;
  /** Process id of the present incarnation; undefined between two. */
  readonly pid: number | undefined;
  /** Ends it for good: SIGTERM, and what the bounds say. */
  stop(bounds: StopBounds): Promise<void>;
}

/** How long a stop may take. */
export interface StopBounds {
  /** A second SIGTERM: a worker then gives its leases back instead of finishing. */
  readonly hurry: AbortSignal;
  /** SIGKILL. */
  readonly kill: AbortSignal;
}

interface SupervisorDeps {
  /** Folder of the pid files, by which a later start finds what a killed one left. */
  readonly runDirectory: string;
  readonly log: Logger;
}

const backoffStartMs = 200;
const backoffMaxMs = 10_000;
/** A part that lived this long starts over with a short back-off. */
const healthyMs = 30_000;

/** Starts `part`, waits until it is ready, and restarts it whenever it dies, until stopped. */
export async function supervise(
  deps: SupervisorDeps,
  part: Part,
  signal: AbortSignal,
): Promise<{ readonly supervised: SupervisedPart; readonly ready: Ready }> {
  let child = await launch(deps, part);
  const ready = await firstLine(part, child, signal);
  const again: Part = { ...part, args: part.argsAgain?.(ready) ?? part.args };
  let isStopping = false;
  const stopping = new AbortController();
  const loop = (async () => {
    let backoffMs = backoffStartMs;
    while (!isStopping) {
      const startedMs = performance.now();
      const end = await exitOf(child);
      if (isStopping) return;
      if (performance.now() - startedMs > healthyMs) backoffMs = backoffStartMs;
      deps.log.warn({ part: part.name, ...end, backoffMs }, "part died; starting it again");
      await delay(backoffMs, undefined, { signal: stopping.signal }).catch(() => undefined);
      if (isStopping) return;
      backoffMs = Math.min(backoffMs * 2, backoffMaxMs);
      try {
        child = await launch(deps, again);
        child.stdout?.resume();
      } catch (error) {
        // A full disk or process table passes; a part that nobody starts again does not come back.
        deps.log.error({ part: part.name, err: error }, "part does not start");
      }
    }
  })();
  loop.catch((error: unknown) => deps.log.error({ part: part.name, err: error }, "supervision ended"));
  const supervised: SupervisedPart = {
    name: part.name,
    get pid() {
      return child.exitCode === null && child.signalCode === null ? child.pid : undefined;
    },
    async stop(bounds) {
      isStopping = true;
      stopping.abort();
      await endChild(child, bounds);
      await loop;
      // One that was being started anew meanwhile: nobody else knows it.
      await endChild(child, bounds);
      await rm(pidFile(deps.runDirectory, part.name), { force: true });
    },
  };
  return { supervised, ready };
}

function pidFile(runDirectory: string, name: string): string {
  return join(runDirectory, `${name}.pid`);
}

async function launch(deps: SupervisorDeps, part: Part): Promise<ChildProcess> {
  const child = spawn(part.command, [...part.args], {
    env: part.env,
    stdio: ["ignore", "pipe", part.logFd],
    // Its own group: Ctrl-C reaches `agentd up` alone, which then stops the parts in order.
    detached: true,
  });
  const failed = new Promise<never>((_, reject) => child.once("error", reject));
  const spawned = new Promise<void>((resolve) => child.once("spawn", resolve));
  await Promise.race([spawned, failed]);
  child.on("error", (error) => deps.log.error({ part: part.name, err: error }, "part could not be signalled"));
  try {
    await writeFile(pidFile(deps.runDirectory, part.name), `${child.pid ?? 0}\n`);
    return child;
  } catch (error) {
    child.kill("SIGKILL");
    throw error;
  }
}

async function exitOf(child: ChildProcess): Promise<{ exitCode: number | null; killedBy: string | null }> {
  if (child.exitCode === null && child.signalCode === null) {
    await new Promise<void>((resolve) => child.once("exit", () => resolve()));
  }
  return { exitCode: child.exitCode, killedBy: child.signalCode };
}

async function endChild(child: ChildProcess, bounds: StopBounds): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const done = new AbortController();
  const on = (signal: AbortSignal, act: () => void): void => {
    if (signal.aborted) act();
    else signal.addEventListener("abort", act, { once: true, signal: done.signal });
  };
  child.kill("SIGTERM");
  on(bounds.hurry, () => child.kill("SIGTERM"));
  on(bounds.kill, () => child.kill("SIGKILL"));
  await exitOf(child);
  done.abort();
}

/** The part's ready line. @throws Error that names the part when it ends or stays silent instead. */
async function firstLine(part: Part, child: ChildProcess, signal: AbortSignal): Promise<Ready> {
  const timeoutMs = part.readyTimeoutMs ?? 60_000;
  let text = "";
  try {
    return await new Promise<Ready>((resolve, reject) => {
      const timer = setTimeout(
        () => reject(new Error(`${part.name} was not ready within ${timeoutMs / 1000}s`)),
        timeoutMs,
      );
      const settle = (act: () => void) => {
        clearTimeout(timer);
        act();
      };
      const onAbort = (): void => settle(() => reject(signal.reason as Error));
      // It may have been aborted while the process was started.
      if (signal.aborted) onAbort();
      else signal.addEventListener("abort", onAbort, { once: true });
      child.once("exit", (code, killedBy) =>
        settle(() => reject(new Error(`${part.name} ended before it was ready (${killedBy ?? `exit code ${code}`})`))),
      );
      child.stdout?.setEncoding("utf8").on("data", (chunk: string) => {
        text = (text + chunk).slice(0, 65_536);
        const end = text.indexOf("\n");
        if (end < 0) return;
        try {
          const ready = JSON.parse(text.slice(0, end)) as Ready;
          settle(() => resolve(ready));
        } catch {
          text = text.slice(end + 1);
        }
      });
    });
  } catch (error) {
    child.kill("SIGKILL");
    throw error;
  }
}
