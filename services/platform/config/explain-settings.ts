import { didYouMeanHint } from "../../core/text/did-you-mean.ts";
import type { LoadedSettings } from "./load-settings.ts";
import { SettingsError } from "./load-settings.ts";
import type { PartName, Setting } from "./setting.ts";
import { defaultOf, flagOf, variableOf } from "./setting.ts";
import { settingNamed, settingNames } from "./settings.ts";

/** The default of a setting, as a person writes it; empty where there is none. */
export function defaultText(setting: Setting, part: PartName): string {
  if (setting.neededBy?.includes(part) === true) return "";
  if (typeof setting.default === "function" && setting.defaultText?.includes(part) === true) {
    return String(defaultOf(setting, part, {}) ?? "");
  }
  if (setting.defaultText !== undefined) return setting.defaultText;
  return plainDefault(setting);
}

function plainDefault({ default: value }: Setting): string {
  if (value === undefined || value === false || (Array.isArray(value) && value.length === 0)) return "";
  return typeof value === "string" ? value : JSON.stringify(value);
}

/** The default as the tables show it. */
function defaultCell(setting: Setting): string {
  if (setting.defaultText !== undefined) return setting.defaultText;
  const plain = plainDefault(setting);
  if (plain !== "") return `\`${plain}\``;
  if (setting.default !== undefined) return setting.isList === true ? "none" : "off";
  return setting.neededBy === undefined ? "none" : "needed";
}

/** All names, or the one asked for. @throws SettingsError for a name that is none */
function chosen(name: string | undefined): readonly string[] {
  if (name === undefined) return settingNames;
  const wanted = settingNames.find((each) => [each, flagOf(each), variableOf(each)].includes(name));
  if (wanted !== undefined) return [wanted];
  throw new SettingsError(`there is no setting ${JSON.stringify(name)}${didYouMeanHint(name, settingNames)}`);
}

/**
 * Every setting, or one: name, flag, variable, default, meaning.
 * @throws SettingsError for a name that is none
 */
export function explainSettings(name: string | undefined): string {
  const blocks = chosen(name).map((each) => {
    const setting = settingNamed(each) as Setting;
    const flag = setting.isSecret === true ? "none: it is a secret" : `${flagOf(each)} ${setting.placeholder ?? ""}`;
    const rows: readonly (readonly [string, string])[] = [
      ["of", setting.parts.map((part) => (part === "up" ? "agentd up" : part)).join(", ")],
      ["flag", flag.trim()],
      ["variable", variableOf(each)],
      ["file", each === "config" ? "not in the file itself" : `${each}: ${setting.placeholder ?? "true"}`],
      ["default", defaultCell(setting).replaceAll("`", "")],
      ...(setting.bounds === undefined ? [] : [["values", setting.bounds] as const]),
      ...(setting.unit === undefined ? [] : [["unit", setting.unit] as const]),
    ];
    const lines = rows.map(([label, value]) => `  ${label.padEnd(9)} ${value}\n`).join("");
    return `${each}\n  ${setting.meaning.replaceAll("`", "")}\n${lines}`;
  });
  return blocks.join("\n");
}

/** One row of README's table for each setting. */
export function settingsTable(): readonly (readonly string[])[] {
  return settingNames.map((name) => {
    const setting = settingNamed(name) as Setting;
    const flag = setting.isSecret === true ? "" : `\`${`${flagOf(name)} ${setting.placeholder ?? ""}`.trim()}\`, `;
    const bounds = setting.bounds === undefined ? "." : ` (${setting.bounds}).`;
    const of = setting.parts.length === 3 ? "all" : setting.parts.join(", ");
    return [
      `\`${name}\``,
      `${flag}\`${variableOf(name)}\``,
      of,
      defaultCell(setting),
      `${setting.meaning.replace(/\.$/, "")}${bounds}`,
    ];
  });
}

/** {@link settingsTable} as README has it. */
export function settingsMarkdown(): string {
  const head = ["in the file", "flag, variable", "of", "default", "what it is"];
  const rows = [head, head.map(() => "---"), ...settingsTable()];
  return rows.map((cells) => `|${cells.map((cell) => (cell === "---" ? cell : ` ${cell} `)).join("|")}|\n`).join("");
}

/** The effective settings, one a line, with where each came from; secrets are hidden. */
export function viewSettings(
  loaded: Pick<LoadedSettings<PartName>, "origins"> & { readonly values: object },
): readonly SettingView[] {
  const values = loaded.values as Readonly<Record<string, unknown>>;
  return Object.entries(loaded.origins).map(([name, origin]) => {
    const setting = settingNamed(name) as Setting;
    return { name, value: setting.isSecret === true ? "(hidden)" : shown(setting, values[name]), origin };
  });
}

/** One line of `agentd config view`. */
export interface SettingView {
  readonly name: string;
  readonly value: string;
  readonly origin: string;
}

function shown(setting: Setting, value: unknown): string {
  const show = setting.show ?? ((each: unknown) => (typeof each === "string" ? each : JSON.stringify(each)));
  return show(value);
}
