import { Command } from "commander";
import { checkModelProfile } from "../model/profile/check-model-profile.ts";
import type { LoadedSettings } from "../platform/config/load-settings.ts";
import { loadSettings } from "../platform/config/load-settings.ts";
import type { Environment } from "../platform/config/setting.ts";
import type { ValuesOf } from "../platform/config/settings.ts";
import { addFlags } from "../platform/config/settings-flags.ts";

/** Everything that can be set about a worker, checked and frozen; see `platform/config/settings.ts`. */
export type WorkerConfig = ValuesOf<"worker">;

/**
 * Reads flags, environment and file.
 *
 * @param argv arguments after the program's name.
 * @throws SettingsError with one line for each mistake; CommanderError for `--help` and unknown flags, which it has printed
 */
export function loadConfig(argv: readonly string[], env: Environment, directory: string): LoadedSettings<"worker"> {
  const command = new Command("agentd worker")
    .description("Runs sub-agents: claims tasks, works on them in git worktrees, proves and returns the results")
    .exitOverride();
  const flags = addFlags(command, "worker")
    .parse([...argv], { from: "user" })
    .opts();
  const loaded = loadSettings("worker", { flags, env, directory });
  checkModelProfile(loaded.values.modelProfile);
  return loaded;
}
