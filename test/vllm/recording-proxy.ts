import { createServer, type IncomingMessage, request, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";

/** What the engine said of one answered request. */
export interface Answered {
  /** Whether the agent had answered before in this conversation. */
  readonly isFirst: boolean;
  readonly promptTokens: number;
  readonly cachedTokens: number;
  readonly completionTokens: number;
}

/** A way to the engine that reads along: what the engine says of itself is not what agentd says of it. */
export interface RecordingProxy extends AsyncDisposable {
  /** Base URL, as the engine's own. */
  readonly url: string;
  readonly answered: readonly Answered[];
}

/**
 * Passes everything on to the server at `target` and keeps the usage of each chat completion.
 * @param answerTokensMax lowers the output cap of each: a small model that writes until its window is full takes minutes for it
 */
export async function startRecordingProxy(target: string, answerTokensMax: number): Promise<RecordingProxy> {
  const engine = new URL(target);
  const answered: Answered[] = [];
  const server = createServer((incoming, outgoing) => {
    void pass({ engine, answered, answerTokensMax }, incoming, outgoing).catch(() => outgoing.destroy());
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}${engine.pathname}`,
    answered,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

interface Way {
  readonly engine: URL;
  readonly answered: Answered[];
  readonly answerTokensMax: number;
}

async function pass(way: Way, incoming: IncomingMessage, outgoing: ServerResponse): Promise<void> {
  const { engine, answered, answerTokensMax } = way;
  const received = await textOf(incoming);
  const body = received.replace(
    /"(max_tokens|max_completion_tokens)":(\d+)/u,
    (_whole, field: string, tokens: string) => `"${field}":${Math.min(Number(tokens), answerTokensMax)}`,
  );
  const options = {
    hostname: engine.hostname,
    port: engine.port,
    path: incoming.url ?? "/",
    method: incoming.method ?? "GET",
    headers: { ...incoming.headers, host: engine.host, "content-length": String(Buffer.byteLength(body)) },
  };
  const upstream = request(options, (response) => {
    outgoing.writeHead(response.statusCode ?? 502, response.headers);
    let tail = "";
    response.on("data", (chunk: Buffer) => {
      outgoing.write(chunk);
      tail = `${tail}${chunk.toString("utf8")}`.slice(-8_192);
    });
    response.on("error", () => outgoing.destroy());
    response.on("end", () => {
      outgoing.end();
      const usage = usageIn(tail);
      if (usage !== undefined && incoming.url?.endsWith("/chat/completions")) {
        answered.push({ isFirst: !body.includes('"role":"assistant"'), ...usage });
      }
    });
  });
  // Whoever hangs up wants the engine to stop.
  outgoing.on("close", () => upstream.destroy());
  upstream.on("error", () => outgoing.destroy());
  upstream.end(body);
}

async function textOf(incoming: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of incoming) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks).toString("utf8");
}

/** The last chunk of a stream holds the usage. */
function usageIn(tail: string): Omit<Answered, "isFirst"> | undefined {
  const at = tail.lastIndexOf('"usage":{');
  if (at === -1) return undefined;
  const number = (name: string) => Number(new RegExp(`"${name}":(\\d+)`, "u").exec(tail.slice(at))?.[1] ?? 0);
  return {
    promptTokens: number("prompt_tokens"),
    cachedTokens: number("cached_tokens"),
    completionTokens: number("completion_tokens"),
  };
}
