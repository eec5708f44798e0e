import { afterAll, describe, expect, test } from "vitest";
import type { ChatMessage, ChatRequest, Rung, ToolSchema } from "../../services/model/chat.ts";
import { createChatModel } from "../../services/model/chat-model.ts";
import { profileOf } from "../../services/model/profile/model-profile.ts";
import { createServerLimits, type Feature } from "../../services/model/profile/server-limits.ts";
import { findMismatch } from "../../services/model/recovery/check-schema.ts";
import { parseJson } from "../../services/model/recovery/json-text.ts";
import { createOpenAiChat } from "../../services/model/stream/openai-chat.ts";
import { systemModelClock } from "../../services/model/stream/watchdog.ts";
import { createLogger } from "../../services/platform/telemetry/log.ts";
import { servedModel, vllmBaseUrl } from "./served-model.ts";

const baseUrl = vllmBaseUrl;
const model = await servedModel();
const log = createLogger({ service: "test", level: "silent" });
const signal = new AbortController().signal;
const triesPerRung = 6;

const text = (maxLength: number) => ({ type: "string", maxLength });
const tool = (name: string, description: string, properties: Record<string, unknown>): ToolSchema => ({
  name,
  description,
  parameters: { type: "object", properties, required: Object.keys(properties), additionalProperties: false },
});
const tools = [
  tool("read", "Reads a file.", {
    file_path: text(60),
    limit: { anyOf: [{ type: "integer", minimum: 1, maximum: 999 }, { type: "null" }] },
  }),
  tool("finish", "Ends the task.", { status: { type: "string", enum: ["done", "blocked"] }, summary: text(60) }),
];
const messages: readonly ChatMessage[] = [
  { role: "system", content: "You are a coding agent. Call one tool at a time." },
  { role: "user", content: "Read the file src/a.js, then finish." },
];
const request: ChatRequest = { messages, tools, toolChoice: "auto", outputTokensMax: 200, affinityKey: "ladder" };

const refused: Feature[] = [];
const chat = createOpenAiChat({
  baseUrl,
  model,
  profile: profileOf(model),
  limits: createServerLimits({ now: Date.now, onRefused: (feature) => refused.push(feature) }),
  fetch,
  firstTokenTimeoutMs: 120_000,
  gapTimeoutMs: 60_000,
  clock: systemModelClock,
  newId: () => "new",
});
const pool = createChatModel({ endpoints: [{ baseUrl }], model, log });
afterAll(() => pool.close());

describe("each rung on a real server", () => {
  test.each<Rung>(["auto", "required", "envelope", "text"])(
    "%s gives a valid call or says that there is none",
    async (rung) => {
      const startedAtMs = performance.now();
      const results = await Promise.all(
        Array.from({ length: triesPerRung }, (_, index) =>
          chat.run({ ...request, affinityKey: `${rung}-${index}` }, rung, () => {}, signal),
        ),
      );
      const replies = results.flatMap((result) => (result.ok ? [result.reply] : []));
      const count = (isCounted: (reply: (typeof replies)[number]) => boolean) => replies.filter(isCounted).length;
      const tokens = replies.reduce((sum, reply) => sum + reply.usage.outputTokens, 0);
      console.log(
        `${rung}: of ${triesPerRung} answers ${count((reply) => reply.validCalls > 0)} with a valid call, ` +
          `${count((reply) => reply.recoveredCalls > 0)} of them from text, ${count((reply) => reply.isTruncated)} cut; ` +
          `${Math.round(tokens / triesPerRung)} output tokens each, ${Math.round(performance.now() - startedAtMs)} ms for all; refused: ${refused.join(", ") || "nothing"}`,
      );
      for (const result of results) {
        expect(result).toMatchObject({ ok: true, rung });
        if (!result.ok) continue;
        // Whatever is said to be valid fits; what was cut holds no call from behind the cut.
        const { toolCalls, validCalls, content, reasoning, isTruncated } = result.reply;
        const fitting = toolCalls.filter((call) => {
          const schema = tools.find(({ name }) => name === call.name);
          return schema !== undefined && findMismatch(parseJson(call.arguments), schema.parameters) === undefined;
        });
        expect(fitting).toHaveLength(validCalls);
        expect(validCalls > 0 || isTruncated || `${content}${reasoning}` !== "" || toolCalls.length > 0).toBe(true);
      }
      // Two are forced by the engine's grammar: only the cap can come between.
      const isForced = rung === "required" || rung === "envelope";
      const whole = count((reply) => reply.validCalls > 0 || reply.isTruncated);
      expect(whole).toBeGreaterThanOrEqual(isForced ? triesPerRung : 0);
      expect(count((reply) => reply.validCalls > 0)).toBeGreaterThanOrEqual(isForced ? 1 : 0);
    },
    300_000,
  );
});

describe("the figures of a real server", () => {
  test("are its window, and exact counts that its own usage agrees with", async () => {
    const window = await pool.contextTokensMax(signal);
    expect(window).toBeGreaterThan(1_000);
    const long: readonly ChatMessage[] = [
      ...messages,
      { role: "user", content: "const value = compute(1, 2);\n".repeat(Math.ceil(window / 16)) },
    ];
    const prompt = { ...request, messages: long, toolChoice: "required" as const, outputTokensMax: 16 };
    const counted = await pool.countTokens(prompt, signal);
    expect(counted.isExact).toBe(true);
    const reply = await pool.chat(prompt, signal);
    expect(Math.abs(reply.usage.inputTokens - counted.tokens)).toBeLessThanOrEqual(4);
  }, 300_000);

  test("are in its refusal of a prompt that is too long, and the refusal is typed", async () => {
    const window = await pool.contextTokensMax(signal);
    const long: ChatMessage = { role: "user", content: "word ".repeat(window * 2) };
    await expect(pool.chat({ ...request, messages: [...messages, long] }, signal)).rejects.toMatchObject({
      reason: "CONTEXT_OVERFLOW",
      metadata: { contextTokensMax: String(window) },
    });
  }, 120_000);
});
