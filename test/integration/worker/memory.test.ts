import { createServer, type IncomingMessage, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { afterAll, beforeAll, expect, it } from "vitest";
import { createWorkerStand, type WorkerStand } from "./worker-harness.ts";

const script = [
  ["note", { text: "tests need\nTZ=UTC", remember: true }],
  ["note", { text: "only for me", remember: null }],
  ["write", { file_path: "new.txt", content: "new\n" }],
  ["finish", { status: "done", summary: "Made new.txt." }],
] as const;

let stand: WorkerStand;
let server: Server;
const prompts: string[] = [];

async function bodyOf(request: IncomingMessage): Promise<{ messages: readonly { role: string; content: string }[] }> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  return JSON.parse(Buffer.concat(chunks).toString("utf8")) as { messages: { role: string; content: string }[] };
}

/** A model that makes the script's calls, one an answer. */
function startModel(): Promise<Server> {
  const model = createServer((request, response) => {
    if (!request.url?.endsWith("/chat/completions")) {
      response.setHeader("content-type", "application/json");
      response.end(
        JSON.stringify({ object: "list", data: [{ id: "vllm-sim", object: "model", max_model_len: 32_768 }] }),
      );
      return;
    }
    void bodyOf(request).then(({ messages }) => {
      const turn = messages.filter(({ role }) => role === "assistant").length;
      if (turn === 0) prompts.push(messages[1]?.content ?? "");
      const [name, args] = script[turn] ?? script[3];
      const call = { index: 0, id: `c${turn}`, type: "function", function: { name, arguments: JSON.stringify(args) } };
      const chunk = (rest: object) =>
        `data: ${JSON.stringify({ id: "x", object: "chat.completion.chunk", ...rest })}\n\n`;
      const usage = { prompt_tokens: 10, completion_tokens: 5, total_tokens: 15 };
      response.setHeader("content-type", "text/event-stream");
      response.write(chunk({ choices: [{ index: 0, delta: { role: "assistant", tool_calls: [call] } }] }));
      response.write(chunk({ choices: [{ index: 0, delta: {}, finish_reason: "tool_calls" }] }));
      response.end(`${chunk({ choices: [], usage })}data: [DONE]\n\n`);
    });
  });
  return new Promise((resolve) => model.listen(0, "127.0.0.1", () => resolve(model)));
}

beforeAll(async () => {
  [server, stand] = await Promise.all([startModel(), createWorkerStand({ "a.txt": "a\n" })]);
  const { port } = server.address() as AddressInfo;
  await stand.startWorker("w1", ["--slots", "1", "--sandbox", "none"], `http://127.0.0.1:${port}/v1`);
});
afterAll(async () => {
  await stand[Symbol.asyncDispose]();
  server.closeAllConnections();
  server.close();
});

it("an attempt sees what earlier tasks left, and its own lasting notes go with its result", async () => {
  const checks = [{ name: "there", run: "test -f new.txt", timeoutMs: 10_000 }];
  await stand.coordinator.offer(await stand.assignment({ task: "learns", memory: ["use npm ci"], checks }));
  const result = await stand.coordinator.completeOf("learns");
  expect(result).toMatchObject({ outcome: "Done", memories: ["tests need TZ=UTC"] });
  expect(prompts[0]).toContain("- use npm ci");
  expect(prompts[0]?.indexOf("- use npm ci")).toBeLessThan(prompts[0]?.indexOf("# Task") ?? -1);
});

it("a refused attempt sends none", async () => {
  const checks = [{ name: "never", run: "false", timeoutMs: 10_000 }];
  await stand.coordinator.offer(await stand.assignment({ task: "refused", checks }));
  const result = await stand.coordinator.completeOf("refused");
  expect(result.outcome).toBe("GateFailed");
  expect(result.memories).toBeUndefined();
});
