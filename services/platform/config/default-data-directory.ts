import { homedir } from "node:os";
import { join } from "node:path";

/** The data folder of a local `agentd up`: `$XDG_STATE_HOME/agentd`, by default `~/.local/state/agentd`. */
export function defaultDataDirectory(env: Readonly<Record<string, string | undefined>>): string {
  return join(env["XDG_STATE_HOME"] || join(homedir(), ".local", "state"), "agentd");
}
