import { spawn } from "node:child_process";
import { readFileSync } from "node:fs";
import process from "node:process";
import { Command, CommanderError } from "commander";
import { SettingsError } from "../platform/config/load-settings.ts";
import { createLogger } from "../platform/telemetry/log.ts";
import { defineUp, upConfig } from "./config.ts";
import { defineConfig } from "./config-commands.ts";
import { greeting } from "./greeting.ts";
import { nodeArguments } from "./parts.ts";
import { probeModels } from "./probe-models.ts";
import { up } from "./up.ts";

const services = { coordinator: "run a coordinator", worker: "run a worker", "vllm-sim": "run the simulated model" };

function version(): string {
  const manifest = new URL("../../package.json", import.meta.url);
  return (JSON.parse(readFileSync(manifest, "utf8")) as { version: string }).version;
}

/** Becomes one service: its flags, its output, its exit code; signals go on to it. */
async function runService(service: string, args: readonly string[]): Promise<number> {
  const child = spawn(process.execPath, [...nodeArguments(service), ...args], { stdio: "inherit" });
  const forward = (signal: NodeJS.Signals) => child.kill(signal);
  process.on("SIGTERM", forward);
  process.on("SIGINT", forward);
  return await new Promise<number>((resolve, reject) => {
    child.once("error", reject);
    child.once("exit", (code) => resolve(code ?? 1));
  });
}

async function runUp(flags: Readonly<Record<string, unknown>>): Promise<number> {
  const config = upConfig(flags, process.env, process.cwd());
  const log = createLogger({ service: "agentd", level: config.values.logLevel });
  for (const warning of config.loaded.warnings) log.warn(warning);
  const interrupted = new AbortController();
  const ended = new Promise<void>((resolve) => {
    const onSignal = (): void => {
      if (interrupted.signal.aborted) process.exit(130);
      interrupted.abort(new Error("interrupted"));
      resolve();
    };
    process.on("SIGINT", onSignal);
    process.on("SIGTERM", onSignal);
  });
  const { model } = config;
  const probe =
    model.kind === "server" ? probeModels({ ...model, apiKey: config.values.modelApiKey }, interrupted.signal) : [];
  const tree = await up(config, { env: process.env, log }, interrupted.signal);
  process.stdout.write(greeting(tree.endpoints, config, version()));
  for (const warning of await probe) process.stderr.write(`warning: ${warning}\n`);
  await ended;
  process.stdout.write("stopping: workers give their tasks back, unfinished jobs go on at the next start\n");
  await tree.stop();
  return 0;
}

async function main(): Promise<number> {
  let code = 0;
  const program = new Command("agentd")
    .description("Runs many coding sub-agents at once and lands their work safely.")
    .version(version(), "--version")
    .showSuggestionAfterError()
    .exitOverride();
  defineConfig(program, {
    env: process.env,
    directory: process.cwd(),
    print: (text) => process.stdout.write(text),
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
      .action(async (args: readonly string[]) => {
        code = await runService(name, args);
      });
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
