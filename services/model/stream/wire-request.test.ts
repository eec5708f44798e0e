import { describe, expect, test } from "vitest";
import type { ChatMessage, ChatRequest, Rung } from "../chat.ts";
import { profileOf } from "../profile/model-profile.ts";
import type { Feature } from "../profile/server-limits.ts";
import { recoverTextCalls } from "../recovery/text-calls/recover-text-calls.ts";
import { toWireBody } from "./wire-request.ts";

const parameters = {
  type: "object",
  properties: {
    file_path: { type: "string" },
    limit: { anyOf: [{ type: "integer" }, { type: "null" }], description: "d" },
  },
  required: ["file_path", "limit"],
  additionalProperties: false,
};
const messages: readonly ChatMessage[] = [
  { role: "system", content: "s" },
  { role: "user", content: "u" },
  {
    role: "assistant",
    content: "",
    reasoning: "hm",
    toolCalls: [{ id: "call_1_0", name: "read", arguments: '{"file_path":"a","limit":null}' }],
  },
  { role: "tool", toolCallId: "call_1_0", content: "text of a" },
  { role: "user", content: "go on" },
];
const request: ChatRequest = {
  messages,
  tools: [{ name: "read", description: "reads", parameters }],
  toolChoice: "auto",
  outputTokensMax: 100,
  affinityKey: "k",
};

function bodyFor(model: string, rung: Rung = "auto", refused: readonly Feature[] = []) {
  const takes = (feature: Feature) => !refused.includes(feature);
  return toWireBody(request, { model, profile: profileOf(model), rung, takes });
}
const sentMessages = (...args: Parameters<typeof bodyFor>) =>
  bodyFor(...args).body["messages"] as Record<string, unknown>[];

describe("the history", () => {
  test("has thoughts in the fields that the model's template reads, and nowhere else", () => {
    expect(sentMessages("m")[2]).toMatchObject({ reasoning: "hm", reasoning_content: "hm" });
    expect(sentMessages("gpt-oss")[2]).toMatchObject({ reasoning: "hm" });
    expect(sentMessages("gpt-oss")[2]).not.toHaveProperty("reasoning_content");
    expect(JSON.stringify(sentMessages("llama"))).not.toContain("hm");
    expect(JSON.stringify(sentMessages("m", "auto", ["reasoning"]))).not.toContain("hm");
  });

  test("has nine letters and digits as ids for Mistral, and no user's message behind a result", () => {
    const sent = sentMessages("devstral");
    const [call] = (sent[2]?.["tool_calls"] ?? []) as { id: string }[];
    expect(call?.id).toMatch(/^[a-zA-Z0-9]{9}$/);
    expect(sent[3]).toMatchObject({ role: "tool", tool_call_id: call?.id, content: "text of a\n\ngo on" });
    expect(sent).toHaveLength(4);
  });

  test("has ids counted over the conversation for Kimi", () => {
    const sent = sentMessages("kimi-k2");
    expect(sent[2]?.["tool_calls"]).toMatchObject([{ id: "functions.read:0" }]);
    expect(sent[3]).toMatchObject({ tool_call_id: "functions.read:0" });
  });

  test("is the start of a longer one, byte by byte", () => {
    for (const model of ["m", "kimi-k2", "devstral"]) {
      const shorter = toWireBody({ ...request, messages: messages.slice(0, 4) }, planOf(model)).body["messages"];
      const longer: readonly ChatMessage[] = [...messages.slice(0, 4), { role: "assistant", content: "x" }];
      const text = JSON.stringify(toWireBody({ ...request, messages: longer }, planOf(model)).body["messages"]);
      expect(text.startsWith(JSON.stringify(shorter).slice(0, -1))).toBe(true);
    }
  });
});

function planOf(model: string) {
  return { model, profile: profileOf(model), rung: "auto" as const, takes: () => true };
}

describe("tools", () => {
  test("are sent strict, and without what the server does not take", () => {
    expect(bodyFor("m").body).toMatchObject({
      tool_choice: "auto",
      tools: [{ function: { strict: true, parameters } }],
    });
    expect(bodyFor("m", "required").body).toMatchObject({ tool_choice: "required" });
    const plain = bodyFor("m", "auto", ["strict", "fullSchemas"]);
    const properties = { file_path: { type: "string" }, limit: { type: "integer", description: "d" } };
    expect(plain.body).toMatchObject({
      tools: [{ function: { parameters: { type: "object", properties, required: ["file_path", "limit"] } } }],
    });
    expect(JSON.stringify(plain.body)).not.toMatch(/strict|anyOf|additionalProperties/);
    expect(plain.sent.has("strict")).toBe(false);
  });

  test("are an envelope that a schema forces, with the conversation as text", () => {
    const { body } = bodyFor("m", "envelope");
    expect(body).not.toHaveProperty("tools");
    expect(body).toMatchObject({
      response_format: {
        type: "json_schema",
        json_schema: { schema: { properties: { name: { enum: ["read"] }, arguments: parameters } } },
      },
      messages: [
        { role: "system", content: expect.stringContaining('"name":"read"') as string },
        { role: "user", content: "u" },
        { role: "assistant", content: '{"name":"read","arguments":{"file_path":"a","limit":null}}' },
        { role: "user", content: '<tool_response name="read">\ntext of a\n</tool_response>\n\ngo on' },
      ],
    });
    expect(bodyFor("m", "envelope", ["responseFormat"]).body).not.toHaveProperty("response_format");
  });

  test("are plain text that our own extraction reads back", () => {
    const { body } = bodyFor("m", "text");
    expect(Object.keys(body).sort()).toEqual(["max_tokens", "messages", "model", "stream", "stream_options"]);
    const assistant = sentMessages("m", "text")[2];
    expect(recoverTextCalls(String(assistant?.["content"]), request.tools).calls).toEqual([
      { name: "read", arguments: '{"file_path":"a","limit":null}' },
    ]);
  });

  test("are left out with their choice where there are none", () => {
    const { body } = toWireBody({ ...request, tools: [] }, planOf("m"));
    expect(body).not.toHaveProperty("tools");
    expect(body).not.toHaveProperty("tool_choice");
  });
});
