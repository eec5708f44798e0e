import { parseDuration } from "../core/text/duration.ts";
import { UsageError } from "./resource-name.ts";

/** Flags that every verb takes. */
export interface GlobalOptions {
  readonly server?: string;
  readonly context?: string;
  readonly namespace?: string;
  readonly tokenFile?: string;
  readonly caFile?: string;
  readonly certFile?: string;
  readonly keyFile?: string;
  readonly requestTimeout?: string;
  readonly verbose: number;
}

/** The global flags, as commander takes them, each with its help. */
export const globalFlags = [
  ["-s, --server <address>", "HOST:PORT, or https://HOST:PORT (default: AGENTD_SERVER, the context, `agentd up`)"],
  ["--context <name>", "context to use (see `agentctl config --help`)"],
  ["-n, --namespace <name>", "namespace (default: the context's, else default)"],
  ["--token-file <file>", "holds the token (default: AGENTD_TOKEN_FILE, AGENTD_TOKEN, the context's)"],
  ["--ca-file <file>", "certificates to trust, for TLS (default: AGENTD_CA_FILE, the context's, the system's)"],
  ["--cert-file <file>", "certificate to show, for TLS (default: AGENTD_CERT_FILE, the context's)"],
  ["--key-file <file>", "private key of --cert-file (default: AGENTD_KEY_FILE, the context's)"],
  ["--request-timeout <duration>", "bound of one call; 0 for none; watches and uploads go on (default: 90s)"],
  ["-v, --verbose <level>", "6 shows stack traces"],
] as const;

/** Milliseconds of a flag's value like `90s`. @throws UsageError when it is no duration. */
export function durationFlag(flag: string, text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  const ms = parseDuration(text);
  if (ms === undefined) throw new UsageError(`${flag} ${text} is not a duration; write 90s or 15m`);
  return ms;
}

/** Milliseconds of `--request-timeout`; 0 means no bound, as with kubectl, and gives Infinity. @throws UsageError */
export function requestTimeoutMs(options: GlobalOptions): number | undefined {
  const text = options.requestTimeout;
  if (text === "0") return Number.POSITIVE_INFINITY;
  const ms = durationFlag("--request-timeout", text);
  return ms === 0 ? Number.POSITIVE_INFINITY : ms;
}
