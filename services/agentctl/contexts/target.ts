import { readFile } from "node:fs/promises";
import { homedir } from "node:os";
import { dirname, join, resolve } from "node:path";
import { dnsLabelProblem } from "../../core/text/names.ts";
import type { GlobalOptions } from "../global-options.ts";
import { UsageError } from "../resource-name.ts";
import { type Context, configPath, readConfig, requireContext } from "./config-file.ts";
import { localEndpoint } from "./local-endpoint.ts";

type Environment = Readonly<Record<string, string | undefined>>;

/** The server to call and how. */
export interface Target {
  /** HOST:PORT. */
  readonly server: string;
  readonly namespace: string;
  /** Present for TLS. */
  readonly tls?: TargetTls;
}

/** How to speak over TLS. */
export interface TargetTls {
  /** Certificates to trust, PEM; absent means those of the system. */
  readonly ca?: Buffer;
  /** Shown to a server that asks for one, PEM. */
  readonly client?: { readonly cert: Buffer; readonly key: Buffer };
  /** Sent as `authorization: Bearer …`. */
  readonly token?: string;
}

const portDefault = 7410;

interface Choice {
  readonly server: string;
  /** The context that the server comes from; its token is for no other server. */
  readonly context?: Context;
}

/**
 * Chooses the server: `--server`, `--context`, `AGENTD_SERVER`, the current context of the configuration file, the local
 * `agentd up`. A token comes from `--token-file`, `AGENTD_TOKEN_FILE`, `AGENTD_TOKEN` or the chosen context, and is sent
 * over TLS only.
 * @throws UsageError where two of these contradict each other or a file cannot be read.
 */
export async function resolveTarget(globals: GlobalOptions, env: Environment): Promise<Target> {
  const { server: address, context } = await choose(globals, env);
  const folder = dirname(configPath(env));
  const caFile = globals.caFile ?? env["AGENTD_CA_FILE"] ?? fromContext(context?.caFile, folder);
  const clientFiles = clientFilesOf(globals, env, context, folder);
  const { server, isTls } = parseAddress(address, Boolean(caFile) || clientFiles !== undefined);
  const namespace = globals.namespace ?? context?.namespace ?? "default";
  const problem = dnsLabelProblem(namespace);
  if (problem !== undefined) throw new UsageError(`the namespace cannot be used: ${problem}`);
  if (!isTls) {
    refusePlain(server, globals.tokenFile ?? context?.tokenFile, clientFiles?.cert);
    return { server, namespace };
  }
  const ca = caFile ? await readNamed(caFile, "--ca-file") : undefined;
  const token = await findToken(globals, env, context && fromContext(context.tokenFile, folder));
  const client = clientFiles && (await readClientFiles(clientFiles));
  return {
    server,
    namespace,
    tls: {
      ...(ca === undefined ? {} : { ca }),
      ...(client === undefined ? {} : { client }),
      ...(token === undefined ? {} : { token }),
    },
  };
}

async function choose(globals: GlobalOptions, env: Environment): Promise<Choice> {
  if (globals.server !== undefined && globals.server !== "") return { server: globals.server };
  const wanted = globals.context;
  if (wanted === undefined && env["AGENTD_SERVER"]) return { server: env["AGENTD_SERVER"] };
  const config = await readConfig(env);
  const name = wanted ?? config.currentContext;
  if (name === undefined || name === "") return { server: localEndpoint(env) };
  const context = requireContext(config, name);
  return { server: context.server, context };
}

/** A path of the configuration file, which is relative to that file. */
function fromContext(path: string | undefined, folder: string): string | undefined {
  if (path === undefined) return undefined;
  return path.startsWith("~/") ? join(homedir(), path.slice(2)) : resolve(folder, path);
}

/** `https://` means TLS, `http://` means none; without either, TLS where certificates are named. @throws UsageError */
export function parseAddress(address: string, hasCa: boolean): { readonly server: string; readonly isTls: boolean } {
  const match = /^(?:(https?|grpcs?):\/\/)?([^/\s]+)\/?$/i.exec(address.trim());
  if (match === null) throw new UsageError(`"${address}" is no server; write HOST:PORT or https://HOST:PORT`);
  const scheme = match[1]?.toLowerCase();
  const isTls = scheme === undefined ? hasCa : scheme === "https" || scheme === "grpcs";
  const host = match[2] ?? "";
  const hasPort = /^(\[[^\]]+\]|[^:]+):\d+$/.test(host);
  if (!hasPort && /^[^[].*:/.test(host)) {
    throw new UsageError(`"${address}" is no server; write HOST:PORT, an IPv6 address in brackets: [::1]:7410`);
  }
  return { server: hasPort ? host : `${host}:${scheme === "https" ? 443 : portDefault}`, isTls };
}

/** Also on this machine itself: whoever can listen on the port while agentd is down would get the token. */
function refusePlain(server: string, tokenFile: string | undefined, certFile: string | undefined): void {
  const how = `write https://${server}, or name the certificate with --ca-file`;
  if (tokenFile !== undefined) throw new UsageError(`${tokenFile} would be sent to ${server} in plain text; ${how}`);
  if (certFile !== undefined) throw new UsageError(`${certFile} can be shown over TLS only; ${how}`);
}

interface ClientFiles {
  readonly cert: string;
  readonly key: string;
}

/** @throws UsageError where one of the two is missing */
function clientFilesOf(
  globals: GlobalOptions,
  env: Environment,
  context: Context | undefined,
  folder: string,
): ClientFiles | undefined {
  const cert = globals.certFile || env["AGENTD_CERT_FILE"] || fromContext(context?.certFile, folder);
  const key = globals.keyFile || env["AGENTD_KEY_FILE"] || fromContext(context?.keyFile, folder);
  if (!cert && !key) return undefined;
  if (cert && key) return { cert, key };
  throw new UsageError(cert ? `--cert-file ${cert} needs --key-file` : `--key-file ${key} needs --cert-file`);
}

async function readClientFiles(files: ClientFiles): Promise<NonNullable<TargetTls["client"]>> {
  const [cert, key] = await Promise.all([readNamed(files.cert, "--cert-file"), readNamed(files.key, "--key-file")]);
  const { createSecureContext } = await import("node:tls");
  try {
    createSecureContext({ cert, key });
  } catch (error) {
    const reason = (error as Error).message.replace(/^error:[^:]*:[^:]*:[^:]*:/, "");
    throw new UsageError(`--cert-file ${files.cert} and --key-file ${files.key} do not go together: ${reason}`);
  }
  return { cert, key };
}

async function findToken(
  globals: GlobalOptions,
  env: Environment,
  contextFile: string | undefined,
): Promise<string | undefined> {
  const file = globals.tokenFile ?? (env["AGENTD_TOKEN_FILE"] || undefined);
  if (file !== undefined) return checkedToken((await readNamed(file, "--token-file")).toString("utf8"), file);
  if (env["AGENTD_TOKEN"]) return checkedToken(env["AGENTD_TOKEN"], "AGENTD_TOKEN");
  if (contextFile === undefined) return undefined;
  return checkedToken((await readNamed(contextFile, "tokenFile")).toString("utf8"), contextFile);
}

/** A token fits into a header line. The refusal does not quote it. */
function checkedToken(text: string, from: string): string {
  const token = text.trim();
  if (!/^[\x21-\x7e]{1,8192}$/.test(token)) throw new UsageError(`${from} holds no token: one line without spaces`);
  return token;
}

async function readNamed(path: string, what: string): Promise<Buffer> {
  try {
    return await readFile(path);
  } catch (error) {
    const reason =
      (error as NodeJS.ErrnoException).code === "ENOENT" ? "there is no such file" : (error as Error).message;
    throw new UsageError(`${what} ${path} cannot be read: ${reason}`);
  }
}
