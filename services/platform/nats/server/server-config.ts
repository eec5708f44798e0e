import { payloadBytesMax } from "../stream-limits.ts";

/** What {@link natsServerConfig} writes down. */
export interface ServerConfigOptions {
  /** 0 = a free port, told through the ports file. */
  readonly port: number;
  /** Default 127.0.0.1. */
  readonly host?: string;
  /** JetStream's files. */
  readonly storeDirectory: string;
  /** Where the server writes the ports file, once it accepts connections. */
  readonly portsDirectory: string;
  /** Most bytes on disk, over all streams. Default 256 GiB: the streams have their own, smaller limits. */
  readonly fileStoreBytes?: number;
  /** Default true: each write is on the disk before it is acknowledged. False is for tests of the refusal. */
  readonly isSyncAlways?: boolean;
  readonly authority: {
    readonly operatorJwt: string;
    readonly systemAccount: { readonly id: string; readonly jwt: string };
    readonly account: { readonly id: string; readonly jwt: string };
    readonly workersAccount: { readonly id: string; readonly jwt: string };
  };
}

/** The text of a configuration file for one nats-server ≥ 2.12, without a cluster. Holds no secret: JWTs are public. */
export function natsServerConfig(options: ServerConfigOptions): string {
  const { authority } = options;
  return [
    `host: ${quote(options.host ?? "127.0.0.1")}`,
    `port: ${options.port === 0 ? -1 : options.port}`,
    'server_name: "agentd"',
    `ports_file_dir: ${quote(options.portsDirectory)}`,
    `max_payload: ${payloadBytesMax}`,
    // A whole atomic batch (1,000 × 32 KiB) may wait for one slow reader.
    `max_pending: ${64 * 1024 * 1024}`,
    'write_deadline: "10s"',
    'ping_interval: "20s"',
    "ping_max: 2",
    "jetstream {",
    `  store_dir: ${quote(options.storeDirectory)}`,
    `  max_file_store: ${options.fileStoreBytes ?? 256 * 1024 ** 3}`,
    "  max_memory_store: 1073741824",
    ...(options.isSyncAlways === false ? [] : ["  sync_interval: always"]),
    "}",
    `operator: ${quote(authority.operatorJwt)}`,
    `system_account: ${quote(authority.systemAccount.id)}`,
    "resolver: MEMORY",
    "resolver_preload {",
    `  ${authority.systemAccount.id}: ${quote(authority.systemAccount.jwt)}`,
    `  ${authority.account.id}: ${quote(authority.account.jwt)}`,
    `  ${authority.workersAccount.id}: ${quote(authority.workersAccount.jwt)}`,
    "}",
    "",
  ].join("\n");
}

function quote(text: string): string {
  if (/["\n\r\\]/.test(text)) throw new RangeError(`cannot stand in a nats-server configuration: ${text}`);
  return `"${text}"`;
}
