import { readFileSync } from "node:fs";
import process from "node:process";
import { Command, CommanderError } from "commander";
import { probeModels } from "../model/pool/probe-models.ts";
import { SettingsError } from "../platform/config/load-settings.ts";
import { showAddress } from "../platform/config/setting.ts";
import { untilAborted } from "../platform/lifecycle/abortable.ts";
import { createReadiness } from "../platform/lifecycle/readiness.ts";
import { createShutdown } from "../platform/lifecycle/shutdown.ts";
import { startStatusServer } from "../platform/lifecycle/status-server.ts";
import { withOwnMounts } from "../platform/process/own-mounts.ts";
import { createLogger } from "../platform/telemetry/log.ts";
import { createLogLevel } from "../platform/telemetry/log-level.ts";
import { defineUp, upConfig } from "./config.ts";
import { defineConfig } from "./config-commands.ts";
import { defineDoctor } from "./doctor/doctor.ts";
import { greeting } from "./greeting.ts";
import { defineLogLevel, watchParts } from "./parts/part-status.ts";
import { mallocVariables, nodeArguments } from "./parts/parts.ts";
import { up } from "./up.ts";

const services = { coordinator: "run a coordinator", worker: "run a worker", "vllm-sim": "run the simulated model" };

function version(): string {
  const manifest = new URL("../../package.json", import.meta.url);
  return (JSON.parse(readFileSync(manifest, "utf8")) as { version: string }).version;
}

/**
 * Becomes one service: its flags, its output, its exit code, and its process id: a signal, SIGKILL too, reaches the service
 * itself, and nothing stands between it and a container's init.
 */
function becomeService(service: string, args: readonly string[]): never {
  if (process.execve === undefined) throw new Error("this Node cannot replace a process; agentd needs Node 24");
  const plain = [process.execPath, ...nodeArguments(service), ...args];
  const argv = service === "worker" ? withOwnMounts(plain) : plain;
  return process.execve(argv[0] ?? process.execPath, argv, { ...mallocVariables, ...process.env });
}

/** As shells say it: 128 and SIGINT. */
const interruptedCode = 130;

async function runUp(flags: Readonly<Record<string, unknown>>): Promise<number> {
  const config = upConfig(flags, process.env, process.cwd());
  const { drainMs, stopMs } = config.values;
  const logLevel = createLogLevel(config.values.logLevel);
  const log = createLogger({ service: "agentd", level: logLevel });
  for (const warning of config.loaded.warnings) log.warn(warning);
  const kill = new AbortController();
  // Not the end of this process: what it started would live on.
  const { draining, ending } = createShutdown({ drainMs, stopMs, log, signals: process, end: () => kill.abort() });
  const { model } = config;
  const probe =
    model.kind === "server"
      ? probeModels({ ...model, apiKey: config.values.modelApiKey }, draining)
      : Promise.resolve([]);
  await using readiness = createReadiness();
  readiness.set("start", "starting");
  draining.addEventListener("abort", () => readiness.set("stop", "stopping"), { once: true });
  const statusAddress = { host: "127.0.0.1", port: 0 };
  await using status = await startStatusServer({ address: statusAddress, readiness, logLevel });
  const upDeps = { env: process.env, log, statusUrl: `http://${showAddress(status)}` };
  const tree = await up(config, upDeps, draining).catch((error: unknown) => {
    if (!draining.aborted) throw error;
  });
  if (tree === undefined) return interruptedCode;
  readiness.set("start", undefined);
  watchParts(readiness, tree.endpoints.status);
  process.stdout.write(greeting(tree.endpoints, config, version()));
  for (const { message } of await probe) process.stderr.write(`warning: ${message}\n`);
  await untilAborted(draining);
  process.stdout.write("stopping: workers give their tasks back, unfinished jobs go on at the next start\n");
  await tree.stop({ hurry: ending, kill: kill.signal });
  return kill.signal.aborted ? 1 : 0;
}

async function main(): Promise<number> {
  let code = 0;
  const program = new Command("agentd")
    .description("Runs many coding sub-agents at once and lands their work safely.")
    .version(version(), "--version")
    .showSuggestionAfterError()
    .exitOverride();
  const deps = {
    env: process.env,
    directory: process.cwd(),
    print: (text: string) => process.stdout.write(text),
  };
  defineConfig(program, deps);
  defineLogLevel(program, deps);
  defineDoctor(program, {
    ...deps,
    exit: (failed) => {
      code = failed;
    },
  });
  defineUp(program).action(async (flags: Readonly<Record<string, unknown>>) => {
    code = await runUp(flags);
  });
  for (const [name, summary] of Object.entries(services)) {
    program
      .command(name)
      .summary(summary)
      .helpOption(false)
      .allowUnknownOption()
      .argument("[args...]", "flags of the service; --help lists them")
      .action((args: readonly string[]) => becomeService(name, args));
  }
  try {
    await program.parseAsync(process.argv);
    return code;
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : 2;
    process.stderr.write(`error: ${error instanceof Error ? error.message : String(error)}\n`);
    return error instanceof SettingsError ? 2 : 1;
  }
}

process.exitCode = await main();
