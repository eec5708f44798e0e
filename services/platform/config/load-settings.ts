import { dirname, isAbsolute, join, resolve } from "node:path";
import { didYouMean } from "../../core/text/did-you-mean.ts";
import { defaultDataDirectory } from "./default-data-directory.ts";
import type { Environment, PartName, Setting } from "./setting.ts";
import { defaultOf, flagOf, variableOf } from "./setting.ts";
import type { SettingName, ValuesOf } from "./settings.ts";
import { namesOf, settingNamed, settingNames } from "./settings.ts";
import type { SettingsFile } from "./settings-file.ts";
import { readSettingsFile } from "./settings-file.ts";

/** Where settings come from, strongest first; below them the file, then the defaults. */
export interface SettingsInput {
  /** By the setting's name, as `addFlags` collects them. */
  readonly flags: Readonly<Record<string, unknown>>;
  readonly env: Environment;
  /** What relative paths in flags and variables are relative to. */
  readonly directory: string;
}

/** Checked settings and where each came from. */
export interface LoadedSettings<P extends PartName> {
  readonly values: ValuesOf<P>;
  /** `flag --slots`, `variable AGENTD_SLOTS`, `FILE line 3`, `default`. */
  readonly origins: Readonly<Record<string, string>>;
  readonly file: string | undefined;
  /** Variables that look like misspelt ones. */
  readonly warnings: readonly string[];
}

/** What is wrong with the settings, all of it: exit code 2. */
export class SettingsError extends Error {
  override readonly name = "SettingsError";
}

interface Found {
  readonly input: unknown;
  readonly origin: string;
  /** For relative paths. */
  readonly base: string;
}

/**
 * The settings of one part: a flag wins over a variable, that over the file, that over the default.
 * @throws SettingsError that names every mistake with its flag, variable or line
 */
export function loadSettings<P extends PartName>(part: P, input: SettingsInput): LoadedSettings<P> {
  const file = findFile(part, input);
  const problems = file === undefined ? [] : file.problems.map((problem) => `${file.path} ${problem}`);
  const values: Record<string, unknown> = {};
  const origins: Record<string, string> = {};
  const taken = new Set<string>(namesOf(part));
  for (const name of settingNames) {
    const setting = settingNamed(name) as Setting;
    const found = find(name, setting, input, file);
    // A setting of another part is checked as well: one file serves all of them.
    if (!taken.has(name)) {
      if (found !== undefined && file?.entries.has(name) === true) check(setting, found, problems);
      continue;
    }
    const chosen = found ?? fallback(setting, part, input);
    if (chosen === undefined) {
      if (setting.neededBy?.includes(part) === true) problems.push(missing(name, setting));
      continue;
    }
    values[name] = check(setting, chosen, problems);
    origins[name] = chosen.origin;
  }
  if (file !== undefined) values["config"] = file.path;
  if (problems.length > 0) {
    const lines = problems.map((problem) => `\n  ${problem}`).join("");
    throw new SettingsError(`the settings of agentd ${part} are wrong:${lines}`);
  }
  Object.freeze(values);
  return { values: values as ValuesOf<P>, origins, file: file?.path, warnings: misspelt(input.env) };
}

function find(name: string, setting: Setting, input: SettingsInput, file: SettingsFile | undefined): Found | undefined {
  const base = input.directory;
  const flag = input.flags[name];
  if (flag !== undefined) return { input: flag, origin: `flag ${flagOf(name)}`, base };
  const variable = input.env[variableOf(name)];
  if (variable !== undefined && variable !== "") {
    const parts = setting.isList === true ? variable.split(",").map((each) => each.trim()) : variable;
    return { input: parts, origin: `variable ${variableOf(name)}`, base };
  }
  const entry = file?.entries.get(name);
  if (entry === undefined || file === undefined) return undefined;
  return { input: entry.value, origin: `${file.path} line ${entry.line}`, base: dirname(file.path) };
}

function fallback(setting: Setting, part: PartName, { env, directory }: SettingsInput): Found | undefined {
  const value = defaultOf(setting, part, env);
  return value === undefined ? undefined : { input: value, origin: "default", base: directory };
}

function missing(name: string, setting: Setting): string {
  const how = setting.isSecret === true ? variableOf(name) : `${flagOf(name)} ${setting.placeholder ?? ""}`.trim();
  return `${name} is needed: give ${how}, ${variableOf(name)} or a line in the file. ${setting.meaning}`;
}

/** The value, or undefined after a problem was noted. */
function check(setting: Setting, found: Found, problems: string[]): unknown {
  const parsed = setting.schema.safeParse(found.input);
  if (!parsed.success) {
    for (const issue of parsed.error.issues) {
      // What a secret looks like is nobody's business.
      problems.push(`${found.origin}: ${setting.isSecret === true ? "write a text" : issue.message}`);
    }
    return undefined;
  }
  if (setting.isPath !== true) return parsed.data;
  const absolute = (path: unknown): unknown => (typeof path === "string" ? resolve(found.base, path) : path);
  return Array.isArray(parsed.data) ? parsed.data.map(absolute) : absolute(parsed.data);
}

/** `--config`, else `AGENTD_CONFIG`, else `config.yaml` in the data folder. */
function findFile(part: PartName, input: SettingsInput): SettingsFile | undefined {
  const { flags, env, directory } = input;
  const named = flags["config"] ?? (env["AGENTD_CONFIG"] || undefined);
  if (typeof named === "string") return readSettingsFile(resolve(directory, named), true);
  const data = flags["data"] ?? (env["AGENTD_DATA"] || undefined);
  const folder = typeof data === "string" ? resolve(directory, data) : defaultDataDirectory(env);
  // A part that was not told its data folder does not look into that of `agentd up`.
  if (part !== "up" && data === undefined) return undefined;
  return isAbsolute(folder) ? readSettingsFile(join(folder, "config.yaml"), false) : undefined;
}

/** Other programs may have variables with this beginning (Kubernetes makes some), so only near misses are worth a word. */
function misspelt(env: Environment): readonly string[] {
  const known = settingNames.map((name: SettingName) => variableOf(name));
  return Object.keys(env).flatMap((variable) => {
    if (!variable.startsWith("AGENTD_") || known.includes(variable)) return [];
    const meant = didYouMean(
      variable.slice("AGENTD_".length),
      known.map((each) => each.slice("AGENTD_".length)),
    );
    return meant === undefined ? [] : [`the variable ${variable} is not known; did you mean AGENTD_${meant}?`];
  });
}
