import { describe, expect, it } from "vitest";
import type { ChatMessage, ChatRequest } from "../../model/chat.ts";
import { fixedWindow, scriptedModel } from "../scripted-model.ts";
import { type ConversationFitter, createConversationFitter, type Fitting } from "./keep-fitting.ts";
import { createLedger, type Ledger } from "./ledger.ts";

const opening: ChatMessage[] = [
  { role: "system", content: "system" },
  { role: "user", content: "# Task\ndo it" },
];

/** One turn: a call and its result. */
function turn(id: number, result: string, tool = "read"): ChatMessage[] {
  const call = { id: `c${id}`, name: tool, arguments: JSON.stringify({ file_path: `src/f${id}.ts` }) };
  return [
    { role: "assistant", content: "", toolCalls: [call] },
    { role: "tool", toolCallId: call.id, content: result },
  ];
}

const turns = (count: number, chars: number, from = 0) =>
  Array.from({ length: count }, (_, index) => turn(from + index, "x".repeat(chars))).flat();

function fit(fitter: ConversationFitter, messages: readonly ChatMessage[], hasOverflowed = false): Promise<Fitting> {
  const request: ChatRequest = { messages, tools: [], toolChoice: "auto", outputTokensMax: 2_000, affinityKey: "" };
  return fitter.fit({ request, tokensBefore: 0, messagesBefore: 0, hasOverflowed }, new AbortController().signal);
}

function make(windowTokens: number, summary = "## Goal\nas above", ledger: Ledger = createLedger()) {
  const model = scriptedModel({ content: summary });
  return { model, fitter: createConversationFitter({ model, tokens: fixedWindow(windowTokens), ledger }) };
}

function shortened(fitting: Fitting): Extract<Fitting, { kind: "shortened" }> {
  if (fitting.kind !== "shortened") throw new Error(`it is ${fitting.kind}`);
  return fitting;
}

/** Each result must still follow the answer that made its call, and users and assistants must take turns. */
function expectWellFormed(messages: readonly ChatMessage[]): void {
  const open = new Set<string>();
  for (const [index, message] of messages.entries()) {
    if (message.role === "assistant") for (const call of message.toolCalls ?? []) open.add(call.id);
    const isOrphan = message.role === "tool" && !open.delete(message.toolCallId);
    const isSecond = message.role === "user" && messages[index - 1]?.role === "user";
    expect([isOrphan, isSecond]).toEqual([false, false]);
  }
  expect(open.size).toBe(0);
}

describe("createConversationFitter", () => {
  it("leaves a conversation alone below 70 % of the window", async () => {
    const { fitter, model } = make(10_000);
    expect(await fit(fitter, [...opening, ...turns(6, 4_000)])).toEqual({ kind: "fits" });
    expect(model.requests).toHaveLength(0);
  });

  it("asks nobody for a count while the last answer's usage leaves no doubt", async () => {
    const tokens = { countTokens: () => Promise.reject(new Error("counted")), contextTokensMax: async () => 10_000 };
    const fitter = createConversationFitter({ model: scriptedModel({}), tokens, ledger: createLedger() });
    const messages = [...opening, ...turns(2, 1_000)];
    const request: ChatRequest = { messages, tools: [], toolChoice: "auto", outputTokensMax: 9, affinityKey: "" };
    const upcoming = { request, tokensBefore: 3_000, messagesBefore: 5, hasOverflowed: false };
    expect(await fitter.fit(upcoming, new AbortController().signal)).toEqual({ kind: "fits" });
  });

  it("first drops the results of all but the last five turns, in one go", async () => {
    const { fitter, model } = make(10_000);
    const messages = [...opening, ...turns(12, 2_400)];
    const fitting = shortened(await fit(fitter, messages));
    expect(model.requests).toHaveLength(0);
    expect(fitting.compaction).toMatchObject({ kind: "prune", summary: "" });
    expect(fitting.compaction.tokensAfter).toBeLessThan(fitting.compaction.tokensBefore * 0.7);
    expect(fitting.messages.slice(0, 2)).toEqual(opening);
    expect(fitting.messages.slice(-10)).toEqual(messages.slice(-10));
    expect(fitting.messages[3]?.content).toContain('read {"file_path":"src/f0.ts"}');
    expectWellFormed(fitting.messages);
  });

  it("else replaces the earlier part by the model's summary, and keeps opening and last turns", async () => {
    const { fitter, model } = make(10_000, "## Goal\nfix the parser");
    const messages = [...opening, ...turns(5, 6_000)];
    const fitting = shortened(await fit(fitter, messages));
    expect(model.requests[0]?.messages.slice(0, -1)).toEqual(messages);
    expect(fitting.messages.slice(0, 2)).toEqual(opening);
    expect(fitting.messages[3]?.content).toContain("fix the parser");
    expect(fitting.compaction.tokensAfter).toBeLessThanOrEqual(fitting.compaction.tokensBefore * 0.7);
    expect(fitting.reply?.usage.outputTokens).toBe(10);
    expectWellFormed(fitting.messages);
  });

  it("still holds every changed path, failing test, last error and note after three compactions", async () => {
    const ledger = createLedger();
    const { fitter } = make(8_000, "I forgot everything.", ledger);
    const paths = Array.from({ length: 30 }, (_, index) => `src/f${index}.ts`);
    let messages = opening;
    let compactions = 0;
    for (const [index, path] of paths.entries()) {
      ledger.record({ turn: index, tool: "edit", args: { file_path: path }, result: "ok", isError: false });
      messages = [...messages, ...turn(index, "y".repeat(3_500), "edit")];
      if (index === 3) {
        const result = "not ok 1 - parses an empty file\nTypeError: x is not a function\n[exit code 1]";
        ledger.record({ turn: index, tool: "bash", args: { command: "npm test" }, result, isError: true });
        messages = [...messages, ...turn(100, `${result}${" ".repeat(3_000)}`, "bash"), ...turn(101, "noted", "note")];
        const args = { text: "the cache must stay sorted" };
        ledger.record({ turn: index, tool: "note", args, result: "Noted.", isError: false });
      }
      const fitting = await fit(fitter, messages);
      if (fitting.kind === "exhausted") break;
      if (fitting.kind === "fits") continue;
      compactions += fitting.compaction.kind === "summary" ? 1 : 0;
      messages = [...fitting.messages];
      expectWellFormed(messages);
      const text = JSON.stringify(messages);
      for (const known of paths.slice(0, index + 1)) expect(text).toContain(known);
      if (index < 3 || compactions === 0) continue;
      expect(text).toContain("the cache must stay sorted");
      expect(text).toContain("parses an empty file");
      expect(text).toContain("TypeError: x is not a function");
    }
    expect(compactions).toBeGreaterThanOrEqual(3);
  });

  it("makes do with the ledger where the model calls a tool instead of writing a summary", async () => {
    const ledger = createLedger();
    ledger.record({ turn: 1, tool: "write", args: { file_path: "a.ts" }, result: "ok", isError: false });
    const { fitter } = make(10_000, "", ledger);
    const fitting = shortened(await fit(fitter, [...opening, ...turns(5, 6_000)]));
    expect(fitting.messages[3]?.content).toContain("a.ts (write)");
  });

  it("shortens at once what the server refused as too long, whatever the count says", async () => {
    const { fitter } = make(1_000_000);
    const fitting = shortened(await fit(fitter, [...opening, ...turns(12, 2_400)], true));
    expect(fitting.compaction.kind).toBe("summary");
    expect(fitting.compaction.tokensAfter).toBeLessThan(fitting.compaction.tokensBefore * 0.7);
  });

  it("gives up after four summaries, and says why", async () => {
    const { fitter } = make(10_000);
    const ends: string[] = [];
    for (let round = 0; round < 5; round += 1) ends.push((await fit(fitter, [...opening, ...turns(5, 6_000)])).kind);
    expect(ends).toEqual(["shortened", "shortened", "shortened", "shortened", "exhausted"]);
  });

  it("gives up when summaries free nothing any more", async () => {
    const { fitter } = make(1_000);
    const huge: ChatMessage[] = [
      { role: "system", content: "s" },
      { role: "user", content: "t".repeat(40_000) },
    ];
    const fitHuge = () => fit(fitter, [...huge, ...turn(1, "x")]);
    await fitHuge();
    await fitHuge();
    expect(await fitHuge()).toMatchObject({
      kind: "exhausted",
      detail: expect.stringContaining("window of 1000 tokens"),
    });
  });
});
