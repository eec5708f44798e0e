import { describe, expect, test } from "vitest";
import type { ChatRequest } from "../chat.ts";
import { profileOf } from "../profile/model-profile.ts";
import { createServerLimits } from "../profile/server-limits.ts";
import { createOpenAiChat } from "./openai-chat.ts";
import { systemModelClock } from "./watchdog.ts";
import { normalizeAnswers } from "./whole-answer.ts";

type Fetch = (url: string | URL | Request, init?: RequestInit) => Promise<Response>;

const request: ChatRequest = {
  messages: [
    { role: "system", content: "s" },
    { role: "user", content: "u" },
  ],
  tools: [{ name: "read", description: "reads", parameters: { type: "object", properties: {}, required: [] } }],
  toolChoice: "required",
  outputTokensMax: 100,
  affinityKey: "job/täsk",
  traceparent: "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
};

const event = (value: unknown) => `data: ${JSON.stringify(value)}\n\n`;
const delta = (value: unknown, finish: string | null = null) => ({
  choices: [{ index: 0, delta: value, finish_reason: finish }],
});
const stream =
  event(delta({ role: "assistant", content: "" })) +
  event(delta({ content: "Grüße 🙂" })) +
  event(delta({ tool_calls: [{ index: 0, id: "a", type: "function", function: { name: "read", arguments: "" } }] })) +
  event(delta({ tool_calls: [{ index: 0, function: { arguments: '{"file_path":"ä' } }] })) +
  ": keep-alive\n\n" +
  event(delta({ tool_calls: [{ index: 0, function: { arguments: '.ts"}' } }] })) +
  event(delta({}, "tool_calls")) +
  event({ choices: [], usage: { prompt_tokens: 9, completion_tokens: 4 } }) +
  "data: [DONE]\n\n";

function sentBody(init: RequestInit | undefined): Record<string, unknown> {
  if (typeof init?.body !== "string") throw new TypeError("the body is no text");
  return JSON.parse(init.body) as Record<string, unknown>;
}

function bodyOf(parts: readonly Uint8Array[], breaksAtEnd = false): ReadableStream<Uint8Array> {
  const queue = [...parts];
  return new ReadableStream({
    pull(controller) {
      const next = queue.shift();
      if (next !== undefined) controller.enqueue(next);
      else if (breaksAtEnd) controller.error(Object.assign(new Error("socket hang up"), { code: "ECONNRESET" }));
      else controller.close();
    },
  });
}

const bytes = (text: string) => new TextEncoder().encode(text);
const sse = (body: ReadableStream<Uint8Array> | string, init: ResponseInit = {}) =>
  new Response(body, { status: 200, headers: { "content-type": "text/event-stream" }, ...init });

function chatOver(fetch: Fetch, timeouts = { firstTokenTimeoutMs: 60_000, gapTimeoutMs: 60_000 }, apiKey?: string) {
  return createOpenAiChat({
    baseUrl: "http://engine.test/v1",
    ...(apiKey === undefined ? {} : { apiKey }),
    model: "m",
    profile: profileOf("m"),
    limits: createServerLimits({ now: () => 0, onRefused: () => {} }),
    fetch: normalizeAnswers(fetch),
    ...timeouts,
    clock: systemModelClock,
    newId: () => "new",
  });
}

const run = (fetch: Fetch, signal = new AbortController().signal) =>
  chatOver(fetch).run(request, "required", () => {}, signal);

describe("one request", () => {
  test("gives the same reply wherever the network cuts the stream", async () => {
    const all = bytes(stream);
    const whole = await run(async () => sse(bodyOf([all])));
    expect(whole).toMatchObject({
      ok: true,
      reply: { content: "Grüße 🙂", toolCalls: [{ id: "a", name: "read", arguments: '{"file_path":"ä.ts"}' }] },
    });
    for (let cut = 1; cut < all.length; cut += 1) {
      const split = await run(async () => sse(bodyOf([all.slice(0, cut), all.slice(cut)])));
      expect(split, `cut at byte ${cut}`).toEqual(whole);
    }
  });

  test("is a broken stream wherever the connection is lost before the finish reason", async () => {
    const all = bytes(stream);
    const finish = bytes(stream.slice(0, stream.indexOf('"finish_reason":"tool_calls"'))).length;
    for (let cut = 0; cut < finish; cut += 7) {
      for (const breaks of [true, false]) {
        const result = await run(async () => sse(bodyOf([all.slice(0, cut)], breaks)));
        expect(result, `cut at byte ${cut}`).toMatchObject({ ok: false, failure: { kind: "brokenStream" } });
      }
    }
  });

  test("discards the whole turn when an error object comes in the stream", async () => {
    const half = stream.slice(0, stream.indexOf(": keep-alive"));
    const withError = `${half}${event({ error: { message: "HarmonyError", type: "InternalServerError", code: 500 } })}data: [DONE]\n\n`;
    expect(await run(async () => sse(withError))).toMatchObject({
      ok: false,
      failure: { kind: "status", status: 500, message: "HarmonyError" },
    });
    const withoutCode = `${half}${event({ error: { message: "gone" } })}data: [DONE]\n\n`;
    expect(await run(async () => sse(withoutCode))).toMatchObject({ ok: false, failure: { kind: "brokenStream" } });
  });

  test("sends what the engine needs and nothing that it refuses", async () => {
    let seen: { url: string; headers: Headers; body: Record<string, unknown> } | undefined;
    const fetch: Fetch = async (url, init) => {
      seen = {
        url: url instanceof Request ? url.url : url.toString(),
        headers: new Headers(init?.headers),
        body: sentBody(init),
      };
      return sse(stream);
    };
    await run(fetch);
    expect(seen?.url).toBe("http://engine.test/v1/chat/completions");
    expect(seen?.headers.get("authorization")).toBeNull();
    expect(seen?.headers.get("x-session-id")).toBe("job%2Ft%C3%A4sk");
    expect(seen?.headers.get("x-session-affinity")).toBe("job%2Ft%C3%A4sk");
    expect(seen?.headers.get("traceparent")).toBe(request.traceparent);
    expect(seen?.body).toMatchObject({
      model: "m",
      max_tokens: 100,
      stream: true,
      stream_options: { include_usage: true },
      tool_choice: "required",
      tools: [{ type: "function", function: { name: "read", strict: true } }],
    });
    await chatOver(fetch, undefined, "sk-1").run(
      { ...request, tools: [] },
      "required",
      () => {},
      new AbortController().signal,
    );
    expect(seen?.headers.get("authorization")).toBe("Bearer sk-1");
    expect(seen?.body).not.toHaveProperty("tools");
    expect(seen?.body).not.toHaveProperty("tool_choice");
  });

  test("never sends arguments back that a chat template cannot parse", async () => {
    let messages: unknown;
    const fetch: Fetch = async (_url, init) => {
      messages = sentBody(init)["messages"];
      return sse(stream);
    };
    const history = [
      ...request.messages,
      { role: "assistant", content: "", reasoning: "hm", toolCalls: [{ id: "a", name: "read", arguments: '{"file' }] },
      { role: "tool", toolCallId: "a", content: "bad arguments" },
    ] as const;
    await chatOver(fetch).run({ ...request, messages: history }, "required", () => {}, new AbortController().signal);
    expect(messages).toMatchObject([
      {},
      {},
      {
        content: null,
        reasoning: "hm",
        reasoning_content: "hm",
        tool_calls: [
          { id: "a", type: "function", function: { name: "read", arguments: '{"invalid_arguments":"{\\"file"}' } },
        ],
      },
      { role: "tool", tool_call_id: "a", content: "bad arguments" },
    ]);
  });

  test("reads one whole document from a server that does not stream", async () => {
    const document = {
      choices: [{ index: 0, message: { role: "assistant", content: "hi\nthere" }, finish_reason: "stop" }],
      usage: { prompt_tokens: 1, completion_tokens: 2 },
    };
    const result = await run(
      async () => new Response(JSON.stringify(document, null, 2), { headers: { "content-type": "application/json" } }),
    );
    expect(result).toMatchObject({ ok: true, reply: { content: "hi\nthere", usage: { outputTokens: 2 } } });
  });

  test("tells the status, the text and the patience of a refusal in both of vLLM's shapes", async () => {
    const refuse = (body: unknown, status: number) => async () =>
      new Response(JSON.stringify(body), {
        status,
        headers: { "content-type": "application/json", "retry-after": "2" },
      });
    expect(
      await run(refuse({ error: { message: "busy", type: "Service Unavailable", code: 503 } }, 503)),
    ).toMatchObject({
      failure: { kind: "status", status: 503, message: "busy", retryAfterMs: 2_000 },
    });
    const old = await run(refuse({ object: "error", message: "does not exist", code: 404 }, 404));
    expect(old).toMatchObject({
      failure: { kind: "status", status: 404, message: "does not exist" },
    });
  });

  test("keeps the words of a web page, not its tags", async () => {
    const page =
      "<!DOCTYPE HTML>\n<html><head><title>x</title></head>\n<body>\n<p>Unsupported method</p></body></html>\n";
    const result = await run(async () => new Response(page, { status: 501, headers: { "content-type": "text/html" } }));
    expect(result).toMatchObject({ failure: { status: 501, message: "501 Unsupported method" } });
  });

  test("says connect with the cause when the server is not there", async () => {
    const fetch: Fetch = async () => {
      throw Object.assign(new Error("connect ECONNREFUSED 127.0.0.1:1"), { code: "ECONNREFUSED" });
    };
    expect(await run(fetch)).toMatchObject({
      ok: false,
      failure: { kind: "connect", message: "connect ECONNREFUSED 127.0.0.1:1" },
    });
  });

  test("turns to the newer name of the cap where the older one is refused, and stays with it", async () => {
    const caps: string[] = [];
    const chat = chatOver(async (_url, init) => {
      const body = sentBody(init);
      caps.push("max_tokens" in body ? "max_tokens" : "max_completion_tokens");
      if (!("max_tokens" in body)) return sse(stream);
      const error = {
        message: "Unsupported parameter: 'max_tokens'. Use 'max_completion_tokens' instead.",
        param: "max_tokens",
      };
      return new Response(JSON.stringify({ error }), { status: 400 });
    });
    for (let index = 0; index < 2; index += 1) {
      expect(await chat.run(request, "required", () => {}, new AbortController().signal)).toMatchObject({ ok: true });
    }
    expect(caps).toEqual(["max_tokens", "max_completion_tokens", "max_completion_tokens"]);
  });
});

describe("a server that takes less", () => {
  const answerJson = (status: number, error: unknown) =>
    new Response(JSON.stringify({ error }), { status, headers: { "content-type": "application/json" } });

  test("gets a schema that it refuses in simpler words, then no tools at all, and is remembered", async () => {
    const bodies: Record<string, unknown>[] = [];
    const chat = chatOver(async (_url, init) => {
      const body = sentBody(init);
      bodies.push(body);
      if ("tools" in body) return answerJson(400, { message: "Invalid schema for function 'read': not supported" });
      return sse(stream);
    });
    expect(await chat.run(request, "auto", () => {}, new AbortController().signal)).toMatchObject({
      ok: true,
      rung: "envelope",
    });
    const strictness = bodies.map((body) => JSON.stringify(body["tools"])?.includes('"strict":true'));
    expect(strictness).toEqual([true, false, false, undefined]);
    await chat.run(request, "auto", () => {}, new AbortController().signal);
    expect(bodies).toHaveLength(5);
  });

  test("still gives its refusal when no field is to blame", async () => {
    const result = await run(async () => answerJson(400, { message: "temperature is wrong", param: "temperature" }));
    expect(result).toMatchObject({ ok: false, failure: { kind: "status", status: 400 } });
  });

  test("that could not read a call gives its text, and our extraction reads it", async () => {
    const refuse = (text: string) => async () =>
      answerJson(400, { message: "Failed to call a function.", code: "tool_use_failed", failed_generation: text });
    expect(await run(refuse('<function=read>{"file_path": "a"}</function>'))).toMatchObject({
      ok: true,
      reply: { toolCalls: [{ name: "read", arguments: '{"file_path":"a"}' }], recoveredCalls: 1 },
    });
    expect(await run(refuse("<function=read>{"))).toMatchObject({ ok: false, failure: { status: 400 } });
  });

  test("that keeps the connection open behind the end has answered", async () => {
    const open = new ReadableStream<Uint8Array>({
      start(controller) {
        controller.enqueue(bytes(stream));
      },
    });
    const abortable: Fetch = async (_url, init) => {
      const { readable, writable } = new TransformStream<Uint8Array, Uint8Array>();
      open.pipeTo(writable, init?.signal ? { signal: init.signal } : {}).catch(() => {});
      return sse(readable);
    };
    expect(await run(abortable)).toMatchObject({ ok: true, reply: { finishReason: "tool_calls" } });
  });
});

describe("a guard", () => {
  test("sees each piece once, and cuts the stream with its reason", async () => {
    const seen: string[] = [];
    const guarded: ChatRequest = {
      ...request,
      onDelta: ({ kind, text }) => {
        seen.push(`${kind}:${text}`);
        return text.endsWith("ä") ? "chanting" : undefined;
      },
    };
    const result = await chatOver(async () => sse(stream)).run(
      guarded,
      "required",
      () => {},
      new AbortController().signal,
    );
    expect(seen).toEqual(["content:Grüße 🙂", "arguments:aread", 'arguments:{"file_path":"ä']);
    expect(result).toMatchObject({
      ok: true,
      reply: { content: "Grüße 🙂", toolCalls: [], isTruncated: true, cutReason: "chanting" },
    });
  });
});

describe("the watchdogs", () => {
  /** A body that sends `parts` and then stays silent until the request is aborted. */
  const silentAfter =
    (parts: string): Fetch =>
    async (_url, init) =>
      sse(
        new ReadableStream({
          start(controller) {
            controller.enqueue(bytes(parts));
            init?.signal?.addEventListener("abort", () => {
              controller.error(init.signal?.reason);
            });
          },
        }),
      );
  const role = event(delta({ role: "assistant", content: "" }));

  test("take a role alone for no token", async () => {
    const chat = chatOver(silentAfter(role), { firstTokenTimeoutMs: 40, gapTimeoutMs: 60_000 });
    expect(await chat.run(request, "required", () => {}, new AbortController().signal)).toMatchObject({
      ok: false,
      failure: { kind: "firstTokenTimeout" },
    });
  });

  test("watch the gaps after the first token, and say when it came", async () => {
    let outputs = 0;
    const chat = chatOver(silentAfter(role + event(delta({ content: "a" }))), {
      firstTokenTimeoutMs: 60_000,
      gapTimeoutMs: 40,
    });
    const result = await chat.run(request, "required", () => (outputs += 1), new AbortController().signal);
    expect(result).toMatchObject({ ok: false, failure: { kind: "gapTimeout" } });
    expect(outputs).toBe(1);
  });

  test("let the caller's abort through with its reason", async () => {
    const controller = new AbortController();
    const result = chatOver(silentAfter(role)).run(request, "required", () => {}, controller.signal);
    controller.abort(new Error("cancelled by the user"));
    await expect(result).rejects.toThrow("cancelled by the user");
  });
});
