import { type ChildProcess, spawn } from "node:child_process";
import { mkdir, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { connect as connectSocket } from "node:net";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { jetstreamManager } from "@nats-io/jetstream";
import { credsAuthenticator } from "@nats-io/nats-core";
import { connect } from "@nats-io/transport-node";
import { abortable, pause } from "../../lifecycle/abortable.ts";
import type { Authority } from "./credentials.ts";
import { natsServerConfig } from "./server-config.ts";

/** How {@link startNatsServer} runs a server. */
export interface StartServerOptions {
  /** Path of a nats-server ≥ 2.12; see `findNatsServer`. */
  readonly binary: string;
  /** Configuration, log and `js/` data live here. */
  readonly directory: string;
  /** 0 = a free port. */
  readonly port: number;
  readonly authority: Authority;
  /** See `ServerConfigOptions`. */
  readonly isSyncAlways?: boolean;
  readonly fileStoreBytes?: number;
  /** Default 30 s: a big store takes time to recover. */
  readonly readyTimeoutMs?: number;
}

/** How a server ended. */
export interface ServerExit {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

/** A nats-server that runs as our child. */
export interface RunningServer extends AsyncDisposable {
  readonly url: string;
  readonly port: number;
  readonly pid: number;
  /** Resolves when the process has ended, for whatever reason. */
  readonly exited: Promise<ServerExit>;
  /** Asks it to stop, and kills it after five seconds. Idempotent. */
  stop(): Promise<void>;
}

const stopGraceMs = 5_000;

/**
 * Starts a nats-server and waits until it accepts connections and JetStream answers.
 * @throws Error with one sentence when the port is taken, the server ends at once or is not ready in time.
 */
export async function startNatsServer(options: StartServerOptions, signal: AbortSignal): Promise<RunningServer> {
  const portsDirectory = join(options.directory, "ports");
  const configPath = join(options.directory, "nats-server.conf");
  const logPath = join(options.directory, "nats-server.log");
  await mkdir(join(options.directory, "js"), { recursive: true, mode: 0o700 });
  await rm(portsDirectory, { recursive: true, force: true });
  await mkdir(portsDirectory, { recursive: true, mode: 0o700 });
  if (options.port !== 0 && (await isPortTaken(options.port))) throw portTaken(options.port);
  const config = natsServerConfig({ ...options, storeDirectory: join(options.directory, "js"), portsDirectory });
  await writeFile(configPath, config, { mode: 0o600 });
  signal.throwIfAborted();
  const child = spawn(options.binary, ["--config", configPath, "--log", logPath], {
    cwd: options.directory,
    stdio: "ignore",
    // Its own group: Ctrl-C on a terminal reaches the caller alone, which stops the server last.
    detached: true,
    env: { TZ: "UTC" },
  });
  const exited = exitOf(child);
  let stopping: Promise<void> | undefined;
  const stop = (): Promise<void> => {
    stopping ??= stopChild(child, exited);
    return stopping;
  };
  try {
    const deadline = AbortSignal.any([signal, AbortSignal.timeout(options.readyTimeoutMs ?? 30_000)]);
    const died = exited.then(async (exit) => {
      throw await startFailure(exit, options.port, logPath);
    });
    died.catch(() => undefined);
    const port = await Promise.race([untilReady(options, portsDirectory, child.pid ?? 0, deadline), died]);
    const url = `nats://127.0.0.1:${port}`;
    return { url, port, pid: child.pid ?? 0, exited, stop, [Symbol.asyncDispose]: stop };
  } catch (error) {
    await stop();
    signal.throwIfAborted();
    if (error instanceof DOMException && error.name === "TimeoutError") {
      throw new Error(`nats-server was not ready in time; see ${logPath}`, { cause: error });
    }
    throw error;
  }
}

function exitOf(child: ChildProcess): Promise<ServerExit> {
  return new Promise((resolve) => {
    child.once("exit", (code, exitSignal) => resolve({ code, signal: exitSignal }));
    child.once("error", () => resolve({ code: null, signal: null }));
  });
}

async function stopChild(child: ChildProcess, exited: Promise<ServerExit>): Promise<void> {
  child.kill("SIGTERM");
  const late = new AbortController();
  const timer = sleep(stopGraceMs, undefined, { signal: late.signal }).then(
    () => child.kill("SIGKILL"),
    () => false,
  );
  await exited;
  late.abort();
  await timer;
}

async function untilReady(
  options: StartServerOptions,
  portsDirectory: string,
  pid: number,
  signal: AbortSignal,
): Promise<number> {
  const creds = new TextEncoder().encode(await options.authority.coordinatorCreds());
  for (;;) {
    const port = await readPort(portsDirectory, pid);
    if (port !== undefined && (await isJetStreamUp(port, creds, signal))) return port;
    await pause(20, signal);
  }
}

/** The server writes `<name>_<pid>.ports` once it listens. */
async function readPort(directory: string, pid: number): Promise<number | undefined> {
  for (const name of await readdir(directory)) {
    if (!name.endsWith(`_${pid}.ports`)) continue;
    try {
      const ports = JSON.parse(await readFile(join(directory, name), "utf8")) as { readonly nats?: readonly string[] };
      const url = ports.nats?.[0];
      if (url !== undefined) return Number(new URL(url).port);
    } catch {
      // Not completely written yet.
    }
  }
  return undefined;
}

async function isJetStreamUp(port: number, creds: Uint8Array, signal: AbortSignal): Promise<boolean> {
  try {
    const connection = await connect({
      servers: `127.0.0.1:${port}`,
      authenticator: credsAuthenticator(creds),
      reconnect: false,
      timeout: 2_000,
    });
    try {
      const jsm = await jetstreamManager(connection, { timeout: 2_000, checkAPI: false });
      await abortable(jsm.getAccountInfo(), signal);
      return true;
    } finally {
      await connection.close();
    }
  } catch {
    signal.throwIfAborted();
    return false;
  }
}

function isPortTaken(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connectSocket({ host: "127.0.0.1", port });
    socket.once("connect", () => {
      socket.destroy();
      resolve(true);
    });
    socket.once("error", () => resolve(false));
  });
}

function portTaken(port: number): Error {
  return new Error(`port ${port} is already in use: stop what listens there, or choose another port for NATS`);
}

async function startFailure(exit: ServerExit, port: number, logPath: string): Promise<Error> {
  const log = await readFile(logPath, "utf8").catch(() => "");
  if (/address already in use/i.test(log.slice(-4_096))) return portTaken(port);
  const fatal = log.split("\n").findLast((line) => line.includes("[FTL]"));
  const how = exit.code === null ? `signal ${exit.signal ?? "none"}` : `exit code ${exit.code}`;
  return new Error(`nats-server ended at once (${how}): ${fatal?.slice(0, 300) ?? `see ${logPath}`}`);
}
