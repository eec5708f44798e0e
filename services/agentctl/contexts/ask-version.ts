import { once } from "node:events";
import { connect as connectTcp, type Socket } from "node:net";
import { versionHeader } from "../../platform/grpc/version-header.ts";
import type { Target } from "./target.ts";

/** The server's version, or why there is none. */
export type VersionAnswer = { readonly version: string } | { readonly why: string };

/** A gRPC message without content: not compressed, no bytes. https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md */
const emptyMessage = Buffer.alloc(5);

/**
 * Asks a server for its version by one health check, whose headers carry it. By hand over HTTP/2: a gRPC library takes
 * longer to load than `agentctl version` should take in all, and HTTP/2 itself is loaded only once something listens
 * there. Never rejects.
 */
export async function askVersion(target: Target, timeoutMs: number): Promise<VersionAnswer> {
  const signal = AbortSignal.timeout(Math.min(timeoutMs, 2 ** 31 - 1));
  const { hostname, port } = new URL(`tcp://${target.server}`);
  const socket = connectTcp(Number(port), hostname.replace(/^\[(.*)\]$/, "$1"));
  // What breaks while HTTP/2 is being loaded is told by the session that gets the broken socket.
  socket.on("error", () => undefined);
  try {
    await once(socket, "connect", { signal });
    return await askOver(socket, target, signal);
  } catch (error) {
    return { why: signal.aborted ? "no answer in time" : reasonOf(error as NodeJS.ErrnoException) };
  } finally {
    socket.destroy();
  }
}

async function askOver(socket: Socket, { server, tls }: Target, signal: AbortSignal): Promise<VersionAnswer> {
  const { connect } = await import("node:http2");
  return await new Promise((resolve, reject) => {
    const session =
      tls === undefined
        ? connect(`http://${server}`, { createConnection: () => socket })
        : connect(`https://${server}`, { ...(tls.ca === undefined ? {} : { ca: tls.ca }), ...tls.client, socket });
    const finish = (answer: VersionAnswer): void => {
      session.destroy();
      resolve(answer);
    };
    signal.addEventListener("abort", () => finish({ why: "no answer in time" }), { once: true });
    session.on("error", reject);
    const request = session.request({
      ":method": "POST",
      ":path": "/grpc.health.v1.Health/Check",
      "content-type": "application/grpc",
      te: "trailers",
      ...(tls?.token === undefined ? {} : { authorization: `Bearer ${tls.token}` }),
    });
    request.on("error", reject);
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
