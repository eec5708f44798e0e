import type { Command } from "commander";
import { checkModelProfile } from "../model/profile/check-model-profile.ts";
import type { LoadedSettings } from "../platform/config/load-settings.ts";
import { loadSettings, SettingsError } from "../platform/config/load-settings.ts";
import type { Environment } from "../platform/config/setting.ts";
import type { ValuesOf } from "../platform/config/settings.ts";
import { addFlags } from "../platform/config/settings-flags.ts";

/** Settings of `agentd up`. */
export interface UpConfig {
  readonly values: ValuesOf<"up">;
  /** With where each setting came from, to hand on to the parts what was not left at its default. */
  readonly loaded: LoadedSettings<"up">;
  /** A real server, or a simulated one. */
  readonly model:
    | { readonly kind: "server"; readonly urls: readonly string[]; readonly name: string }
    | { readonly kind: "simulated"; readonly args: readonly string[] };
}

/** Adds `up` and its flags to the program. */
export function defineUp(program: Command): Command {
  const command = program
    .command("up")
    .summary("run everything on this machine")
    .description("Starts nats-server, a coordinator, workers and, with --simulate, a simulated model, as one tree.");
  return addFlags(command, "up").addHelpText(
    "after",
    "\nExamples:\n  agentd up --simulate\n  agentd up --model-url http://127.0.0.1:8000/v1 --model qwen3-coder --workers 4",
  );
}

/** The settings that flags, environment and file give. @throws SettingsError that says what to do */
export function upConfig(flags: Readonly<Record<string, unknown>>, env: Environment, directory: string): UpConfig {
  const loaded = loadSettings("up", { flags, env, directory });
  const { values } = loaded;
  if (values.leaseMs < 2 * values.heartbeatMs) {
    throw new SettingsError("leaseMs must be at least twice heartbeatMs; change --lease-ms or --heartbeat-ms");
  }
  checkModelProfile(values.modelProfile);
  return { values, loaded, model: modelOf(values) };
}

function modelOf(values: ValuesOf<"up">): UpConfig["model"] {
  const urls = values.modelUrl ?? [];
  if (values.simulate) {
    if (urls.length > 0) throw new SettingsError("--simulate and --model-url exclude each other");
    return { kind: "simulated", args: values.simArg };
  }
  if (urls.length === 0) {
    throw new SettingsError(
      "no model: name an OpenAI-compatible server with --model-url http://HOST:PORT/v1 --model NAME, or try agentd out with --simulate",
    );
  }
  if (values.model === undefined)
    throw new SettingsError("--model-url needs --model NAME; `curl URL/models` lists the names");
  return { kind: "server", urls, name: values.model };
}
