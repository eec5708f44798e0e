import { createSecureContext } from "node:tls";
import { experimental, type ServerCredentials } from "@grpc/grpc-js";
import type { Logger } from "../telemetry/log.ts";

/** What a server shows, and whom it lets in; PEM. */
export interface Certificates {
  readonly cert: Buffer;
  readonly key: Buffer;
  /** With it only clients with a certificate of it get a connection. */
  readonly clientCa?: Buffer;
}

/** Certificates that may change while a server runs. */
export interface CertificateSource {
  /** Those of the start. */
  readonly first: Certificates;
  /** Reads them again. */
  read(): Promise<Certificates>;
  /** Time between two looks. Default 5 s. */
  readonly everyMs?: number;
}

type Provider = Parameters<typeof experimental.createCertificateProviderServerCredentials>[0];
type CaListener = Parameters<Provider["addCaCertificateListener"]>[0];
type IdentityListener = Parameters<Provider["addIdentityCertificateListener"]>[0];

/**
 * Credentials that follow their source for as long as the server listens: new connections get what stands in the files
 * now, those that are open go on. What cannot be used, as a certificate whose key has not come yet, changes nothing.
 * @throws Error for a certificate or a key that is none, or that do not belong together
 */
export function followCertificates(source: CertificateSource, log: Logger): ServerCredentials {
  check(source.first);
  let current = source.first;
  let timer: NodeJS.Timeout | undefined;
  let isReading = false;
  let complained = "";
  const cas = new Set<CaListener>();
  const identities = new Set<IdentityListener>();
  const identity = () => ({ certificate: current.cert, privateKey: current.key });
  const ca = () => (current.clientCa === undefined ? null : { caCertificate: current.clientCa });
  const look = async (): Promise<void> => {
    try {
      const next = await source.read();
      if (isSame(current, next)) return;
      check(next);
      current = next;
      complained = "";
      for (const listener of identities) listener(identity());
      for (const listener of cas) listener(ca());
      log.info("new connections get the TLS certificate that was read again");
    } catch (error) {
      const { message } = error as Error;
      if (message !== complained)
        log.warn({ err: error }, "the TLS files have changed and cannot be used: kept the old");
      complained = message;
    }
  };
  const tick = (): void => {
    if (isReading) return;
    isReading = true;
    void look().finally(() => {
      isReading = false;
    });
  };
  const listen = <T>(listeners: Set<T>, listener: T, tell: () => void): void => {
    listeners.add(listener);
    timer ??= setInterval(tick, source.everyMs ?? 5_000).unref();
    process.nextTick(tell);
  };
  const leave = <T>(listeners: Set<T>, listener: T): void => {
    listeners.delete(listener);
    if (cas.size + identities.size > 0) return;
    clearInterval(timer);
    timer = undefined;
  };
  const provider: Provider = {
    addCaCertificateListener: (listener) => listen(cas, listener, () => listener(ca())),
    addIdentityCertificateListener: (listener) => listen(identities, listener, () => listener(identity())),
    removeCaCertificateListener: (listener) => leave(cas, listener),
    removeIdentityCertificateListener: (listener) => leave(identities, listener),
  };
  const asksClients = source.first.clientCa !== undefined;
  return experimental.createCertificateProviderServerCredentials(provider, asksClients ? provider : null, asksClients);
}

/** Asked before grpc-js is: it would only refuse every connection. */
function check({ cert, key, clientCa }: Certificates): void {
  try {
    createSecureContext({ cert, key, ca: clientCa });
  } catch (error) {
    throw new Error(`the TLS certificate and key cannot be used: ${(error as Error).message}`, { cause: error });
  }
}

function isSame(one: Certificates, other: Certificates): boolean {
  const parts = [
    [one.cert, other.cert],
    [one.key, other.key],
    [one.clientCa, other.clientCa],
  ] as const;
  return parts.every(([a, b]) => (a === undefined || b === undefined ? a === b : a.equals(b)));
}
