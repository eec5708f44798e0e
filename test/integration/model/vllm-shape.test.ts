import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { createLogger } from "../../../services/platform/telemetry/log.ts";
import { parseSimConfig } from "../../../services/vllm-sim/config.ts";
import { type SimServer, startSimServer } from "../../../services/vllm-sim/http/server.ts";

let server: SimServer;

beforeAll(async () => {
  server = await startSimServer(
    parseSimConfig({ decodeMsPerToken: 0 }),
    createLogger({ service: "test", level: "silent" }),
  );
});

afterAll(async () => {
  await server.close();
});

const messages = [{ role: "user", content: "hello" }];
const tool = { type: "function", function: { name: "read", parameters: { type: "object", properties: {} } } };

async function post(body: unknown, path = "/v1/chat/completions"): Promise<Response> {
  const text = typeof body === "string" ? body : JSON.stringify(body);
  return await fetch(`${server.url}${path}`, {
    method: "POST",
    body: text,
    headers: { "content-type": "application/json" },
  });
}

describe("the simulator refuses as vLLM does", () => {
  test.each<[string, unknown, number, string | null]>([
    ["an empty tool list", { messages, tools: [] }, 400, "tools"],
    ["a tool choice without tools", { messages, tool_choice: "auto" }, 400, "tool_choice"],
    [
      "a named tool that is not offered",
      { messages, tools: [tool], tool_choice: { type: "function", function: { name: "x" } } },
      400,
      "tool_choice",
    ],
    ["an unknown model", { messages, model: "gpt-99" }, 404, "model"],
    ["stream options without a stream", { messages, stream_options: { include_usage: true } }, 400, "stream_options"],
    ["no messages", { messages: [] }, 400, "messages"],
    ["a cap of nothing", { messages, max_tokens: 0 }, 400, "max_tokens"],
    ["more tokens than the context has", { messages, max_tokens: 10_000_000 }, 400, "max_tokens"],
    ["a prompt and an answer that are too long together", { messages, max_tokens: 131_070 }, 400, "input_tokens"],
    [
      "old arguments that are no JSON",
      {
        messages: [
          ...messages,
          { role: "assistant", tool_calls: [{ id: "a", function: { name: "read", arguments: "{" } }] },
        ],
      },
      400,
      "messages",
    ],
    ["a body that is no JSON", "{", 400, null],
  ])("%s", async (_title, body, status, param) => {
    const response = await post(body);
    expect(response.status).toBe(status);
    const { error } = (await response.json()) as { error: Record<string, unknown> };
    expect(error).toMatchObject({ message: expect.any(String), type: expect.any(String), code: status, param });
  });
});

describe("the simulator answers as vLLM does", () => {
  test("in one document", async () => {
    const response = await post({ messages, model: "vllm-sim", tools: [tool] });
    expect(response.headers.get("server")).toContain("simulated");
    expect(await response.json()).toMatchObject({
      object: "chat.completion",
      model: "vllm-sim",
      system_fingerprint: "simulated",
      choices: [{ message: { role: "assistant" }, finish_reason: "stop" }],
      usage: { prompt_tokens: expect.any(Number), prompt_tokens_details: { cached_tokens: 0 } },
    });
  });

  test("in a stream: role first, call head before its arguments, usage without choices, DONE", async () => {
    const finish = { type: "function", function: { name: "finish", parameters: { required: ["status", "summary"] } } };
    const response = await post({ messages, tools: [finish], stream: true, stream_options: { include_usage: true } });
    expect(response.headers.get("content-type")).toContain("text/event-stream");
    const events = (await response.text()).trim().split("\n\n");
    expect(events.pop()).toBe("data: [DONE]");
    const chunks = events.map((event) => JSON.parse(event.slice("data: ".length)) as Record<string, never>);
    expect(chunks[0]).toMatchObject({ choices: [{ delta: { role: "assistant", content: "" } }] });
    expect(chunks[1]).toMatchObject({
      choices: [{ delta: { tool_calls: [{ index: 0, id: expect.any(String), function: { name: "finish" } }] } }],
    });
    expect(chunks.at(-1)).toMatchObject({ choices: [], usage: { completion_tokens: expect.any(Number) } });
    expect(chunks.at(-2)).toMatchObject({ choices: [{ delta: {}, finish_reason: "tool_calls" }] });
    expect(JSON.stringify(chunks)).toContain("blocked");
  });

  test("on its other paths", async () => {
    const models = (await (await fetch(`${server.url}/v1/models`)).json()) as { data: unknown[] };
    expect(models.data).toMatchObject([{ id: "vllm-sim", owned_by: "vllm-sim (simulated)", max_model_len: 131_072 }]);
    expect((await fetch(`${server.url}/health`)).status).toBe(200);
    expect(await (await fetch(`${server.url}/version`)).json()).toMatchObject({
      version: expect.stringContaining("simulated"),
    });
    expect(await (await post({ model: "vllm-sim", messages }, "/tokenize")).json()).toMatchObject({
      count: expect.any(Number),
      max_model_len: 131_072,
    });
    expect((await fetch(`${server.url}/nowhere`)).status).toBe(404);
  });

  test("in its metrics, each sample under a TYPE of its own", async () => {
    const page = await (await fetch(`${server.url}/metrics`)).text();
    for (const name of [
      "vllm:num_requests_running",
      "vllm:num_requests_waiting",
      "vllm:kv_cache_usage_perc",
      "vllm:prompt_tokens_total",
      "vllm:generation_tokens_total",
      "vllm:prefix_cache_queries_total",
      "vllm:prefix_cache_hits_total",
      "vllm:request_success_total",
    ]) {
      expect(page).toMatch(new RegExp(`^${name}\\{engine="0",model_name="vllm-sim".*\\} [\\d.]+$`, "m"));
      expect(page).toContain(`# TYPE ${name} `);
    }
    expect(page).toContain('vllm:time_to_first_token_seconds_bucket{engine="0",model_name="vllm-sim",le="+Inf"}');
  });
});
