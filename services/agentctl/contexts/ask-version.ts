import { connect } from "node:http2";
import { versionHeader } from "../../platform/grpc/version-header.ts";
import type { Target } from "./target.ts";

/** The server's version, or why there is none. */
export type VersionAnswer = { readonly version: string } | { readonly why: string };

/** A gRPC message without content: not compressed, no bytes. https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md */
const emptyMessage = Buffer.alloc(5);

/**
 * Asks a server for its version by one health check, whose headers carry it. By hand over HTTP/2: a gRPC library takes
 * longer to load than `agentctl version` should take in all. Never rejects.
 */
export function askVersion(target: Target, timeoutMs: number): Promise<VersionAnswer> {
  const { server, tls } = target;
  return new Promise((resolve) => {
    const ca = tls?.ca === undefined ? {} : { ca: tls.ca };
    const session = connect(`${tls === undefined ? "http" : "https"}://${server}`, ca);
    const finish = (answer: VersionAnswer): void => {
      clearTimeout(timer);
      session.destroy();
      resolve(answer);
    };
    const timer = setTimeout(() => finish({ why: "no answer in time" }), Math.min(timeoutMs, 2 ** 31 - 1));
    session.on("error", (error: NodeJS.ErrnoException) => finish({ why: reasonOf(error) }));
    const request = session.request({
      ":method": "POST",
      ":path": "/grpc.health.v1.Health/Check",
      "content-type": "application/grpc",
      te: "trailers",
      ...(tls?.token === undefined ? {} : { authorization: `Bearer ${tls.token}` }),
    });
    request.on("error", (error: NodeJS.ErrnoException) => finish({ why: reasonOf(error) }));
    request.on("response", (headers) => {
      const version = headers[versionHeader];
      const given = typeof version === "string" && /^[\w.+-]{1,64}$/.test(version) ? version : undefined;
      finish(given === undefined ? { why: "it is no agentd, or an older one" } : { version: given });
    });
    request.end(emptyMessage);
  });
}

function reasonOf(given: NodeJS.ErrnoException): string {
  // A request that never left says so, and why in its cause.
  const error = given.cause instanceof Error ? (given.cause as NodeJS.ErrnoException) : given;
  switch (error.code) {
    case "ECONNREFUSED":
      return "connection refused";
    case "ENOTFOUND":
    case "EAI_AGAIN":
      return "the host name is unknown";
    default:
      return error.message || "the connection was lost";
  }
}
