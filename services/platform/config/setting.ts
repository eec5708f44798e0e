import { z } from "zod";
import { formatDuration, parseDuration } from "../../core/text/duration.ts";

/** What is configured: `agentd up`, or one of the processes that it runs. The simulated model has flags of its own. */
export const partNames = ["up", "coordinator", "worker"] as const;
/** One of {@link partNames}. */
export type PartName = (typeof partNames)[number];

/** The process's environment, or a part of it. */
export type Environment = Readonly<Record<string, string | undefined>>;

/** How a value is written. */
export interface Kind<T> {
  /** Reads what a flag, a variable (text) or a file (text, number, boolean, list) gave. */
  readonly schema: z.ZodType<T>;
  /** As `--help` shows it: `N`, `HOST:PORT`. Absent for a switch, whose flag takes no value. */
  readonly placeholder?: string;
  /** What a number counts. */
  readonly unit?: string;
  /** Which values there are. */
  readonly bounds?: string;
  /** May be given more than once; in a variable separated by commas. */
  readonly isList?: true;
  /** Relative to the working directory, or to the folder of the file that says it. */
  readonly isPath?: true;
  /** The value as a person writes it: `30s`, `host:port`. Default: JSON of anything but text. */
  show?(value: T): string;
}

type DefaultInput = string | number | boolean | readonly string[];

/** One thing that can be set. */
export interface Setting<T = unknown> extends Kind<T> {
  /** One sentence or two for a person. */
  readonly meaning: string;
  readonly parts: readonly PartName[];
  /** As a file would give it. Undefined from the function: this part has none. */
  readonly default?: DefaultInput | ((part: PartName, env: Environment) => DefaultInput | undefined);
  /** Where a computed default cannot speak for itself. */
  readonly defaultText?: string;
  /** Parts that do not start without it. */
  readonly neededBy?: readonly PartName[];
  /** Never a flag, never shown. */
  readonly isSecret?: true;
}

/** `read` gives undefined for what is not as wanted. */
function schemaOf<T>(wanted: string, read: (input: unknown) => T | undefined): z.ZodType<T> {
  return z.unknown().transform((input, context): T => {
    const value = read(input);
    if (value !== undefined) return value;
    const given = (JSON.stringify(input) ?? "nothing").slice(0, 200);
    context.addIssue({ code: "custom", message: `write ${wanted}, not ${given}` });
    return z.NEVER;
  });
}

/** Any text, or such as `pattern` allows. */
export function text(
  placeholder: string,
  pattern?: { readonly matches: RegExp; readonly wanted: string },
): Kind<string> {
  return {
    placeholder,
    schema: schemaOf(pattern?.wanted ?? "a text", (input) => {
      const isGood = typeof input === "string" && input !== "" && input.length <= 4_096;
      return isGood && (pattern === undefined || pattern.matches.test(input)) ? input : undefined;
    }),
  };
}

/** A file or folder; arrives as an absolute path. */
export function path(placeholder: string): Kind<string> {
  return { ...text(placeholder), isPath: true };
}

/** A whole number. */
export function whole(min: number, max: number, placeholder = "N"): Kind<number> {
  const bounds = `${min} to ${max}`;
  return {
    placeholder,
    bounds,
    schema: schemaOf(`a whole number from ${bounds}`, (input) => {
      const value = typeof input === "string" && /^\d{1,16}$/.test(input) ? Number(input) : input;
      const isGood = typeof value === "number" && Number.isInteger(value) && value >= min && value <= max;
      return isGood ? value : undefined;
    }),
  };
}

/** A duration; a number alone is milliseconds, `30s` and `5m` are durations too. */
export function durationMs(min: number, max: number): Kind<number> {
  const bounds = `${formatDuration(min)} to ${formatDuration(max)}`;
  return {
    placeholder: "MS",
    unit: "milliseconds, or a duration such as 30s or 5m",
    bounds,
    show: formatDuration,
    schema: schemaOf(`milliseconds, or a duration such as 30s, from ${bounds}`, (input) => {
      const value =
        typeof input === "string" ? (/^\d{1,15}$/.test(input) ? Number(input) : parseDuration(input)) : input;
      const isGood = typeof value === "number" && Number.isInteger(value) && value >= min && value <= max;
      return isGood ? value : undefined;
    }),
  };
}

/** One of a few words. */
export function choice<const W extends readonly string[]>(words: W, placeholder = "WORD"): Kind<W[number]> {
  const wanted = `${words.slice(0, -1).join(", ")} or ${words.at(-1) ?? ""}`;
  return {
    placeholder,
    bounds: wanted,
    schema: schemaOf(wanted, (input): W[number] | undefined => words.find((word) => word === input)),
  };
}

/** On or off. */
export function toggle(): Kind<boolean> {
  return {
    schema: schemaOf("true or false", (input) => {
      if (input === true || input === "true" || input === "1") return true;
      return input === false || input === "false" || input === "0" ? false : undefined;
    }),
  };
}

/** Where something listens. */
export interface Address {
  /** Without brackets. */
  readonly host: string;
  readonly port: number;
}

/** `host:port`, `[::1]:port`. */
export function hostPort(): Kind<Address> {
  return {
    placeholder: "HOST:PORT",
    bounds: "port 0 takes a free one",
    show: showAddress,
    schema: schemaOf("HOST:PORT, for example 127.0.0.1:7410", (input) => {
      const match = /^(\[[0-9A-Fa-f:.]+\]|[^:[\]\s]+):(\d{1,5})$/.exec(String(input));
      const port = Number(match?.[2]);
      if (match === null || port > 65_535) return undefined;
      return { host: (match[1] ?? "").replace(/^\[|\]$/g, ""), port };
    }),
  };
}

/** `host:port`, with the brackets that IPv6 needs. */
export function showAddress({ host, port }: Address): string {
  return `${host.includes(":") ? `[${host}]` : host}:${port}`;
}

/** An http or https URL. */
export function httpUrl(): Kind<string> {
  return {
    placeholder: "URL",
    schema: schemaOf("a URL such as http://127.0.0.1:8000/v1", (input) => {
      const isGood = typeof input === "string" && URL.canParse(input) && /^https?:$/.test(new URL(input).protocol);
      return isGood ? input : undefined;
    }),
  };
}

/** Several of a kind. */
export function listOf<T>(kind: Kind<T>): Kind<readonly T[]> {
  const one = kind.show ?? ((value: T) => (typeof value === "string" ? value : JSON.stringify(value)));
  return {
    ...(kind.placeholder === undefined ? {} : { placeholder: kind.placeholder }),
    ...(kind.isPath === true ? { isPath: true as const } : {}),
    bounds: "repeatable",
    isList: true,
    show: (values) => values.map(one).join(","),
    // One value alone is a list of one: `modelUrl: http://…` in a file.
    schema: z.preprocess((input) => (Array.isArray(input) ? input : [input]), z.array(kind.schema)) as z.ZodType<
      readonly T[]
    >,
  };
}

/** The flag of a setting: `leaseMs` → `--lease-ms`. */
export function flagOf(name: string): string {
  return `--${name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`;
}

/** The environment variable of a setting: `leaseMs` → `AGENTD_LEASE_MS`. */
export function variableOf(name: string): string {
  return `AGENTD_${name.replace(/[A-Z]/g, (letter) => `_${letter}`).toUpperCase()}`;
}

/** What holds where nothing is said; undefined = nothing. */
export function defaultOf(setting: Setting, part: PartName, env: Environment): DefaultInput | undefined {
  return typeof setting.default === "function" ? setting.default(part, env) : setting.default;
}
