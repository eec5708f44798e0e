import { mkdir, readFile, rename, writeFile } from "node:fs/promises";
import { homedir } from "node:os";
import { dirname, join } from "node:path";
import { didYouMeanHint } from "../../core/text/did-you-mean.ts";
import { UsageError } from "../resource-name.ts";

type Environment = Readonly<Record<string, string | undefined>>;

/** A server under a name, with how to speak to it. Holds no secret: the token stays in its own file. */
export interface Context {
  readonly name: string;
  /** HOST:PORT, or https://HOST:PORT for TLS. */
  readonly server: string;
  readonly namespace?: string;
  readonly tokenFile?: string;
  readonly caFile?: string;
  /** Certificate that is shown to the server, and its private key. */
  readonly certFile?: string;
  readonly keyFile?: string;
}

/** What the configuration file holds. */
export interface ClientConfig {
  readonly currentContext?: string;
  readonly contexts: readonly Context[];
}

const fields = ["name", "server", "namespace", "tokenFile", "caFile", "certFile", "keyFile"] as const;

/** `AGENTD_CONFIG`, else `$XDG_CONFIG_HOME/agentd/config.yaml`, else `~/.config/agentd/config.yaml`. */
export function configPath(env: Environment): string {
  return env["AGENTD_CONFIG"] || join(env["XDG_CONFIG_HOME"] || join(homedir(), ".config"), "agentd", "config.yaml");
}

/**
 * The configuration; an absent file is an empty one.
 * @throws UsageError with the file's path where it cannot be read or understood.
 */
export async function readConfig(env: Environment): Promise<ClientConfig> {
  const path = configPath(env);
  let text: string;
  try {
    text = await readFile(path, "utf8");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return { contexts: [] };
    throw new UsageError(`${path} cannot be read: ${(error as Error).message}`);
  }
  const { parse } = await import("yaml");
  try {
    return parseConfig(parse(text) as unknown);
  } catch (error) {
    throw new UsageError(`${path}: ${(error as Error).message.split("\n")[0] ?? ""}`);
  }
}

function record(value: unknown, what: string): Readonly<Record<string, unknown>> {
  if (typeof value !== "object" || value === null || Array.isArray(value)) throw new Error(`${what} is no mapping`);
  return value as Readonly<Record<string, unknown>>;
}

function refuseUnknown(value: Readonly<Record<string, unknown>>, known: readonly string[], what: string): void {
  for (const key of Object.keys(value)) {
    if (!known.includes(key)) throw new Error(`${what} has an unknown field "${key}"${didYouMeanHint(key, known)}`);
  }
}

function parseConfig(value: unknown): ClientConfig {
  if (value === null || value === undefined) return { contexts: [] };
  const root = record(value, "the file");
  refuseUnknown(root, ["currentContext", "contexts"], "the file");
  const { currentContext, contexts = [] } = root;
  if (!Array.isArray(contexts)) throw new Error("contexts is no list");
  const parsed = contexts.map((each, at) => parseContext(each, `contexts[${at}]`));
  const twice = parsed.find(({ name }, at) => parsed.findIndex((other) => other.name === name) !== at);
  if (twice !== undefined) throw new Error(`there are two contexts "${twice.name}"`);
  if (currentContext === undefined || currentContext === null) return { contexts: parsed };
  if (typeof currentContext !== "string") throw new Error("currentContext is no text");
  return { currentContext, contexts: parsed };
}

function parseContext(value: unknown, what: string): Context {
  const given = record(value, what);
  if ("token" in given) throw new Error(`${what} holds a token; put it into a file and name that as tokenFile`);
  refuseUnknown(given, fields, what);
  for (const field of fields) {
    const text = given[field];
    if (text === undefined && field !== "name" && field !== "server") continue;
    if (typeof text !== "string" || text === "") throw new Error(`${what}.${field} is missing or no text`);
  }
  return given as unknown as Context;
}

/** The configuration as YAML. */
export async function configText(config: ClientConfig): Promise<string> {
  const { stringify } = await import("yaml");
  return stringify(config);
}

/** Writes the configuration, whole or not at all; makes its folder. */
export async function writeConfig(env: Environment, config: ClientConfig): Promise<void> {
  const path = configPath(env);
  await mkdir(dirname(path), { recursive: true });
  const draft = `${path}.${process.pid}.new`;
  await writeFile(draft, await configText(config), { mode: 0o600 });
  await rename(draft, path);
}

/** The context of that name. @throws UsageError naming those that exist. */
export function requireContext(config: ClientConfig, name: string): Context {
  const found = config.contexts.find((context) => context.name === name);
  if (found !== undefined) return found;
  const names = config.contexts.map((context) => context.name);
  const known = names.length === 0 ? "there is none; make one with: agentctl config set-context" : names.join(", ");
  throw new UsageError(`there is no context "${name}"${didYouMeanHint(name, names)} (${known})`);
}
