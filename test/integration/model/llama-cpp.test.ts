import { once } from "node:events";
import { createServer, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { afterEach, expect, test } from "vitest";
import type { ChatMessage, ChatRequest } from "../../../services/model/chat.ts";
import { type ChatModelPool, createChatModel } from "../../../services/model/chat-model.ts";
import { createLogger } from "../../../services/platform/telemetry/log.ts";

// What llama.cpp's server (b11549, SmolLM2's own chat template) sent, replayed. That template knows no tools.
const signal = new AbortController().signal;
let server: Server | undefined;
let pool: ChatModelPool | undefined;
let asked: Record<string, unknown>[] = [];

afterEach(async () => {
  await pool?.close();
  server?.closeAllConnections();
  server?.close();
  asked = [];
});

const chunk = (delta: unknown, finish: string | null = null): unknown => ({
  choices: [{ finish_reason: finish, index: 0, delta }],
  created: 1795302275,
  id: "chatcmpl-F175idaWS4sJTDphAQ2tIQk7RpQ20RrE",
  model: "smollm2",
  system_fingerprint: "b0-unknown",
  object: "chat.completion.chunk",
});

function streamed(response: ServerResponse, words: readonly string[], finish = "stop"): void {
  const chunks = [
    chunk({ role: "assistant", content: null }),
    ...words.map((content) => chunk({ content })),
    chunk({}, finish),
    {
      ...(chunk({}) as object),
      choices: [],
      usage: {
        completion_tokens: words.length,
        prompt_tokens: 24,
        total_tokens: 24 + words.length,
        prompt_tokens_details: { cached_tokens: 23 },
      },
      timings: { cache_n: 23, prompt_n: 1, prompt_ms: 357, predicted_n: words.length, predicted_ms: 72.6 },
    },
  ];
  response.writeHead(200, { "content-type": "text/event-stream" });
  response.end(`${chunks.map((each) => `data: ${JSON.stringify(each)}\n\n`).join("")}data: [DONE]\n\n`);
}

let proseEnd = "stop";

/** Tools, their choice, `strict` and vLLM's own fields are dropped without a word; a `response_format` is kept to. */
function answer(body: Record<string, unknown>, response: ServerResponse): void {
  if (body["response_format"] === undefined) {
    return streamed(response, ["In", " this", " example", ","], proseEnd);
  }
  return streamed(response, ["{", '"name": "finish",\n', ' "arguments": {"summary": "all', ' done"}', "\n}"]);
}

async function poolFor(model: string, refusal?: { readonly status: number; readonly text: string }): Promise<void> {
  server = createServer((request, response) => {
    let text = "";
    request.setEncoding("utf8").on("data", (part: string) => (text += part));
    request.on("end", () => {
      if (request.url === "/v1/models") return response.end(models);
      // Its tokenizer takes a text, not a chat, and says so with an empty list.
      if (request.url === "/tokenize") return response.end('{"tokens":[]}');
      if (refusal !== undefined) {
        return response.writeHead(refusal.status, { "content-type": "application/json" }).end(refusal.text);
      }
      asked.push(JSON.parse(text) as Record<string, unknown>);
      return answer(asked.at(-1) ?? {}, response);
    });
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  pool = createChatModel({
    endpoints: [{ baseUrl: `http://127.0.0.1:${(server.address() as AddressInfo).port}/v1` }],
    model,
    backoff: { firstMs: 5, maxMs: 10 },
    log: createLogger({ service: "test", level: "silent" }),
  });
}

const models = JSON.stringify({
  object: "list",
  models: [{ name: "smollm2", model: "smollm2", type: "model", capabilities: ["completion"] }],
  data: [
    { id: "smollm2", object: "model", owned_by: "llamacpp", meta: { n_vocab: 49152, n_ctx: 4096, n_ctx_train: 8192 } },
  ],
});
const messages: readonly ChatMessage[] = [
  { role: "system", content: "You work with tools." },
  { role: "user", content: "Finish." },
];
const request = (toolChoice: "auto" | "required"): ChatRequest => ({
  messages,
  tools: [
    {
      name: "finish",
      description: "Ends",
      parameters: {
        type: "object",
        properties: { summary: { type: "string" } },
        required: ["summary"],
        additionalProperties: false,
      },
    },
  ],
  toolChoice,
  outputTokensMax: 500,
  affinityKey: "a",
});

test.each(["stop", "length"])(
  "a conversation whose tools the server drops gets a forced call before an agent's patience with prose ends (%s)",
  async (end) => {
    proseEnd = end;
    await poolFor("m");
    const rungs: string[] = [];
    // An agent asks so: the third answer must be a call, the fourth is the last one.
    for (const choice of ["auto", "auto", "required"] as const) {
      const reply = await pool?.chat(request(choice), signal);
      expect(reply).toMatchObject({ content: "In this example,", toolCalls: [] });
      rungs.push(reply?.effort?.rung ?? "");
    }
    const last = await pool?.chat(request("required"), signal);
    expect(last).toMatchObject({
      toolCalls: [{ name: "finish", arguments: '{"summary":"all done"}' }],
      effort: { rung: "envelope", recoveredCalls: 1 },
      usage: { inputTokens: 24, cachedTokens: 23, outputTokens: 5 },
    });
    expect(rungs).toEqual(["auto", "auto", "required"]);
    expect(asked.at(-1)).toMatchObject({ messages: [{ content: expect.stringContaining('"finish"') as string }, {}] });
  },
);

test("its window is the one that it was started with, and a prompt beyond that is a typed overflow", async () => {
  const text =
    '{"error":{"code":400,"message":"request (12030 tokens) exceeds the available context size (4096 tokens), try increasing it","type":"exceed_context_size_error","n_prompt_tokens":12030,"n_ctx":4096}}';
  await poolFor("smollm2", { status: 400, text });
  expect(await pool?.contextTokensMax(signal)).toBe(4_096);
  await expect(pool?.chat(request("auto"), signal)).rejects.toMatchObject({
    reason: "CONTEXT_OVERFLOW",
    metadata: { contextTokensMax: "4096", inputTokens: "12030" },
  });
});
