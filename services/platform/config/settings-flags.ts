import { type Command, Option } from "commander";
import { defaultText } from "./explain-settings.ts";
import type { LoadedSettings } from "./load-settings.ts";
import type { PartName, Setting } from "./setting.ts";
import { flagOf, variableOf } from "./setting.ts";
import { namesOf, settingNamed } from "./settings.ts";

/** Adds a flag for each setting of the parts; what was given is found in `command.opts()` by the settings' names. */
export function addFlags(command: Command, part: PartName, ...more: readonly PartName[]): Command {
  for (const name of new Set([part, ...more].flatMap(namesOf))) {
    const setting = settingNamed(name) as Setting;
    if (setting.isSecret === true) continue;
    const value = setting.placeholder === undefined ? "" : ` <${setting.placeholder.toLowerCase()}>`;
    const standard = defaultText(setting, part);
    const about = `${setting.meaning.replace(/\.$/, "")}${standard === "" ? "" : ` (default: ${standard})`}`;
    const option = new Option(`${flagOf(name)}${value}`, about.replaceAll("`", ""));
    if (setting.isList === true) {
      option.argParser((text: string, before: readonly string[] | undefined) => [...(before ?? []), text]);
    }
    command.addOption(option);
  }
  return command.addHelpText(
    "after",
    "\nEach flag can also be a variable or a line in a file: `agentd config explain` prints all names, defaults and units.",
  );
}

/**
 * What a starter hands on to a part that it starts: each setting of both that was not left at its default, as flags, and
 * secrets as variables, which no process list shows.
 */
export function handOn(
  loaded: LoadedSettings<"up">,
  part: PartName,
): { readonly args: readonly string[]; readonly env: Readonly<Record<string, string>> } {
  const args: string[] = [];
  const env: Record<string, string> = {};
  for (const name of namesOf(part)) {
    const setting = settingNamed(name) as Setting;
    const value = (loaded.values as Readonly<Record<string, unknown>>)[name];
    // A part has its own folder, and no file: all of it is in these flags.
    if (name === "config" || name === "data" || value === undefined || loaded.origins[name] === "default") continue;
    if (setting.isSecret === true) env[variableOf(name)] = value as string;
    else if (setting.placeholder === undefined) args.push(...(value === true ? [flagOf(name)] : []));
    else {
      const values = Array.isArray(value) ? (value as readonly unknown[]) : [value];
      const show = setting.isList === true ? String : (setting.show ?? String);
      args.push(...values.map((each) => `${flagOf(name)}=${show(each)}`));
    }
  }
  return { args, env };
}
