import { beforeEach, describe, expect, test } from "vitest";
import type { ChatMessage, TokenCount } from "../chat.ts";
import type { ServerQuery } from "./server-query.ts";
import { type CountedPrompt, createPromptCounter, type PromptCounter } from "./token-counter.ts";

const never = new AbortController().signal;
const user = (length: number): ChatMessage => ({ role: "user", content: "x".repeat(length) });

let nowMs = 0;
let asked: unknown[];
let answer: { status: number; body: unknown };
let counter: PromptCounter;
const query: ServerQuery = {
  get: async () => undefined,
  post: async (path, body) => {
    asked.push([path, body]);
    return answer;
  },
};
const count = (prompt: CountedPrompt, windowTokens = 1_000): Promise<TokenCount> =>
  counter.count(prompt, query, windowTokens, never);
const promptOf = (...messages: ChatMessage[]): CountedPrompt => ({ messages, tools: [], affinityKey: "k" });

beforeEach(() => {
  nowMs = 0;
  asked = [];
  answer = { status: 200, body: { count: 777, max_model_len: 1_000 } };
  counter = createPromptCounter({ now: () => nowMs, toBody: (prompt) => prompt.messages.length });
});

describe("the count of a prompt", () => {
  test("is estimated while the window is far away", async () => {
    expect(await count(promptOf(user(300)))).toEqual({ tokens: 105, isExact: false });
    expect(asked).toEqual([]);
  });

  test("is asked of the server near the window, once for a prompt", async () => {
    const prompt = promptOf(user(1_500));
    expect(await count(prompt)).toEqual({ tokens: 777, isExact: true });
    expect(await count(prompt)).toEqual({ tokens: 777, isExact: true });
    expect(asked).toEqual([["../tokenize", 1]]);
  });

  test("is what the last answer said, plus an estimate of what came since", async () => {
    const first = [user(300), user(90)];
    counter.learn(promptOf(...first), { inputTokens: 88, cachedTokens: 0, outputTokens: 40 });
    expect(await count(promptOf(...first))).toEqual({ tokens: 88, isExact: true });
    const next = promptOf(...first, { role: "assistant", content: "y".repeat(4_000) }, user(300));
    const { tokens, isExact } = await count(next, 10_000);
    expect(isExact).toBe(false);
    // The answer's own 40 tokens are known; the rest is 300 characters at the measured ratio.
    expect(tokens).toBeGreaterThan(88 + 40 + 60);
    expect(tokens).toBeLessThan(88 + 40 + 110);
  });

  test("learns how long the model's tokens are", async () => {
    for (let turn = 0; turn < 20; turn += 1) {
      counter.learn(promptOf(user(1_000)), { inputTokens: 505, cachedTokens: 0, outputTokens: 1 });
    }
    const { tokens } = await count({ ...promptOf(user(2_000)), affinityKey: "other" }, 100_000);
    expect(tokens).toBeGreaterThan(990);
    expect(tokens).toBeLessThan(1_010);
  });

  test("does not use what it knew of a conversation that was rewritten", async () => {
    counter.learn(promptOf(user(600), user(600)), { inputTokens: 5_000, cachedTokens: 0, outputTokens: 1 });
    const { tokens } = await count(promptOf(user(600), user(600)), 1_000_000);
    expect(tokens).toBeLessThan(5_000);
  });

  test("is an estimate where the server cannot count, which is not asked again for a while", async () => {
    answer = { status: 404, body: undefined };
    const prompt = promptOf(user(1_500));
    expect(await count(prompt)).toMatchObject({ isExact: false });
    expect(await count(prompt)).toMatchObject({ isExact: false });
    expect(asked).toHaveLength(1);
    nowMs = 10 * 60_000;
    await count(prompt);
    expect(asked).toHaveLength(2);
  });

  test("is asked again at once where the server was only away", async () => {
    answer = { status: 0, body: undefined };
    await count(promptOf(user(1_500)));
    await count(promptOf(user(1_500)));
    expect(asked).toHaveLength(2);
  });
});
