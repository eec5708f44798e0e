import { createServer, type IncomingMessage } from "node:http";
import { type AddressInfo, isIPv4 } from "node:net";
import type { Address } from "../config/setting.ts";
import { isLevelName, type LogLevel, levelNames } from "../telemetry/log-level.ts";
import type { Readiness } from "./readiness.ts";

/** A small HTTP server for probes, Prometheus and the log level. */
export interface StatusServer extends AsyncDisposable, Address {}

interface StatusServerOptions {
  readonly address: Address;
  readonly readiness: Pick<Readiness, "reasons">;
  readonly logLevel: LogLevel;
  /** Text of `/metrics`; absent: there is none. */
  readonly metrics?: () => string | Promise<string>;
}

interface Answer {
  readonly status: number;
  readonly text: string;
}

/** Longer than any level. */
const bodyBytesMax = 64;

/**
 * Serves `/healthz` (the process runs), `/readyz` (it can do its work; else 503 and why not), `/metrics`, and `/loglevel`, which
 * only this machine may read (GET) and set (PUT).
 *
 * @throws Error with one sentence for an address that cannot be used
 */
export async function startStatusServer(options: StatusServerOptions): Promise<StatusServer> {
  const { host, port } = options.address;
  const server = createServer((request, response) => {
    answer(options, request)
      .catch((error: unknown) => ({ status: 500, text: error instanceof Error ? error.message : String(error) }))
      .then(({ status, text }) => {
        response.writeHead(status, { "content-type": "text/plain; version=0.0.4; charset=utf-8" }).end(`${text}\n`);
      })
      .catch(() => response.destroy());
  });
  server.requestTimeout = 10_000;
  server.maxConnections = 64;
  await new Promise<void>((resolve, reject) => {
    server.once("error", (error: NodeJS.ErrnoException) => {
      reject(
        new Error(`cannot listen on ${host}:${port} for health and metrics: ${error.code}; choose another --http`),
      );
    });
    server.listen(port, host, resolve);
  });
  return {
    host,
    port: (server.address() as AddressInfo).port,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise<void>((resolve) => server.close(() => resolve()));
    },
  };
}

async function answer(options: StatusServerOptions, request: IncomingMessage): Promise<Answer> {
  if (request.url === "/loglevel") return await answerLogLevel(options.logLevel, request);
  if (request.method !== "GET" && request.method !== "HEAD") return { status: 405, text: "only GET" };
  if (request.url === "/healthz") return { status: 200, text: "ok" };
  if (request.url === "/readyz") {
    const reasons = options.readiness.reasons();
    return reasons.length === 0 ? { status: 200, text: "ok" } : { status: 503, text: reasons.join("\n") };
  }
  if (request.url === "/metrics" && options.metrics !== undefined) {
    return { status: 200, text: (await options.metrics()).replace(/\n$/, "") };
  }
  return { status: 404, text: "there are /healthz, /readyz, /metrics and /loglevel" };
}

/**
 * No one else may: a level of debug fills disks. The name in the Host header must be this machine's too, or a web page could
 * reach it through a name of its own that points here; and PUT is a method that pages of other origins may not send.
 */
async function answerLogLevel(level: LogLevel, request: IncomingMessage): Promise<Answer> {
  const name = (request.headers.host ?? "").replace(/:\d+$/, "");
  const isHere = isLoopback(request.socket.remoteAddress ?? "") && (name === "localhost" || isLoopback(name));
  if (!isHere) return { status: 403, text: "the log level is for 127.0.0.1 only" };
  if (request.method === "GET") return { status: 200, text: level.current };
  if (request.method !== "PUT") return { status: 405, text: "GET reads the log level, PUT sets it" };
  let wanted = "";
  for await (const chunk of request) {
    wanted += String(chunk);
    if (wanted.length > bodyBytesMax) return { status: 413, text: "send the name of a level" };
  }
  wanted = wanted.trim();
  if (!isLevelName(wanted)) return { status: 400, text: `there are the levels ${levelNames.join(", ")}` };
  level.set(wanted);
  return { status: 200, text: wanted };
}

function isLoopback(address: string): boolean {
  const plain = address.replace(/^\[|\]$/g, "").replace(/^::ffff:/i, "");
  return plain === "::1" || (isIPv4(plain) && plain.startsWith("127."));
}
