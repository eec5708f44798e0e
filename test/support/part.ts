import { spawn } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { agentdBin } from "./agentd.ts";
import type { TestServer } from "./nats-server.ts";

/** A process of `agentd coordinator`, `worker` or `vllm-sim`. */
export interface TestPart extends AsyncDisposable {
  readonly pid: number;
  /** The JSON object of its first line. @throws Error with its log when it ends before */
  ready(): Promise<Readonly<Record<string, string>>>;
  /** All that it logged so far. */
  log(): string;
  readonly isRunning: boolean;
  kill(signal: NodeJS.Signals): void;
  /** The exit code; undefined = killed by a signal. */
  readonly exited: Promise<number | undefined>;
}

/** Starts a part of agentd; closing it kills it. Nobody starts it again. */
export function startPart(args: readonly string[], env: Readonly<Record<string, string>> = {}): TestPart {
  const child = spawn(agentdBin, [...args], {
    cwd: tmpdir(),
    env: { ...process.env, ...env },
    stdio: ["ignore", "pipe", "pipe"],
  });
  let output = "";
  let log = "";
  const exited = new Promise<number | undefined>((resolve) => child.once("exit", (code) => resolve(code ?? undefined)));
  const ready = new Promise<Readonly<Record<string, string>>>((resolve, reject) => {
    child.stdout.setEncoding("utf8").on("data", (chunk: string) => {
      output = (output + chunk).slice(-65_536);
      const end = output.indexOf("\n");
      if (end >= 0) resolve(JSON.parse(output.slice(0, end)) as Readonly<Record<string, string>>);
    });
    void exited.then((code) => reject(new Error(`agentd ${args[0] ?? ""} ended with ${code}:\n${log}`)));
  });
  ready.catch(() => undefined);
  child.stderr.setEncoding("utf8").on("data", (chunk: string) => {
    log = (log + chunk).slice(-1_048_576);
  });
  return {
    pid: child.pid ?? 0,
    ready: () => ready,
    log: () => log,
    get isRunning() {
      return child.exitCode === null && child.signalCode === null;
    },
    kill: (signal) => child.kill(signal),
    exited,
    async [Symbol.asyncDispose]() {
      child.kill("SIGKILL");
      await exited;
    },
  };
}

/** A NATS server and the parts on it, each with a folder and credentials of its own. */
export interface PartsStage extends AsyncDisposable {
  coordinator(name: string, ...more: readonly string[]): TestPart;
  worker(name: string, ...more: readonly string[]): TestPart;
  simulator(...more: readonly string[]): TestPart;
}

/** A lease that no busy machine breaks: parts are lost by their end here, not by silence. The lead's time to live is the default. */
const times = ["--lease-ms=30000", "--heartbeat-ms=500"];

/** Parts on `server` with the model at `modelUrl`; closing it kills them all and removes their folders. */
export async function openPartsStage(server: TestServer, modelUrl: string): Promise<PartsStage> {
  await using opened = new AsyncDisposableStack();
  const folder = await mkdtemp(join(tmpdir(), "agentd-parts-"));
  opened.defer(() => rm(folder, { recursive: true, force: true, maxRetries: 5 }));
  const credentials = join(folder, "credentials");
  const write = async (name: string, text: string): Promise<void> => {
    await writeFile(`${credentials}-${name}.creds`, text, { mode: 0o600 });
  };
  await write("coordinator", await server.authority.coordinatorCreds());
  await write("system", await server.authority.systemCreds());
  for (const name of ["w-1", "w-2"]) await write(name, await server.authority.workerCreds(name));
  const stack = opened.move();
  const nats = `--nats=${server.url}`;
  return {
    coordinator: (name, ...more) =>
      stack.use(
        startPart([
          "coordinator",
          nats,
          `--creds=${credentials}-coordinator.creds`,
          `--system-creds=${credentials}-system.creds`,
          "--listen=127.0.0.1:0",
          `--data=${join(folder, name)}`,
          ...times,
          ...more,
        ]),
      ),
    worker: (name, ...more) =>
      stack.use(
        startPart([
          "worker",
          nats,
          `--name=${name}`,
          `--creds=${credentials}-${name}.creds`,
          `--data=${join(folder, "workers")}`,
          `--model-url=${modelUrl}`,
          "--model=simulated",
          "--slots=4",
          "--heartbeat-ms=500",
          ...more,
        ]),
      ),
    simulator: (...more) =>
      stack.use(startPart(["vllm-sim", `--port=${new URL(modelUrl).port}`, "--model=simulated", ...more])),
    [Symbol.asyncDispose]: () => stack.disposeAsync(),
  };
}

/** A port of 127.0.0.1 that nothing listens on now. */
export async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  await new Promise<void>((resolve) => server.close(() => resolve()));
  return typeof address === "object" && address !== null ? address.port : 0;
}
