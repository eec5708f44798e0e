import { once } from "node:events";
import { createServer, type Server, type Socket } from "node:net";
import { afterEach, describe, expect, test } from "vitest";
import type { ChatMessage, ChatReply, ChatRequest, ToolSchema } from "../../../services/model/chat.ts";
import { type ChatModelDeps, type ChatModelPool, createChatModel } from "../../../services/model/chat-model.ts";
import { createLogger } from "../../../services/platform/telemetry/log.ts";
import { parseSimConfig } from "../../../services/vllm-sim/config.ts";
import { type SimServer, startSimServer } from "../../../services/vllm-sim/http/server.ts";
import { until } from "../../support/until.ts";

const log = createLogger({ service: "test", level: "silent" });
const never = new AbortController().signal;
const open: (SimServer | ChatModelPool)[] = [];

afterEach(async () => {
  for (const item of open.splice(0).reverse()) await item.close();
});

async function simulator(settings: Record<string, unknown> = {}): Promise<SimServer> {
  const server = await startSimServer(parseSimConfig({ decodeMsPerToken: 0.2, ...settings }), log);
  open.push(server);
  return server;
}

function model(urls: readonly string[], options: Partial<ChatModelDeps> = {}): ChatModelPool {
  const pool = createChatModel({
    endpoints: urls.map((url) => ({ baseUrl: `${url}/v1` })),
    model: "vllm-sim",
    backoff: { firstMs: 10, maxMs: 50 },
    log,
    ...options,
  });
  open.push(pool);
  return pool;
}

const schema = (name: string, properties: readonly string[]): ToolSchema => ({
  name,
  description: name,
  parameters: {
    type: "object",
    properties: Object.fromEntries(properties.map((property) => [property, { type: ["string", "null"] }])),
    required: properties,
    additionalProperties: false,
  },
});
const tools = [
  schema("read", ["file_path", "offset", "limit"]),
  schema("edit", ["file_path", "old_string", "new_string", "replace_all"]),
  schema("write", ["file_path", "content"]),
  schema("bash", ["command", "timeout"]),
  schema("finish", ["status", "summary"]),
];

function ask(task: string, rest: Partial<ChatRequest> = {}): ChatRequest {
  const messages: ChatMessage[] = [
    { role: "system", content: "You are a sub-agent. ".repeat(50) },
    { role: "user", content: `# Job\nA job.\n\n# Task\n${task}` },
  ];
  return { messages, tools, toolChoice: "auto", outputTokensMax: 2_000, affinityKey: task, ...rest };
}

const rename = 'Replace "a" with "b" in src/x.ts';
const readCall = { name: "read", arguments: '{"file_path":"src/x.ts","offset":null,"limit":null}' };

async function readMetric(server: SimServer, name: string): Promise<number> {
  const page = await (await fetch(`${server.url}/metrics`)).text();
  const line = page.split("\n").find((candidate) => candidate.startsWith(`${name}{`));
  return Number(line?.split(" ").at(-1));
}

describe("an ordinary chat", () => {
  test("streams a call, its usage and the endpoint", async () => {
    const server = await simulator();
    const reply = await model([server.url]).chat(ask(rename), never);
    expect(reply.toolCalls).toMatchObject([readCall]);
    expect(reply.endpoint).toBe(new URL(server.url).host);
    expect(reply.usage.inputTokens).toBeGreaterThan(200);
    expect(reply.usage.outputTokens).toBeGreaterThan(5);
    expect(reply.isTruncated).toBe(false);
  });

  test("finds the shared head of the prompt in the cache from the second agent on", async () => {
    const server = await simulator();
    const pool = model([server.url]);
    await pool.chat(ask(rename), never);
    const second = await pool.chat(ask('Replace "c" with "d" in src/y.ts'), never);
    expect(second.usage.cachedTokens / second.usage.inputTokens).toBeGreaterThan(0.9);
    expect(await readMetric(server, "vllm:prefix_cache_hits_total")).toBe(second.usage.cachedTokens);
  });

  test("never gives a call that the output cap cut", async () => {
    const server = await simulator();
    const reply = await model([server.url]).chat(ask(rename, { outputTokensMax: 12 }), never);
    expect(reply).toMatchObject({ toolCalls: [], isTruncated: true });
  });

  test("asks for a shorter answer when only that fits into the context", async () => {
    // The server refuses first the cap alone, then prompt and cap together.
    const server = await simulator({ contextTokensMax: 1_200 });
    const reply = await model([server.url]).chat(ask(rename), never);
    expect(reply.toolCalls).toMatchObject([readCall]);
    const wider = await simulator({ contextTokensMax: 2_100 });
    expect((await model([wider.url]).chat(ask(rename), never)).toolCalls).toMatchObject([readCall]);
  });
});

describe("what the server refuses for good", () => {
  test("is an unknown model, by name", async () => {
    const server = await simulator();
    const pool = model([server.url], { model: "other" });
    await expect(pool.chat(ask(rename), never)).rejects.toMatchObject({
      reason: "MODEL_REFUSED",
      message: expect.stringContaining("The model `other` does not exist"),
      metadata: { kind: "not_found", status: "404" },
    });
  });

  test("is a conversation that is too long", async () => {
    const server = await simulator({ contextTokensMax: 300 });
    await expect(model([server.url]).chat(ask(rename), never)).rejects.toMatchObject({
      reason: "CONTEXT_OVERFLOW",
      metadata: { kind: "context_overflow", contextTokensMax: "300" },
    });
  });
});

describe("an abort", () => {
  test("closes the socket and frees the slot", async () => {
    const server = await simulator({ slots: 1 });
    const pool = model([server.url]);
    const controller = new AbortController();
    const stalled = pool.chat(ask(`${rename}\n[sim: stall]`), controller.signal);
    await until("the request runs", async () => (await readMetric(server, "vllm:num_requests_running")) === 1);
    const behind = pool.chat(ask(rename), never);
    await until("the next one waits", async () => (await readMetric(server, "vllm:num_requests_waiting")) === 1);
    controller.abort(new Error("cancelled"));
    await expect(stalled).rejects.toThrow("cancelled");
    expect((await behind).toolCalls).toMatchObject([readCall]);
    await until("the slot is free", () => server.stats().running === 0);
    expect(pool.snapshot()).toMatchObject({ inFlight: 0, waiting: 0 });
  });

  test("ends a chat that waits for a permit", async () => {
    const server = await simulator();
    const pool = model([server.url], { requestsMax: 1 });
    const first = new AbortController();
    const stalled = pool.chat(ask(`${rename}\n[sim: stall]`), first.signal);
    const second = new AbortController();
    const waits: boolean[] = [];
    const queued = pool.chat(ask(rename, { onWaiting: (isWaiting) => waits.push(isWaiting) }), second.signal);
    await until("the second chat waits", () => pool.snapshot().waiting === 1);
    second.abort(new Error("enough"));
    await expect(queued).rejects.toThrow("enough");
    expect(waits).toEqual([true, false]);
    first.abort(new Error("over"));
    await expect(stalled).rejects.toThrow("over");
  });

  test("of the whole client ends every chat", async () => {
    const server = await simulator();
    const pool = model([server.url]);
    const stalled = pool.chat(ask(`${rename}\n[sim: stall]`), never).catch((error: unknown) => error);
    await until("the request runs", () => server.stats().running === 1);
    await pool.close();
    expect(await stalled).toMatchObject({ message: expect.stringContaining("closed") });
    await until("the slot is free", () => server.stats().running === 0);
  });
});

describe("answers that fail", () => {
  test.each([
    // What was never begun is one wait; what broke off uses up time until it is asked for again.
    ["is never begun", "stall-once", "stall", [true, false]],
    ["breaks off", "break-once", "break", [true, false, true, false]],
  ])("are asked for again when the first %s", async (_title, marker, fault, expected) => {
    const server = await simulator();
    const pool = model([server.url], { firstTokenTimeoutMs: 1_000 });
    const waits: boolean[] = [];
    const task = `${rename}\n[sim: ${marker}]`;
    const reply = await pool.chat(ask(task, { onWaiting: (isWaiting) => waits.push(isWaiting) }), never);
    expect(reply.toolCalls).toMatchObject([readCall]);
    expect(server.stats()).toMatchObject({ requests: 2, faults: { [fault]: 1 } });
    expect(waits).toEqual(expected);
  });

  test("are asked for again in every form of a malformed first answer, or given for the caller to refuse", async () => {
    const server = await simulator();
    const pool = model([server.url]);
    const replies: ChatReply[] = [];
    for (let index = 0; index < 40; index += 1) {
      replies.push(await pool.chat(ask(`Replace "${index}" with "b" in src/x.ts\n[sim: malformed-once]`), never));
    }
    const names = replies.map((reply) => reply.toolCalls[0]?.name);
    expect(names).toContain("str_replace_editor");
    expect(names).toContain("read");
    for (const reply of replies) expect(reply.toolCalls).toHaveLength(1);
    // Most forms need no second answer, and no form is run as something that was not meant.
    const whole = replies.filter((reply) => reply.toolCalls[0]?.arguments === readCall.arguments);
    expect(whole.length).toBeGreaterThan(20);
    const mended = new Set(replies.flatMap((reply) => reply.effort?.repairs ?? []));
    expect([...mended].sort()).toEqual(["doubled", "name", "unwrapped"]);
    expect(replies.filter((reply) => (reply.effort?.recoveredCalls ?? 0) > 0).length).toBeGreaterThan(5);
    expect(replies.filter((reply) => (reply.effort?.discardedReplies ?? 0) > 0).length).toBeGreaterThan(0);
  });

  test("are given up when the caller gives up", async () => {
    const server = await simulator();
    const controller = new AbortController();
    const chat = model([server.url]).chat(ask(`${rename}\n[sim: break]`), controller.signal);
    await until("it is tried again and again", () => server.stats().requests > 2);
    controller.abort(new Error("over"));
    await expect(chat).rejects.toThrow("over");
  });

  test("of an overloaded server make the chat wait until there is room", async () => {
    const server = await simulator({ slots: 1, queuedMax: 1 });
    const pool = model([server.url]);
    const controller = new AbortController();
    const stalled = pool.chat(ask(`${rename}\n[sim: stall]`), controller.signal);
    await until("the slot is taken", () => server.stats().running === 1);
    const waits: boolean[] = [];
    const second = pool.chat(ask(rename, { onWaiting: (isWaiting) => waits.push(isWaiting) }), never);
    await until("the second chat waits", () => pool.snapshot().waiting === 1);
    expect(pool.snapshot().engineMessage).toBeUndefined();
    controller.abort(new Error("over"));
    await expect(stalled).rejects.toThrow("over");
    expect((await second).toolCalls).toMatchObject([readCall]);
    expect(waits).toEqual([true, false]);
  });
});

describe("many at once", () => {
  test("queue on the engine's slots, are all answered, and leave nothing behind", async () => {
    const server = await simulator({ slots: 16 });
    const pool = model([server.url]);
    const first = new AbortController();
    const stalled = Array.from({ length: 16 }, (_, index) =>
      pool.chat(ask(`${rename}${index}\n[sim: stall]`), first.signal).catch(() => undefined),
    );
    await until("the engine is full", () => server.stats().running === 16);
    const tasks = Array.from({ length: 120 }, (_, index) => `Replace "a" with "b" in src/${index}.ts`);
    const asked = tasks.map(async (task) => await pool.chat(ask(task), never));
    await until("all queue", () => server.stats().waiting === 120);
    first.abort(new Error("over"));
    await Promise.all(stalled);
    const replies = await Promise.all(asked);
    for (const [index, reply] of replies.entries()) {
      expect(reply.toolCalls[0]?.arguments).toContain(`src/${index}.ts`);
    }
    const stats = server.stats();
    expect(stats).toMatchObject({ requests: 136, runningPeak: 16, running: 0, waiting: 0, waitingPeak: 120 });
    expect(await readMetric(server, "vllm:kv_cache_usage_perc")).toBe(0);
  });

  test("wait for the engine from the request to the first output, and not while the answer comes in", async () => {
    const server = await simulator({ slots: 1, decodeMsPerToken: 20 });
    const pool = model([server.url]);
    const first = new AbortController();
    const stalled = pool.chat(ask(`${rename}\n[sim: stall]`), first.signal);
    await until("the engine is full", () => server.stats().running === 1);
    const waits: { isWaiting: boolean; running: number }[] = [];
    const onWaiting = (isWaiting: boolean) => waits.push({ isWaiting, running: server.stats().running });
    const queued = pool.chat(ask(rename, { onWaiting }), never);
    await until("the request queues in the engine", () => server.stats().waiting === 1);
    expect(waits).toEqual([{ isWaiting: true, running: 1 }]);
    // The engine has it: that is no reason to call the engine overloaded.
    expect(pool.snapshot().waiting).toBe(0);
    first.abort(new Error("over"));
    await expect(stalled).rejects.toThrow("over");
    await queued;
    // It stopped to wait when the answer began, not when it was whole.
    expect(waits).toEqual([
      { isWaiting: true, running: 1 },
      { isWaiting: false, running: 1 },
    ]);
  });

  test("never exceed the client's own cap", async () => {
    const server = await simulator();
    const pool = model([server.url], { requestsMax: 7 });
    const tasks = Array.from({ length: 40 }, (_, index) => `Replace "a" with "b" in src/${index}.ts`);
    await Promise.all(tasks.map(async (task) => await pool.chat(ask(task), never)));
    expect(server.stats().runningPeak).toBeLessThanOrEqual(7);
    expect(server.stats().requests).toBe(40);
  });

  test("spread over the endpoints, each task always to its own", async () => {
    const servers = [await simulator(), await simulator(), await simulator()];
    const pool = model(servers.map((server) => server.url));
    const tasks = Array.from({ length: 60 }, (_, index) => `Replace "a" with "b" in src/${index}.ts`);
    const first = await Promise.all(tasks.map(async (task) => (await pool.chat(ask(task), never)).endpoint));
    const second = await Promise.all(tasks.map(async (task) => (await pool.chat(ask(task), never)).endpoint));
    expect(second).toEqual(first);
    for (const server of servers) expect(server.stats().requests).toBeGreaterThan(10);
  });
});

describe("an engine that is down", () => {
  async function freePort(): Promise<number> {
    const server = createServer();
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    const { port } = server.address() as { port: number };
    server.close();
    await once(server, "close");
    return port;
  }

  test("makes chats wait, say so, and go on when it is back", async () => {
    const port = await freePort();
    const pool = model([`http://127.0.0.1:${port}`]);
    const waits: boolean[] = [];
    const chat = pool.chat(ask(rename, { onWaiting: (isWaiting) => waits.push(isWaiting) }), never);
    await until("the chat waits", () => pool.snapshot().waiting === 1);
    expect(pool.snapshot()).toMatchObject({
      waiting: 1,
      engineMessage: expect.stringMatching(/^no model endpoint answers \(127\.0\.0\.1:\d+: connect ECONNREFUSED/),
    });
    await simulator({ port });
    expect((await chat).toolCalls).toMatchObject([readCall]);
    expect(waits).toEqual([true, false]);
    expect(pool.snapshot()).toMatchObject({ waiting: 0, inFlight: 0, endpoints: [{ isHealthy: true }] });
    expect(pool.snapshot().engineMessage).toBeUndefined();
  });

  test("wakes everyone at its first answer instead of at the end of their back-off", async () => {
    const port = await freePort();
    // Only the clock-driven first tries are quick; after them a chat would sleep for a minute.
    const pool = model([`http://127.0.0.1:${port}`], { backoff: { firstMs: 60_000, maxMs: 60_000 } });
    const sleepers = Array.from({ length: 5 }, (_, index) => pool.chat(ask(`${rename}${index}`), never));
    await until("all wait", () => pool.snapshot().waiting === 5);
    await simulator({ port });
    await pool.chat(ask(rename), never);
    await Promise.all(sleepers);
    expect(pool.snapshot().waiting).toBe(0);
  });

  test("is asked by everyone as soon as it is known to be there, and is not called down until its first answer", async () => {
    const port = await freePort();
    const url = `http://127.0.0.1:${port}`;
    const pool = model([url], { backoff: { firstMs: 60_000, maxMs: 60_000 } });
    const sleepers = Array.from({ length: 5 }, (_, index) => pool.chat(ask(`${rename}${index}`), never));
    await until("all wait", () => pool.snapshot().waiting === 5 && pool.snapshot().engineMessage !== undefined);
    await simulator({ port });
    pool.noteReachable(pool.snapshot().endpoints[0]?.url ?? "");
    expect(pool.snapshot().engineMessage).toBeUndefined();
    expect(await Promise.all(sleepers)).toHaveLength(5);
  });

  test("is passed over for one that is up", async () => {
    const port = await freePort();
    const server = await simulator();
    const pool = model([`http://127.0.0.1:${port}`, server.url]);
    const tasks = Array.from({ length: 20 }, (_, index) => `Replace "a" with "b" in src/${index}.ts`);
    const replies = await Promise.all(tasks.map(async (task) => await pool.chat(ask(task), never)));
    for (const reply of replies) expect(reply.endpoint).toBe(new URL(server.url).host);
  });

  test("may also die in the middle of a stream", async () => {
    const first = await simulator({ decodeMsPerToken: 50 });
    const port = Number(new URL(first.url).port);
    const pool = model([first.url]);
    const chat = pool.chat(ask(rename), never);
    await until("the stream has begun", () => first.stats().generationTokens > 0);
    await first.close();
    await simulator({ port });
    expect((await chat).toolCalls).toMatchObject([readCall]);
  });

  test("may take connections and answer nothing at all", async () => {
    const sockets = new Set<Socket>();
    const black: Server = createServer((socket) => {
      sockets.add(socket);
      socket.on("error", () => {});
    });
    black.listen(0, "127.0.0.1");
    await once(black, "listening");
    const { port } = black.address() as { port: number };
    const pool = model([`http://127.0.0.1:${port}`], { firstTokenTimeoutMs: 50 });
    const controller = new AbortController();
    const chat = pool.chat(ask(rename), controller.signal);
    await until("it is tried again and again", () => sockets.size >= 3);
    // Only while it waits between two tries.
    const saysWhy = () => pool.snapshot().engineMessage?.includes("no first token within") ?? false;
    await until("it says why", saysWhy);
    // It is there, and that says nothing about its answers.
    pool.noteReachable(pool.snapshot().endpoints[0]?.url ?? "");
    expect(pool.snapshot().endpoints).toMatchObject([{ isHealthy: false }]);
    controller.abort(new Error("over"));
    await expect(chat).rejects.toThrow("over");
    for (const socket of sockets) socket.destroy();
    black.close();
    await once(black, "close");
  });
});
