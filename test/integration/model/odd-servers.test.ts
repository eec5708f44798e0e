import { once } from "node:events";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { afterEach, expect, test } from "vitest";
import type { ChatRequest } from "../../../services/model/chat.ts";
import { type ChatModelPool, createChatModel } from "../../../services/model/chat-model.ts";
import { createLogger } from "../../../services/platform/telemetry/log.ts";

const signal = new AbortController().signal;
const key = "sk-not-to-be-shown";
let server: Server | undefined;
let pool: ChatModelPool | undefined;

afterEach(async () => {
  await pool?.close();
  server?.closeAllConnections();
  server?.close();
});

type Answer = (response: ServerResponse, request: IncomingMessage) => void;

/** A pool over a server that gives these answers to chats, the last one again and again. */
async function poolOver(...answers: readonly Answer[]): Promise<ChatModelPool> {
  let at = 0;
  server = createServer((request, response) => {
    if (request.url?.endsWith("/chat/completions") !== true) return response.writeHead(404).end();
    const answer = answers[Math.min(at, answers.length - 1)];
    at += 1;
    request.resume().on("end", () => answer?.(response, request));
    return undefined;
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  pool = createChatModel({
    endpoints: [{ baseUrl: `http://127.0.0.1:${port}/v1`, apiKey: key }],
    model: "odd",
    backoff: { firstMs: 5, maxMs: 10 },
    log: createLogger({ service: "test", level: "silent" }),
  });
  return pool;
}

const plain =
  (status: number, type: string, text: string): Answer =>
  (response) =>
    response.writeHead(status, { "content-type": type }).end(text);

/** A call of `finish` with a note that no schema names, as models that were trained on Claude Code add it. */
const callWithoutUsage: Answer = (response) => {
  const args = JSON.stringify({ summary: "all done", description: "Finish the task" });
  const delta = { tool_calls: [{ index: 0, id: "c1", function: { name: "finish", arguments: args } }] };
  response.writeHead(200, { "content-type": "text/event-stream" });
  response.end(`data: ${JSON.stringify({ choices: [{ index: 0, delta }] })}\n\ndata: [DONE]\n\n`);
};

function ask(failures: string[] = []): ChatRequest {
  return {
    messages: [{ role: "user", content: "Do what is to be done. ".repeat(100) }],
    tools: [
      {
        name: "finish",
        description: "",
        parameters: {
          type: "object",
          properties: { summary: { type: "string" } },
          required: ["summary"],
          additionalProperties: false,
        },
      },
    ],
    toolChoice: "auto",
    outputTokensMax: 500,
    affinityKey: "a",
    onFailure: (message) => failures.push(message),
  };
}

test("an answer without finish reason and usage, whose call has a note beside its arguments, is taken, and its tokens are estimated", async () => {
  const chats = await poolOver(callWithoutUsage);
  const reply = await chats.chat(ask(), signal);
  expect(reply.toolCalls).toMatchObject([{ name: "finish", arguments: '{"summary":"all done"}' }]);
  expect(reply.effort?.repairs).toEqual(["notes"]);
  // 2,300 characters of prompt, and the tool: between two and five characters a token.
  expect(reply.usage.inputTokens).toBeGreaterThan(2_300 / 5);
  expect(reply.usage.inputTokens).toBeLessThan(2_600 / 2);
  expect(reply.usage.outputTokens).toBeGreaterThan(0);
});

test("what a server refuses for being busy is told of its endpoint, without the key, until it answers", async () => {
  const said: (string | undefined)[] = [];
  const chats = await poolOver(
    plain(429, "application/json", JSON.stringify({ error: { message: `slow down, ${key}` } })),
    plain(500, "text/plain", `no such ${key}`),
    callWithoutUsage,
  );
  const note = () => said.push(chats.snapshot().endpoints[0]?.lastError);
  await chats.chat({ ...ask(), onFailure: note }, signal);
  note();
  expect(said).toEqual(["HTTP 429: slow down, [redacted]", expect.stringMatching(/no such \[redacted\]$/), undefined]);
  expect(chats.snapshot().endpoints[0]?.isHealthy).toBe(true);
});

test("each failed try is told in one line without the key, and the answer behind them is taken", async () => {
  const failures: string[] = [];
  const chats = await poolOver(
    plain(429, "application/json", JSON.stringify({ error: { message: `slow\ndown, ${key}` } })),
    plain(500, "text/plain", "Internal Server Error"),
    plain(502, "text/html", "<html><head><title>x</title></head><body><h1>Bad Gateway</h1></body></html>"),
    plain(200, "text/html", "<!doctype html><html><body>Please <b>log in</b></body></html>"),
    (response) => {
      response
        .writeHead(200, { "content-type": "text/event-stream" })
        .end('data: {"choices":[{"delta":{"content":"a"}}]}\n\n');
    },
    callWithoutUsage,
  );
  expect((await chats.chat(ask(failures), signal)).toolCalls).toHaveLength(1);
  expect(failures).toEqual([
    "HTTP 429: slow down, [redacted]",
    expect.stringMatching(/^HTTP 500: .*Internal Server Error$/),
    expect.stringMatching(/^HTTP 502: .*Bad Gateway$/),
    "a web page came instead of an answer (Please log in); is the base URL right? Most end in /v1",
    "the stream ended without a result (finish_reason missing)",
  ]);
});
