import { Command } from "commander";
import type { LoadedSettings } from "../platform/config/load-settings.ts";
import { loadSettings, SettingsError } from "../platform/config/load-settings.ts";
import type { Environment } from "../platform/config/setting.ts";
import type { ValuesOf } from "../platform/config/settings.ts";
import { addFlags } from "../platform/config/settings-flags.ts";

/** Everything that can be set about a coordinator, checked and frozen; see `platform/config/settings.ts`. */
export type CoordinatorConfig = ValuesOf<"coordinator">;

/**
 * Reads flags, environment and file.
 *
 * @param argv arguments after the program's name
 * @throws SettingsError with one line for each mistake; CommanderError for `--help` and unknown flags, which it has printed
 */
export function loadConfig(
  argv: readonly string[],
  env: Environment,
  directory: string,
): LoadedSettings<"coordinator"> {
  const flags = createCommand()
    .parse([...argv], { from: "user" })
    .opts();
  const loaded = loadSettings("coordinator", { flags, env, directory });
  if (loaded.values.leaseMs < 2 * loaded.values.heartbeatMs) {
    throw new SettingsError(
      "leaseMs must be at least twice heartbeatMs, or one late heartbeat loses a lease; change --lease-ms or --heartbeat-ms",
    );
  }
  return loaded;
}

function createCommand(): Command {
  const command = new Command("agentd coordinator")
    .description("Accepts jobs over gRPC, gives their tasks to workers and lands the verified results")
    .exitOverride();
  return addFlags(command, "coordinator");
}
