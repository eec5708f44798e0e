import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { pino } from "pino";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { withEnoughTime } from "../../test/support/enough-time.ts";
import { AgentdError } from "../core/errors.ts";
import type { ChatReply, ChatRequest } from "../model/chat.ts";
import { runAgent } from "./agent-loop.ts";
import { calls, fixedWindow, type ScriptStep, scriptedModel } from "./scripted-model.ts";
import { type Ran, type RunOptions, runScript } from "./scripted-run.ts";
import { createTemporaryWorktree, type TemporaryWorktree } from "./worktree/temporary-worktree.ts";

let tree: TemporaryWorktree;
beforeEach(async () => {
  tree = await createTemporaryWorktree({ "a.ts": "const a = 1;\n" });
});
afterEach(() => tree[Symbol.asyncDispose]());

const done = calls(["finish", { status: "done", summary: "All done." }]);
const read = calls(["read", { file_path: "a.ts", offset: null, limit: null }]);
const text: Partial<ChatReply> = { content: "I will do it soon." };

const run = (script: readonly ScriptStep[], options?: RunOptions): Promise<Ran> => runScript(tree, script, options);

/** The last message of the last request. */
const lastTold = (ran: Ran) => ran.requests.at(-1)?.messages.at(-1)?.content ?? "";

describe("runAgent", () => {
  it("reads, edits, tests and finishes, with every turn recorded", async () => {
    const ran = await run([
      read,
      { ...calls(["edit", { file_path: "a.ts", old_string: "1", new_string: "2" }]), reasoning: "hm" },
      calls(["bash", { command: "cat a.ts" }], ["note", { text: "a is two", remember: true }]),
      done,
    ]);
    expect(ran.result).toEqual({
      outcome: "Done",
      summary: "All done.",
      turns: 4,
      usage: { inputTokens: 400, cachedTokens: 320, outputTokens: 40 },
      detail: "the model said done",
      repairs: 0,
      memories: ["a is two"],
    });
    expect(await readFile(join(tree.root, "a.ts"), "utf8")).toBe("const a = 2;\n");
    expect(ran.turns.map((turn) => turn.turn)).toEqual([1, 2, 3, 4]);
    expect(ran.turns[2]?.calls[0]).toMatchObject({ name: "bash", result: "const a = 2;\n", isError: false });
    expect(ran.turns[1]?.reasoning).toBe("hm");
  });

  it("only ever appends to what it sends, and passes key, trace and output cap", async () => {
    const ran = await run([read, text, done]);
    for (const [index, request] of ran.requests.entries()) {
      const next = ran.requests[index + 1]?.messages ?? request.messages;
      expect(next.slice(0, request.messages.length)).toEqual(request.messages);
      expect(request).toMatchObject({ affinityKey: "key", traceparent: "00-trace", outputTokensMax: 500 });
      expect(request.tools).toBe(tree.tools.schemas);
    }
    expect(ran.requests[0]?.messages).toEqual([
      { role: "system", content: "system" },
      { role: "user", content: "# Job\njob\n\n# Task\ntask" },
    ]);
    expect(new Set(ran.turns.map((turn) => turn.requestDigest)).size).toBe(3);
  });

  it("answers every call of a reply, in order", async () => {
    const ran = await run([
      calls(["write", { file_path: "b", content: "1" }], ["bash", { command: "cat b" }], ["nope", {}]),
      done,
    ]);
    const told = ran.requests[1]?.messages.slice(3);
    expect(told?.map((message) => (message.role === "tool" ? message.toolCallId : ""))).toEqual([
      "id-0",
      "id-1",
      "id-2",
    ]);
    expect(told?.[1]?.content).toBe("1");
    expect(told?.[2]?.content).toMatch(/^Error: There is no tool/u);
  });

  it("gives each call an id of its own where the server repeats or leaves out ids", async () => {
    const reply = async (request: ChatRequest) => ({
      toolCalls: ["", "x", "x"].map((id, index) => {
        const path = `f${request.messages.length}-${index}`;
        return { id, name: "write", arguments: JSON.stringify({ file_path: path, content: "" }) };
      }),
    });
    const ran = await run([reply, reply, done]);
    const ids = ran.requests[2]?.messages.flatMap((message) => (message.role === "tool" ? [message.toolCallId] : []));
    expect(new Set(ids).size).toBe(6);
    const asked = ran.requests[2]?.messages.flatMap((message) =>
      message.role === "assistant" ? (message.toolCalls ?? []).map((call) => call.id) : [],
    );
    expect(asked).toEqual(ids);
  });

  it("runs the other calls of a reply before its finish, wherever that stands", async () => {
    const ran = await run([
      calls(["finish", { status: "done", summary: "" }], ["write", { file_path: "b", content: "1" }]),
    ]);
    expect(ran.result).toMatchObject({ outcome: "Done", summary: "", turns: 1 });
    expect(ran.result.detail).toBe("the model said done, with an empty summary");
    expect(await readFile(join(tree.root, "b"), "utf8")).toBe("1");
  });

  it("ends Blocked with the reason, without thoughts and control tokens", async () => {
    const ran = await run([calls(["finish", { status: "blocked", summary: "<think>x</think>No network.<|im_end|>" }])]);
    expect(ran.result).toMatchObject({
      outcome: "Blocked",
      summary: "No network.",
      detail: "the model said blocked: No network.",
    });
  });
});

describe("answers without a call", () => {
  it("get two nudges and one turn in which a call is required, then a ProtocolViolation", async () => {
    const ran = await run([text, { content: "" }, text, text, done]);
    expect(ran.result).toMatchObject({ outcome: "ProtocolViolation", turns: 4 });
    expect(ran.requests.map((request) => request.toolChoice)).toEqual(["auto", "auto", "auto", "required"]);
    expect(ran.requests[3]?.messages.map((message) => message.role).slice(2)).toEqual(
      Array.from({ length: 3 }, () => ["assistant", "user"]).flat(),
    );
    expect(ran.requests[2]?.messages.at(-2)?.content).toBe("(no answer)");
    expect(ran.turns).toHaveLength(4);
  });

  it("are forgiven by a call", async () => {
    const ran = await run([text, text, text, read, text, text, done]);
    expect(ran.result.outcome).toBe("Done");
    expect(ran.requests.map((request) => request.toolChoice)).toEqual([
      "auto",
      "auto",
      "auto",
      "required",
      "auto",
      "auto",
      "auto",
    ]);
  });

  it("are told about the output limit when they were cut off", async () => {
    const ran = await run([{ ...text, isTruncated: true }, done]);
    expect(lastTold(ran)).toContain("cut off at the output limit of 500 tokens");
  });
});

describe("invalid calls", () => {
  it("are explained, and three turns of them in a row are a ProtocolViolation", async () => {
    const ran = await run([calls(["Read", {}]), calls(["read", '{"file_path": "a']), calls(["read", {}]), done]);
    expect(ran.result).toMatchObject({ outcome: "ProtocolViolation", turns: 3 });
    expect(ran.result.detail).toContain('"file_path" is missing');
    expect(ran.turns[1]?.calls[0]).toMatchObject({ arguments: '{"file_path": "a', isError: true });
    expect(ran.turns[1]?.calls[0]?.result).toContain('Send exactly: {"file_path": <string>');
  });

  it("twice in a row without any argument make the next answer a required call", async () => {
    const empty = calls(["bash", "{}"]);
    const ran = await run([empty, empty, read, done]);
    expect(ran.requests.map((request) => request.toolChoice)).toEqual(["auto", "auto", "required", "auto"]);
  });

  it("never go back to the server as invalid JSON or under an odd name", async () => {
    const ran = await run([
      calls(["read", '{"file_path": "a'], ["read", '"{\\"file_path\\":\\"a.ts\\"}"'], ["<|bad|>", "[1]"], ["read", ""]),
      done,
    ]);
    const sent = ran.requests[1]?.messages[2];
    expect(sent?.role === "assistant" && sent.toolCalls?.map((call) => [call.name, call.arguments])).toEqual([
      ["read", "{}"],
      ["read", '{"file_path":"a.ts"}'],
      ["unknown", "{}"],
      ["read", "{}"],
    ]);
  });

  it("do not count when a valid call stands beside them", async () => {
    const mixed = (path: string) => calls(["nope", {}], ["write", { file_path: path, content: "" }]);
    expect((await run([mixed("1"), mixed("2"), mixed("3"), mixed("4"), done])).result.outcome).toBe("Done");
  });

  it("beyond 32 in one answer are not run", async () => {
    const many = Array.from({ length: 40 }, (_, index) => ["write", { file_path: `f${index}`, content: "" }] as const);
    const ran = await run([calls(...many), done]);
    expect(ran.turns[0]?.calls.filter((call) => !call.isError)).toHaveLength(32);
    expect(ran.requests[1]?.messages.filter((message) => message.role === "tool")).toHaveLength(40);
  });
});

describe("a cut-off answer", () => {
  it("does not finish, and its whole calls run with a note", async () => {
    const cut = {
      ...calls(["write", { file_path: "b", content: "1" }], ["finish", { status: "done", summary: "" }]),
      isTruncated: true,
    };
    const ran = await run([cut, done]);
    expect(ran.result).toMatchObject({ outcome: "Done", turns: 2 });
    expect(await readFile(join(tree.root, "b"), "utf8")).toBe("1");
    expect(lastTold(ran)).toContain("Call finish again");
    expect(lastTold(ran)).toContain("[agentd] Your answer was cut off here");
  });
});

describe("limits", () => {
  it("end with MaxTurns after that many answers", async () => {
    const write = async (request: ChatRequest) =>
      calls(["write", { file_path: `f${request.messages.length}`, content: "" }]);
    const ran = await run([write], { limits: { turnsMax: 10 } });
    expect(ran.result).toMatchObject({ outcome: "MaxTurns", turns: 10 });
    expect(JSON.stringify(ran.requests[8]?.messages.at(-1))).toContain("Nearly used up: your turns (8 of 10)");
    expect(JSON.stringify(ran.requests[9]?.messages).match(/Nearly used up/gu)).toHaveLength(1);
  });

  it("end with BudgetExceeded when input plus output tokens are used up", async () => {
    const ran = await run([read], { limits: { tokensMax: 330 } });
    expect(ran.result).toMatchObject({ outcome: "BudgetExceeded", turns: 3 });
    expect(ran.result.detail).toBe("used 330 tokens; the limit is 330");
  });

  it("are announced once when four fifths of the time are gone", async () => {
    let nowMs = 0;
    const slow = async () => {
      nowMs += 850;
      return read;
    };
    const ran = await run([slow, done], { limits: { wallMs: 1_000 }, clock: { now: () => nowMs } });
    expect(lastTold(ran)).toContain("Nearly used up: your time (of 1s)");
  });

  it("let a finish in the answer that goes beyond the budget count", async () => {
    expect((await run([done], { limits: { tokensMax: 1 } })).result.outcome).toBe("Done");
  });

  it("end with DeadlineExceeded in the middle of a model call", async () => {
    const stall: ScriptStep = (_, signal) =>
      new Promise((_resolve, reject) => signal.addEventListener("abort", () => reject(signal.reason as Error)));
    const { result: ran } = await withEnoughTime(
      (wallMs) => run([read, stall], { limits: { wallMs } }),
      ({ result }) => result.turns > 0,
    );
    expect(ran.result).toMatchObject({ outcome: "DeadlineExceeded", turns: 1 });
  });

  it("end with DeadlineExceeded in the middle of a command, and the turn is recorded", async () => {
    const { result: ran } = await withEnoughTime(
      (wallMs) => run([calls(["bash", { command: "echo $$ > pid; sleep 300" }])], { limits: { wallMs } }),
      async () => (await readFile(join(tree.root, "pid"), "utf8").catch(() => "")) !== "",
    );
    expect(ran.result).toMatchObject({ outcome: "DeadlineExceeded", turns: 1 });
    expect(ran.turns).toHaveLength(1);
    expect(ran.turns[0]?.callsOmitted).toBe(1);
    const pid = Number(await readFile(join(tree.root, "pid"), "utf8"));
    expect(() => process.kill(pid, 0)).toThrow("ESRCH");
  });

  it("do not count the time of waiting for the engine", async () => {
    let now = 0;
    const step =
      (waitMs: number, workMs: number): ScriptStep =>
      async (request) => {
        request.onWaiting?.(true);
        request.onWaiting?.(true);
        now += waitMs;
        request.onWaiting?.(false);
        now += workMs;
        return calls(["write", { file_path: `f${now}`, content: "" }]);
      };
    const clock = { now: () => now };
    const waited = await run([step(1_000_000, 100), step(1_000_000, 100), done], { clock, limits: { wallMs: 1_000 } });
    expect(waited.result.outcome).toBe("Done");
    const worked = await run([step(0, 600), step(0, 600), done], { clock, limits: { wallMs: 1_000 } });
    expect(worked.result).toMatchObject({ outcome: "DeadlineExceeded", turns: 2 });
  });

  it("go on counting when the model forgets to say that the waiting is over", async () => {
    let now = 0;
    const forgetful: ScriptStep = async (request) => {
      request.onWaiting?.(true);
      return calls(["bash", { command: "true" }]);
    };
    const slow: ScriptStep = async () => {
      now += 2_000;
      return read;
    };
    const ran = await run([forgetful, slow, done], { clock: { now: () => now }, limits: { wallMs: 1_000 } });
    expect(ran.result.outcome).toBe("DeadlineExceeded");
  });
});

describe("errors", () => {
  it("of a server that refuses the request for good are a ModelError", async () => {
    const refuse: ScriptStep = async () => {
      throw new AgentdError("MODEL_REFUSED", "model:8000 refused the request: context too long");
    };
    expect((await run([read, refuse])).result).toMatchObject({
      outcome: "ModelError",
      turns: 1,
      detail: "model:8000 refused the request: context too long",
    });
  });

  it("of the transcript store end the run", async () => {
    const failing = runAgent(
      {
        model: scriptedModel(read),
        tokens: fixedWindow(100_000),
        tools: tree.tools,
        instructions: tree.instructions,
        judge: async () => undefined,
        clock: { now: () => 0 },
        onTurn: () => Promise.reject(new AgentdError("STORE_UNAVAILABLE", "NATS is down")),
        log: pino({ level: "silent" }),
      },
      {
        systemPrompt: "",
        jobText: "",
        taskText: "",
        limits: { turnsMax: 9, tokensMax: 9_999, wallMs: 9_999 },
        affinityKey: "",
        outputTokensMax: 1,
      },
      new AbortController().signal,
    );
    await expect(failing).rejects.toThrow("NATS is down");
  });

  it("an abort from outside is passed on, not made a result, and kills the command", async () => {
    const controller = new AbortController();
    const running = run([calls(["bash", { command: "echo $$ > pid; sleep 300" }])], {
      signal: controller.signal,
    });
    const started = vi.waitFor(async () => {
      const written = Number(await readFile(join(tree.root, "pid"), "utf8"));
      if (written === 0) throw new Error("not yet written");
      return written;
    }, 45_000);
    const pid = await started.finally(() => controller.abort(new Error("lease lost")));
    await expect(running).rejects.toThrow("lease lost");
    expect(() => process.kill(pid, 0)).toThrow("ESRCH");
  });
});
