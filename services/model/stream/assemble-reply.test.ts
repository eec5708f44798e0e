import { describe, expect, test } from "vitest";
import type { ToolSchema } from "../chat.ts";
import { createReplyAssembler } from "./assemble-reply.ts";

const tools: readonly ToolSchema[] = [
  {
    name: "read",
    description: "",
    parameters: {
      type: "object",
      properties: { file_path: { type: "string" }, offset: { type: ["integer", "null"] } },
    },
  },
  { name: "write", description: "", parameters: { type: "object", properties: { content: { type: "string" } } } },
];

interface Delta {
  readonly content?: unknown;
  readonly reasoning?: string;
  readonly reasoning_content?: string;
  readonly tool_calls?: unknown;
}

const chunk = (delta: Delta, finish: string | null = null) => ({
  choices: [{ index: 0, delta, finish_reason: finish }],
});
const call = (part: Record<string, unknown>) => chunk({ tool_calls: [part] });
const fn = (name: string | undefined, args?: unknown) => ({
  function: { ...(name === undefined ? {} : { name }), ...(args === undefined ? {} : { arguments: args }) },
});
const usage = (completion: number) => ({
  choices: [],
  usage: { prompt_tokens: 100, completion_tokens: completion, prompt_tokens_details: { cached_tokens: 64 } },
});

function assemble(chunks: readonly unknown[], outputTokensMax = 1_000) {
  let next = 0;
  const assembler = createReplyAssembler({ tools, outputTokensMax, newId: () => `new${++next}`, isKnown: () => false });
  for (const item of chunks) assembler.add(item);
  return assembler.finish();
}

describe("an ordinary stream", () => {
  test("gives text, thoughts, calls and usage, the usage from a chunk without choices", () => {
    const reply = assemble([
      chunk({ content: "" }),
      chunk({ reasoning: "hm" }),
      chunk({ content: "I " }),
      chunk({ content: "read" }),
      call({ index: 0, id: "a", type: "function", ...fn("read", "") }),
      call({ index: 0, ...fn(undefined, '{"file_path":') }),
      call({ index: 0, ...fn(undefined, '"x"}') }),
      chunk({}, "tool_calls"),
      usage(12),
    ]);
    expect(reply).toEqual({
      content: "I read",
      reasoning: "hm",
      toolCalls: [{ id: "a", name: "read", arguments: '{"file_path":"x"}' }],
      isTruncated: false,
      usage: { inputTokens: 100, cachedTokens: 64, outputTokens: 12 },
      finishReason: "tool_calls",
      recoveredCalls: 0,
      repairs: [],
      validCalls: 1,
    });
  });

  test("reads the older name of the thoughts", () => {
    expect(assemble([chunk({ reasoning_content: "old" }, "stop")]).reasoning).toBe("old");
  });

  test("counts a role alone as no output, and text as output", () => {
    const assembler = createReplyAssembler({ tools, outputTokensMax: 10, newId: () => "n", isKnown: () => false });
    expect(assembler.add({ choices: [{ delta: { role: "assistant", content: "" } }] })).toEqual([]);
    expect(assembler.add(chunk({ content: "x" }))).toEqual([{ kind: "content", text: "x" }]);
    expect(assembler.add(usage(1))).toEqual([]);
  });

  test("has no finish reason when the stream ended without one", () => {
    expect(assemble([chunk({ content: "half" })]).finishReason).toBeUndefined();
  });
});

describe("calls that servers spoil", () => {
  const names = (chunks: readonly unknown[]) => assemble([...chunks, chunk({}, "tool_calls")]).toolCalls;
  const one = '{"file_path":"1"}';
  const two = '{"file_path":"2"}';

  test.each([
    [
      "all at index 0 with ids",
      [call({ index: 0, id: "a", ...fn("read", one) }), call({ index: 0, id: "b", ...fn("read", two) })],
    ],
    ["all at index 0 without ids", [call({ index: 0, ...fn("read", one) }), call({ index: 0, ...fn("read", two) })]],
    ["without any index", [call({ id: "a", ...fn("read", one) }), call({ id: "b", ...fn("read", two) })]],
    [
      "in one chunk",
      [
        chunk({
          tool_calls: [
            { index: 0, id: "a", ...fn("read", one) },
            { index: 1, id: "b", ...fn("read", two) },
          ],
        }),
      ],
    ],
    [
      "interleaved by index",
      [
        call({ index: 0, id: "a", ...fn("read", "") }),
        call({ index: 1, id: "b", ...fn("read", "") }),
        call({ index: 0, ...fn(undefined, one) }),
        call({ index: 1, ...fn(undefined, two) }),
      ],
    ],
    [
      "with the same id twice",
      [call({ index: 0, id: "a", ...fn("read", one) }), call({ index: 1, id: "a", ...fn("read", two) })],
    ],
  ])("keeps two calls apart that come %s", (_title, chunks) => {
    const calls = names(chunks);
    expect(calls.map((item) => item.arguments)).toEqual([one, two]);
    expect(new Set(calls.map((item) => item.id)).size).toBe(2);
  });

  test.each([
    [
      "the id and name in every piece",
      [call({ index: 0, id: "a", ...fn("read", '{"file_') }), call({ index: 0, id: "a", ...fn("read", 'path":"1"}') })],
    ],
    [
      "pieces without index and id",
      [call({ index: 0, id: "a", ...fn("read", '{"file_') }), call(fn(undefined, 'path":"1"}'))],
    ],
    [
      "the same call at several indexes",
      [call({ index: 0, id: "a", ...fn("read", one) }), call({ index: 1, id: "a", ...fn("read", one) })],
    ],
    ["the object twice", [call({ index: 0, id: "a", ...fn("read", one + one) })]],
    ["the object as a string", [call({ index: 0, id: "a", ...fn("read", JSON.stringify(one)) })]],
    ["the object as an object", [call({ index: 0, id: "a", ...fn("read", { file_path: "1" }) })]],
    ["a channel token in the name", [call({ index: 0, id: "a", ...fn("functions.read<|channel|>commentary", one) })]],
    [
      "a second finish with the call again",
      [
        call({ index: 0, id: "a", ...fn("read", one) }),
        chunk({}, "tool_calls"),
        chunk({ tool_calls: [{ index: 0, id: "a", ...fn("read", one) }] }, "tool_calls"),
      ],
    ],
  ])("makes one call of %s", (_title, chunks) => {
    expect(names(chunks)).toEqual([{ id: "a", name: "read", arguments: one }]);
  });

  test("gives a missing id and missing arguments a value", () => {
    expect(names([call({ index: 0, ...fn("read") })])).toEqual([{ id: "new1", name: "read", arguments: "{}" }]);
  });

  test("keeps the arguments of the call after one without arguments", () => {
    const calls = names([
      call({ index: 0, id: "a", ...fn("read", "") }),
      call({ index: 1, id: "b", ...fn("read", one) }),
    ]);
    expect(calls.map((item) => item.arguments)).toEqual(["{}", one]);
  });

  test("leaves broken arguments as the model wrote them, for the caller to refuse", () => {
    expect(names([call({ index: 0, id: "a", ...fn("read", '{"file_path": "x"') })])[0]?.arguments).toBe(
      '{"file_path": "x"',
    );
  });

  test("survives chunks of any shape", () => {
    const junk = [
      null,
      1,
      "x",
      [],
      {},
      { choices: null },
      { choices: [null] },
      chunk({ tool_calls: "no" }),
      chunk({ tool_calls: [null, 3] }),
    ];
    expect(assemble([...junk, chunk({ content: "ok" }, "stop")]).content).toBe("ok");
  });
});

describe("an answer that was cut", () => {
  const half = call({ index: 1, id: "b", ...fn("write", '{"content":"half a fi') });
  const whole = call({ index: 0, id: "a", ...fn("read", '{"file_path":"1"}') });

  test("loses the call in which it was cut and keeps those before it", () => {
    const reply = assemble([whole, half, chunk({}, "length")]);
    expect(reply.toolCalls.map((item) => item.id)).toEqual(["a"]);
    expect(reply.isTruncated).toBe(true);
  });

  test("loses it too where the server says tool_calls but the cap was reached", () => {
    const reply = assemble([whole, half, chunk({}, "tool_calls"), usage(50)], 50);
    expect(reply.toolCalls.map((item) => item.id)).toEqual(["a"]);
    expect(reply.isTruncated).toBe(true);
  });

  test("loses a call of which only the name came", () => {
    expect(assemble([call({ index: 0, id: "a", ...fn("read", "") }), chunk({}, "length")]).toolCalls).toEqual([]);
  });

  test("never closes a call that was cut inside the text", () => {
    const text = '<tool_call>\n{"name":"write","arguments":{"content":"half a';
    const reply = assemble([chunk({ content: text }), chunk({}, "length")]);
    expect(reply).toMatchObject({ toolCalls: [], content: text, isTruncated: true });
  });
});

describe("calls and thoughts in the text", () => {
  test("are taken from the text when no call came otherwise", () => {
    const text = 'Let me see.\n<tool_call>\n{"name": "read", "arguments": {"file_path": "1"}}\n</tool_call>';
    const reply = assemble([chunk({ content: text }, "stop")]);
    expect(reply.toolCalls).toEqual([{ id: "new1", name: "read", arguments: '{"file_path":"1"}' }]);
    expect(reply.content).toBe("Let me see.");
    expect(reply.recoveredCalls).toBe(1);
  });

  test("are left alone beside a real call", () => {
    const text = '<tool_call>{"name":"read","arguments":{}}</tool_call>';
    const reply = assemble([
      chunk({ content: text }),
      call({ index: 0, id: "a", ...fn("read", "{}") }),
      chunk({}, "stop"),
    ]);
    expect(reply.toolCalls.map((item) => item.id)).toEqual(["a"]);
  });

  test("are taken from the thoughts only when there is no answer beside them", () => {
    const thought = '<tool_call>{"name":"read","arguments":{}}</tool_call>';
    expect(assemble([chunk({ reasoning: thought }, "stop")]).toolCalls).toHaveLength(1);
    expect(assemble([chunk({ reasoning: thought }), chunk({ content: "done" }, "stop")]).toolCalls).toHaveLength(0);
  });

  test("a leading think block is no part of the answer", () => {
    const reply = assemble([chunk({ content: "<think>hm" }), chunk({ content: "</think>\nyes" }, "stop")]);
    expect(reply).toMatchObject({ content: "yes", reasoning: "hm" });
  });
});
