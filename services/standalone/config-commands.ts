import { Argument, type Command, Option } from "commander";
import { explainSettings, settingsMarkdown, viewSettings } from "../platform/config/explain-settings.ts";
import { loadSettings } from "../platform/config/load-settings.ts";
import { type Environment, type PartName, partNames } from "../platform/config/setting.ts";
import { addFlags } from "../platform/config/settings-flags.ts";

interface ConfigCommandDeps {
  readonly env: Environment;
  /** The working directory. */
  readonly directory: string;
  readonly print: (text: string) => void;
}

/** Adds `config explain` and `config view` to the program. */
export function defineConfig(program: Command, deps: ConfigCommandDeps): void {
  const config = program.command("config").summary("explain the settings, and show those in effect");
  config
    .command("explain")
    .summary("print every setting, or one: name, flag, variable, default, meaning")
    .argument("[name]", "name, flag or variable of one setting")
    .addOption(new Option("-o, --output <format>", "format").choices(["text", "markdown"]).default("text"))
    .action((name: string | undefined, { output }: { readonly output: string }) => {
      deps.print(output === "markdown" ? settingsMarkdown() : explainSettings(name));
    });
  const view = config
    .command("view")
    .summary("print the settings in effect and where each comes from")
    .addArgument(new Argument("[part]", "whose settings").choices(partNames).default("up"))
    .addOption(new Option("-o, --output <format>", "format").choices(["text", "json"]).default("text"));
  addFlags(view, ...partNames);
  view.action((part: PartName, options: Readonly<Record<string, unknown>>) => {
    const { output, ...flags } = options;
    const loaded = loadSettings(part, { ...deps, flags });
    const rows = viewSettings(loaded);
    if (output === "json") return deps.print(`${JSON.stringify(rows, null, 2)}\n`);
    const widths = [
      Math.max(...rows.map(({ name }) => name.length)),
      Math.max(...rows.map(({ value }) => value.length)),
    ];
    for (const { name, value, origin } of rows) {
      deps.print(`${name.padEnd(widths[0] ?? 0)}  ${value.padEnd(Math.min(60, widths[1] ?? 0))}  ${origin}\n`);
    }
    return loaded.warnings.forEach((warning) => deps.print(`warning: ${warning}\n`));
  });
}
