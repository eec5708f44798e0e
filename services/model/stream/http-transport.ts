import type { IncomingMessage } from "node:http";
import { Agent as HttpAgent, request as httpRequest } from "node:http";
import { Agent as HttpsAgent, request as httpsRequest } from "node:https";
import { Readable } from "node:stream";

/** Time-outs of the connection only: how long an answer may take is the chat's business. */
export interface TransportOptions {
  /** Until the TCP (and TLS) connection stands. */
  readonly connectTimeoutMs: number;
}

/** A `fetch` over node:http and its connections. */
export interface HttpTransport {
  readonly fetch: (url: string | URL | Request, init?: RequestInit) => Promise<Response>;
  close(): void;
}

// vLLM's uvicorn closes idle connections after 5 s: to drop them first avoids a reset after every tool pause.
const idleTimeoutMs = 4_000;

/**
 * A `fetch` for long, silent streams. Node's own fetch gives up 300 s after the last byte (undici's headersTimeout and
 * bodyTimeout), which kills every request that queues in an engine for longer; this one has no such clock.
 * Redirects are not followed. An abort destroys the socket.
 */
export function createHttpTransport(options: TransportOptions): HttpTransport {
  const agentOptions = { keepAlive: true, timeout: idleTimeoutMs, maxSockets: Number.POSITIVE_INFINITY };
  const http = new HttpAgent(agentOptions);
  const https = new HttpsAgent(agentOptions);

  const send = (url: URL, init: RequestInit): Promise<{ response: IncomingMessage } | { retry: true }> =>
    new Promise((resolve, reject) => {
      const isTls = url.protocol === "https:";
      const request = (isTls ? httpsRequest : httpRequest)(url, {
        method: init.method ?? "GET",
        headers: Object.fromEntries(new Headers(init.headers)),
        agent: isTls ? https : http,
        ...(init.signal == null ? {} : { signal: init.signal }),
      });
      guardConnect(request, isTls ? "secureConnect" : "connect", options.connectTimeoutMs);
      request.on("error", (error: NodeJS.ErrnoException) => {
        // An idle connection that the server closed at the same moment: nothing was processed, a fresh one is not at fault.
        if (request.reusedSocket && error.code === "ECONNRESET" && init.signal?.aborted !== true) {
          resolve({ retry: true });
        } else reject(error);
      });
      request.on("response", (response) => {
        resolve({ response });
      });
      request.end(typeof init.body === "string" ? init.body : undefined);
    });

  return {
    async fetch(input, init = {}) {
      if (init.body != null && typeof init.body !== "string") throw new TypeError("only text bodies are sent");
      const url = new URL(input instanceof Request ? input.url : input);
      // A pool of idle connections may all be stale, so the loop is bounded by what can be in the pool.
      for (let left = 256; ; left -= 1) {
        const sent = await send(url, init);
        if ("response" in sent) return toResponse(sent.response);
        if (left === 0) throw new Error(`the connection to ${url.host} was reset`);
      }
    },
    close() {
      http.destroy();
      https.destroy();
    },
  };
}

function guardConnect(
  request: ReturnType<typeof httpRequest>,
  connected: "connect" | "secureConnect",
  timeoutMs: number,
): void {
  request.once("socket", (socket) => {
    if (!socket.connecting) return;
    const timer = setTimeout(() => {
      request.destroy(Object.assign(new Error(`no connection within ${timeoutMs} ms`), { code: "ETIMEDOUT" }));
    }, timeoutMs);
    const stop = () => {
      clearTimeout(timer);
    };
    socket.once(connected, stop);
    socket.once("close", stop);
  });
}

function toResponse(message: IncomingMessage): Response {
  const headers = new Headers();
  for (const [name, value] of Object.entries(message.headers)) {
    for (const item of Array.isArray(value) ? value : [value]) {
      if (item !== undefined) headers.append(name, item);
    }
  }
  const status = message.statusCode ?? 502;
  if (status === 204 || status === 205 || status === 304) {
    message.resume();
    return new Response(null, { status, headers });
  }
  return new Response(Readable.toWeb(message) as ReadableStream<Uint8Array>, { status, headers });
}
