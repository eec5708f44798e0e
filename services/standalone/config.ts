import { homedir } from "node:os";
import { join, resolve } from "node:path";
import { type Command, InvalidArgumentError } from "commander";

type Environment = Readonly<Record<string, string | undefined>>;

/** Settings of `agentd up`. */
export interface UpConfig {
  readonly dataDirectory: string;
  /** HOST:PORT of the gRPC API. */
  readonly listen: string;
  readonly workers: number;
  readonly slots: number;
  /** A real server, or a simulated one. */
  readonly model:
    | { readonly kind: "server"; readonly urls: readonly string[]; readonly name: string }
    | { readonly kind: "simulated"; readonly args: readonly string[] };
  readonly sandbox: "auto" | "none";
  readonly leaseMs: number;
  readonly heartbeatMs: number;
  readonly logLevel: string;
}

/** What {@link defineUp} reads. */
export interface UpOptions {
  readonly data?: string;
  readonly listen: string;
  readonly workers: number;
  readonly slots: number;
  readonly simulate?: boolean;
  readonly simArg: readonly string[];
  readonly modelUrl?: readonly string[];
  readonly model?: string;
  readonly sandbox: string;
  readonly leaseMs: number;
  readonly heartbeatMs: number;
  readonly logLevel: string;
}

/** A mistake in the flags: exit code 2. */
export class UsageError extends Error {
  override readonly name = "UsageError";
}

function integerBetween(low: number, high: number): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (!Number.isInteger(value) || value < low || value > high) {
      throw new InvalidArgumentError(`write a whole number from ${low} to ${high}.`);
    }
    return value;
  };
}

function collect(value: string, previous: readonly string[] = []): readonly string[] {
  return [...previous, value];
}

/** Adds `up` and its flags to the program. */
export function defineUp(program: Command): Command {
  return program
    .command("up")
    .summary("run everything on this machine")
    .description("Starts nats-server, a coordinator, workers and, with --simulate, a simulated model, as one tree.")
    .option("--simulate", "use a simulated model: it understands a short list of change requests, nothing else")
    .option(
      "--sim-arg <arg>",
      "flag for the simulated model, for example --sim-arg=--slots=64 (repeatable)",
      collect,
      [],
    )
    .option("--model-url <url>", "base URL of an OpenAI-compatible server, with /v1 (repeatable)", collect)
    .option("--model <name>", "the model's name on that server")
    .option("--data <dir>", "data folder (default: AGENTD_DATA, else $XDG_STATE_HOME/agentd)")
    .option("--listen <host:port>", "address of the gRPC API", "127.0.0.1:7410")
    .option("--workers <n>", "worker processes", integerBetween(1, 64), 1)
    .option("--slots <n>", "sub-agents a worker", integerBetween(1, 1024), 32)
    .option("--sandbox <mode>", "auto or none", "auto")
    .option("--lease-ms <ms>", "silence after which an attempt is given up", integerBetween(500, 600_000), 30_000)
    .option("--heartbeat-ms <ms>", "how often workers report", integerBetween(100, 60_000), 5_000)
    .option("--log-level <level>", "of all parts", "info")
    .addHelpText(
      "after",
      "\nExamples:\n  agentd up --simulate\n  agentd up --model-url http://127.0.0.1:8000/v1 --model qwen3-coder --workers 4",
    );
}

/** The settings that the flags and the environment give. @throws UsageError that says what to do */
export function upConfig(options: UpOptions, env: Environment): UpConfig {
  const { sandbox } = options;
  if (sandbox !== "auto" && sandbox !== "none")
    throw new UsageError(`--sandbox ${sandbox} is not known; use auto or none`);
  if (!/^(\[[0-9a-f:]+\]|[^:\s]+):\d{1,5}$/i.test(options.listen)) {
    throw new UsageError(`--listen ${options.listen} is not HOST:PORT, for example 127.0.0.1:7410`);
  }
  const state = env["XDG_STATE_HOME"] || join(homedir(), ".local", "state");
  return {
    dataDirectory: resolve(options.data ?? (env["AGENTD_DATA"] || join(state, "agentd"))),
    listen: options.listen,
    workers: options.workers,
    slots: options.slots,
    model: modelOf(options),
    sandbox,
    leaseMs: options.leaseMs,
    heartbeatMs: options.heartbeatMs,
    logLevel: options.logLevel,
  };
}

function modelOf(options: UpOptions): UpConfig["model"] {
  const urls = options.modelUrl ?? [];
  if (options.simulate === true) {
    if (urls.length > 0) throw new UsageError("--simulate and --model-url exclude each other");
    return { kind: "simulated", args: options.simArg };
  }
  if (urls.length === 0) {
    throw new UsageError(
      "no model: name an OpenAI-compatible server with --model-url http://HOST:PORT/v1 --model NAME, or try agentd out with --simulate",
    );
  }
  for (const url of urls) {
    if (!URL.canParse(url) || !/^https?:$/.test(new URL(url).protocol)) {
      throw new UsageError(`--model-url ${url} is not a URL; write it like http://127.0.0.1:8000/v1`);
    }
  }
  if (options.model === undefined)
    throw new UsageError("--model-url needs --model NAME; `curl URL/models` lists the names");
  return { kind: "server", urls, name: options.model };
}
