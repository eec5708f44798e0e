import { type JetStreamClient, type JetStreamManager, jetstream, jetstreamManager } from "@nats-io/jetstream";
import { type ConnectionOptions, credsAuthenticator, type NatsConnection } from "@nats-io/nats-core";
import { connect } from "@nats-io/transport-node";
import { abortable } from "../lifecycle/abortable.ts";
import type { Logger } from "../telemetry/log.ts";
import { storeUnavailable, toAgentdError } from "./nats-error.ts";

/** How {@link connectNats} reaches the server. */
export interface ConnectOptions {
  /** One or more `nats://host:port`, comma-separated. */
  readonly url: string;
  /** Text of a creds file (see `credentials.ts`); absent for a server without authentication, in tests. */
  readonly creds?: string;
  /** Shown in the server's connection list. */
  readonly name: string;
  /** Where answers arrive; a worker must give its own (`workerInboxPrefix`). Default `_INBOX`. */
  readonly inboxPrefix?: string;
  readonly log: Logger;
  /** Default 5 s: how long a request waits for its answer. */
  readonly requestTimeoutMs?: number;
  /** Fail where nothing answers now, instead of waiting for it. */
  readonly isImpatient?: boolean;
  /** Default 250 ms, with as much jitter again; bounds the pause between two attempts to reconnect. */
  readonly reconnectWaitMs?: number;
}

/** A connection that comes back by itself, for ever, until it is closed. */
export interface NatsLink extends AsyncDisposable {
  readonly connection: NatsConnection;
  readonly js: JetStreamClient;
  readonly jsm: JetStreamManager;
  readonly requestTimeoutMs: number;
  readonly inboxPrefix: string;
  readonly log: Logger;
  /** False from the moment the loss is noticed until the server has accepted us again. */
  readonly isConnected: boolean;
  /** Tells every later change of `isConnected`; returns the way to stop. */
  onState(listener: (isConnected: boolean) => void): () => void;
  /** Sends what is buffered (for at most a second) and closes. Idempotent. */
  close(): Promise<void>;
}

/**
 * Connects to NATS and keeps the connection for ever. The first connect is tried until `signal` aborts.
 * @throws STORE_UNAVAILABLE when the credentials are refused or the connection cannot be made.
 */
export async function connectNats(options: ConnectOptions, signal: AbortSignal): Promise<NatsLink> {
  const waitMs = options.reconnectWaitMs ?? 250;
  const timeout = options.requestTimeoutMs ?? 5_000;
  const settings: ConnectionOptions = {
    servers: options.url.split(",").map((url) => url.trim()),
    name: options.name,
    timeout,
    maxReconnectAttempts: -1,
    reconnectTimeWait: waitMs,
    reconnectDelayHandler: () => waitMs + Math.floor(Math.random() * waitMs),
    waitOnFirstConnect: options.isImpatient !== true,
    // A half-open connection is noticed after 3 pings without an answer.
    pingInterval: 10_000,
    maxPingOut: 3,
    ...(options.inboxPrefix === undefined ? {} : { inboxPrefix: options.inboxPrefix }),
    ...(options.creds === undefined
      ? {}
      : { authenticator: credsAuthenticator(new TextEncoder().encode(options.creds)) }),
  };
  const connecting = connect(settings);
  const waiting = sayWaiting(options);
  try {
    return await createLink(await abortable(connecting, signal), options, timeout);
  } catch (error) {
    connecting.then((late) => late.close()).catch(() => undefined);
    if (signal.aborted) throw signal.reason;
    throw toAgentdError(error, `connecting to NATS at ${options.url}`);
  } finally {
    waiting();
  }
}

const firstWordMs = 1_000;
const nextWordMs = 15_000;

/** Whoever starts before NATS waits for it; that must not look like a process that hangs. */
function sayWaiting({ url, log }: ConnectOptions): () => void {
  let timer: NodeJS.Timeout;
  const say = (): void => {
    log.warn({ nats: url }, "waiting for NATS: nothing answers there yet");
    timer = setTimeout(say, nextWordMs);
  };
  timer = setTimeout(say, firstWordMs);
  return () => clearTimeout(timer);
}

async function createLink(
  connection: NatsConnection,
  options: ConnectOptions,
  requestTimeoutMs: number,
): Promise<NatsLink> {
  const { log } = options;
  const js = jetstream(connection, { timeout: requestTimeoutMs });
  // A worker may not call every API that the check would; `ensureStreams` checks the server's version instead.
  const jsm = await jetstreamManager(connection, { timeout: requestTimeoutMs, checkAPI: false });
  const listeners = new Set<(isConnected: boolean) => void>();
  let isConnected = true;
  let closing: Promise<void> | undefined;
  const change = (next: boolean): void => {
    if (isConnected === next) return;
    isConnected = next;
    if (closing === undefined) log.info({ server: connection.getServer(), isConnected }, "nats connection changed");
    for (const listener of [...listeners]) listener(next);
  };
  const follow = async (): Promise<void> => {
    for await (const status of connection.status()) {
      if (status.type === "disconnect" || status.type === "close" || status.type === "staleConnection") change(false);
      else if (status.type === "reconnect") change(true);
      else if (status.type === "error") log.debug({ err: status.error }, "nats server reported an error");
    }
  };
  follow().catch((error: unknown) => log.warn({ err: error }, "nats status stream failed"));
  const close = (): Promise<void> => {
    closing ??= (async () => {
      const drained = connection.drain().catch(() => undefined);
      let timer: NodeJS.Timeout | undefined;
      const late = new Promise<void>((resolve) => {
        timer = setTimeout(resolve, 1_000);
      });
      await Promise.race([drained, late]);
      clearTimeout(timer);
      await connection.close().catch(() => undefined);
      change(false);
    })();
    return closing;
  };
  return {
    connection,
    js,
    jsm,
    requestTimeoutMs,
    inboxPrefix: options.inboxPrefix ?? "_INBOX",
    log,
    get isConnected() {
      return isConnected && !connection.isClosed();
    },
    onState(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    close,
    [Symbol.asyncDispose]: close,
  };
}

/**
 * Fails at once while the connection is down, so that nothing waits in the client's buffer to be written late.
 * @throws STORE_UNAVAILABLE with outcome `none`.
 */
export function requireConnected(link: NatsLink, doing: string): void {
  if (!link.isConnected) throw storeUnavailable(`${doing}: not connected to NATS`, "none");
}

/**
 * Runs one request and gives up on it when the connection breaks, instead of waiting for its time-out.
 * @throws STORE_UNAVAILABLE, or what `toAgentdError` makes of the failure.
 */
export async function withLink<T>(
  link: NatsLink,
  doing: string,
  request: () => Promise<T>,
  signal: AbortSignal,
): Promise<T> {
  signal.throwIfAborted();
  requireConnected(link, doing);
  let stop: (() => void) | undefined;
  const broken = new Promise<never>((_, reject) => {
    stop = link.onState((up) => {
      if (!up) reject(storeUnavailable(`${doing}: the connection to NATS broke before the answer`, "unknown"));
    });
  });
  try {
    return await abortable(Promise.race([request(), broken]), signal);
  } catch (error) {
    throw toAgentdError(error, doing, signal);
  } finally {
    stop?.();
  }
}
