import type { IncomingMessage, Server, ServerResponse } from "node:http";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import type { Logger } from "../../platform/telemetry/log.ts";
import type { SimConfig } from "../config.ts";
import { createEngine, type Engine, type SimStats } from "../engine/engine.ts";
import { streamChat } from "./chat-response.ts";
import { countPromptTokens, RequestRefused, readChatRequest } from "./request.ts";

/** A running simulator. */
export interface SimServer extends AsyncDisposable {
  /** `http://HOST:PORT`, without `/v1`. */
  readonly url: string;
  stats(): SimStats;
  /** Closes the port and all connections. */
  close(): Promise<void>;
}

/** What every answer and the model list say of themselves. */
export const simulatedName = "vllm-sim (simulated)";

const version = "0.1.0+simulated";
// A conversation of a full context is below 1 MB; this only keeps a wrong client from filling the memory.
const bodyBytesMax = 32 * 1024 * 1024;

/** Starts the OpenAI-compatible server of a simulated engine. @throws the listen error (port in use, no right) as Node gives it. */
export async function startSimServer(config: SimConfig, log: Logger): Promise<SimServer> {
  const engine = createEngine(config, () => performance.now());
  const server = createServer((request, response) => {
    response.setHeader("server", simulatedName);
    response.setHeader("x-simulated", "true");
    route(engine, config, request, response).catch((error: unknown) => {
      answerError(response, error, log);
    });
  });
  // A request may queue for as long as its client likes; only its own head must come in time.
  server.requestTimeout = 0;
  server.keepAliveTimeout = 5_000;
  await listen(server, config);
  const { port } = server.address() as AddressInfo;
  const host = config.host.includes(":") ? `[${config.host}]` : config.host;
  const url = `http://${host}:${port}`;
  log.info(
    { url, model: config.model, slots: config.slots, faultSeed: config.seed },
    "simulated model server is ready",
  );
  let closing: Promise<void> | undefined;
  const close = () => {
    closing ??= new Promise<void>((resolve) => {
      engine.close();
      server.close(() => {
        resolve();
      });
      server.closeAllConnections();
    });
    return closing;
  };
  return { url, stats: engine.stats, close, [Symbol.asyncDispose]: close };
}

function listen(server: Server, config: SimConfig): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    server.listen(config.port, config.host, () => {
      server.off("error", reject);
      resolve();
    });
  });
}

async function route(
  engine: Engine,
  config: SimConfig,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const path = (request.url ?? "/").split("?", 1)[0];
  switch (`${request.method ?? "GET"} ${path}`) {
    case "POST /v1/chat/completions":
      return await answerChat(engine, config, request, response);
    case "POST /tokenize": {
      const count = countPromptTokens(await readBody(request), config.model);
      return sendJson(response, 200, { count, max_model_len: config.contextTokensMax });
    }
    case "GET /v1/models":
      return sendJson(response, 200, { object: "list", data: [describeModel(config)] });
    case "GET /health":
    case "GET /ping":
      response.writeHead(200).end();
      return;
    case "GET /version":
      return sendJson(response, 200, { version });
    case "GET /metrics":
      response
        .writeHead(200, { "content-type": "text/plain; version=0.0.4; charset=utf-8" })
        .end(engine.renderMetrics());
      return;
    case "GET /sim/stats":
      return sendJson(response, 200, engine.stats());
    default:
      throw new RequestRefused(404, "NotFoundError", "Not Found");
  }
}

async function answerChat(
  engine: Engine,
  config: SimConfig,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const input = readChatRequest(await readBody(request), config);
  if (engine.isFull) {
    throw new RequestRefused(
      503,
      "Service Unavailable",
      "The server is busy: too many queued requests. Try again later.",
    );
  }
  streamChat(engine, config.model, input, response);
}

function describeModel(config: SimConfig): Record<string, unknown> {
  return {
    id: config.model,
    object: "model",
    created: 1_700_000_000,
    owned_by: simulatedName,
    root: config.model,
    parent: null,
    max_model_len: config.contextTokensMax,
  };
}

async function readBody(request: IncomingMessage): Promise<unknown> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    if (bytes > bodyBytesMax)
      throw new RequestRefused(413, "BadRequestError", `The body exceeds ${bodyBytesMax} bytes.`);
    chunks.push(chunk);
  }
  try {
    return JSON.parse(Buffer.concat(chunks).toString("utf8"));
  } catch {
    throw new RequestRefused(400, "BadRequestError", "The body is not valid JSON.");
  }
}

function sendJson(response: ServerResponse, status: number, body: unknown): void {
  response.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify(body));
}

function answerError(response: ServerResponse, error: unknown, log: Logger): void {
  if (response.headersSent || response.destroyed) {
    response.destroy();
    return;
  }
  if (error instanceof RequestRefused) {
    const { message, type, param, status } = error;
    sendJson(response, status, { error: { message, type, param, code: status } });
    return;
  }
  log.error({ err: error }, "simulated model request failed");
  sendJson(response, 500, {
    error: { message: "Internal Server Error", type: "InternalServerError", param: null, code: 500 },
  });
}
