import { SettingsError } from "../../platform/config/load-settings.ts";
import { profileNames } from "./model-profile.ts";

/** @throws SettingsError when a setting names a profile that does not exist. */
export function checkModelProfile(name: string | undefined): void {
  if (name === undefined || profileNames.includes(name)) return;
  throw new SettingsError(`--model-profile: write one of ${profileNames.join(", ")}, not ${JSON.stringify(name)}`);
}
