import { readFile } from "node:fs/promises";
import type { Address } from "../platform/config/setting.ts";
import type { Certificates } from "../platform/grpc/certificate-files.ts";
import type { ServerSecurity } from "../platform/grpc/server.ts";
import { openTokenFile } from "../platform/grpc/token-file.ts";
import type { Logger } from "../platform/telemetry/log.ts";

/** Settings of who may call the API. */
export interface SecuritySettings {
  readonly listen: Address;
  readonly tlsCert?: string | undefined;
  readonly tlsKey?: string | undefined;
  readonly tlsClientCa?: string | undefined;
  readonly authTokens?: string | undefined;
  readonly allowInsecure: boolean;
}

const loopback = /^(localhost|127\.\d+\.\d+\.\d+|::1)$/;

/**
 * Reads certificates and tokens; both follow their files. Who reaches the API can run commands on the workers, so an address that other machines
 * reach needs TLS, and a token or a client's certificate.
 * @throws Error in one sentence that says which setting to change
 */
export async function openApiSecurity(
  settings: SecuritySettings,
  deps: { readonly log: Logger; readonly monotonicMs: () => number },
): Promise<ServerSecurity> {
  const { tlsCert, tlsKey, tlsClientCa, authTokens, listen } = settings;
  if ((tlsCert === undefined) !== (tlsKey === undefined)) throw new Error("--tls-cert and --tls-key need each other");
  if (tlsClientCa !== undefined && tlsCert === undefined)
    throw new Error("--tls-client-ca needs --tls-cert and --tls-key");
  const isSecure = tlsCert !== undefined && (authTokens !== undefined || tlsClientCa !== undefined);
  if (!isSecure && !settings.allowInsecure && !loopback.test(listen.host)) {
    throw new Error(
      `${listen.host} can be reached from other machines, and who reaches the API can run commands on the workers: set --tls-cert, --tls-key and --auth-tokens (or --tls-client-ca), listen on 127.0.0.1, or say --allow-insecure`,
    );
  }
  const tokens = authTokens === undefined ? {} : { tokens: openTokenFile(authTokens, deps) };
  if (tlsCert === undefined || tlsKey === undefined) return tokens;
  const read = async (): Promise<Certificates> => {
    const [cert, key] = await Promise.all([readPem("certificate", tlsCert), readPem("key", tlsKey)]);
    const clientCa = tlsClientCa === undefined ? {} : { clientCa: await readPem("client CA", tlsClientCa) };
    return { cert, key, ...clientCa };
  };
  return { ...tokens, tls: { first: await read(), read } };
}

async function readPem(what: string, file: string): Promise<Buffer> {
  try {
    return await readFile(file);
  } catch (error) {
    throw new Error(`the TLS ${what} cannot be read: ${(error as Error).message}`, { cause: error });
  }
}
