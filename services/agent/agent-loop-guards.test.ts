import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { AgentdError } from "../core/errors.ts";
import { calls, type ScriptStep } from "./scripted-model.ts";
import { type Ran, type RunOptions, runScript } from "./scripted-run.ts";
import { createTemporaryWorktree, type TemporaryWorktree } from "./worktree/temporary-worktree.ts";

let tree: TemporaryWorktree;
beforeEach(async () => {
  tree = await createTemporaryWorktree({ "a.ts": "const a = 1;\n" });
});
afterEach(() => tree[Symbol.asyncDispose]());

const done = calls(["finish", { status: "done", summary: "All done." }]);
const read = calls(["read", { file_path: "a.ts", offset: null, limit: null }]);
const run = (script: readonly ScriptStep[], options?: RunOptions): Promise<Ran> => runScript(tree, script, options);

describe("repetition", () => {
  it("is named at the third and ends with StuckLoop at the fifth time", async () => {
    const ran = await run([read]);
    expect(ran.result).toMatchObject({ outcome: "StuckLoop", turns: 5 });
    expect(ran.result.detail).toBe("the same read call gave the same result 5 times");
    const told = ran.requests.map((request) => JSON.stringify(request.messages.at(-1)).includes("repeating yourself"));
    expect(told).toEqual([false, false, false, true, false]);
  });

  it("is found in cycles of several calls", async () => {
    const other = calls(["bash", { command: "true" }]);
    const script = Array.from({ length: 10 }, () => [read, other]).flat();
    expect((await run(script)).result).toMatchObject({ outcome: "StuckLoop", turns: 10 });
  });

  it("is no loop while the results change", async () => {
    const count = calls(["bash", { command: "echo x >> log; wc -l < log" }]);
    expect((await run([...Array.from({ length: 8 }, () => count), done])).result.outcome).toBe("Done");
  });
});

describe("the model's window", () => {
  const long: ScriptStep = calls(["bash", { command: "head -c 9000 /dev/zero | tr '\\0' x" }]);

  it("makes a long run go on with a summary, whose tokens count", async () => {
    const ran = await run([long, long, { content: "## Goal\nthe summary" }, done], { windowTokens: 6_000 });
    expect(ran.result).toMatchObject({ outcome: "Done", turns: 3, usage: { inputTokens: 400 } });
    expect(ran.turns[2]?.compactions).toMatchObject([{ kind: "summary" }]);
    expect(ran.requests.at(-1)?.messages.slice(0, 2)).toEqual(ran.requests[0]?.messages);
    expect(JSON.stringify(ran.requests.at(-1)?.messages)).toContain("the summary");
  });

  it("that the server says is full makes the conversation shorter, and the turn is asked for again", async () => {
    const refuse: ScriptStep = async () => {
      throw new AgentdError("CONTEXT_OVERFLOW", "model:8000: the prompt is too long");
    };
    const ran = await run([long, long, refuse, { content: "short" }, done], { windowTokens: 1_000_000 });
    expect(ran.result).toMatchObject({ outcome: "Done", turns: 3 });
    expect(ran.turns[2]?.compactions).toHaveLength(1);
  });

  it("that the task alone is too long for ends the run at once in the server's words: no summary could help", async () => {
    const refuse: ScriptStep = async () => {
      throw new AgentdError("CONTEXT_OVERFLOW", "model:8000: the prompt is too long");
    };
    const ran = await run([refuse], { windowTokens: 2 });
    expect(ran.result).toMatchObject({ outcome: "ModelError", turns: 0, detail: "model:8000: the prompt is too long" });
    expect(ran.requests).toHaveLength(1);
  });

  it("that stays full ends the run, and says so", async () => {
    const refuse: ScriptStep = async () => {
      throw new AgentdError("CONTEXT_OVERFLOW", "model:8000: the prompt is too long");
    };
    expect((await run([long, refuse])).result).toMatchObject({
      outcome: "ModelError",
      detail: expect.stringContaining("too long"),
    });
  });
});

describe("chanting", () => {
  const chant: ScriptStep = async (request) => {
    const words = "I will fix it now. ";
    for (let said = 0; said < 1_000; said += 1) {
      const cutReason = request.onDelta?.({ kind: "reasoning", text: words });
      if (cutReason !== undefined) return { cutReason, reasoning: words.repeat(said), isTruncated: true };
    }
    return done;
  };

  it("is cut, named once, and ends with StuckLoop the second time", async () => {
    const ran = await run([chant, read, chant]);
    expect(ran.requests[1]?.messages.at(-1)?.content).toContain("said the same words again and again");
    expect(ran.result).toMatchObject({ outcome: "StuckLoop", turns: 3 });
  });
});

describe("a finish that is not accepted", () => {
  const objections = (...texts: readonly (string | undefined)[]) => {
    const left = [...texts];
    return async () => left.shift();
  };

  it("tells the model why, and lets it mend the result", async () => {
    const ran = await run([done, read, done], { judge: objections('check "test" failed: 1 != 2') });
    expect(ran.result).toMatchObject({ outcome: "Done", turns: 3, repairs: 1 });
    expect(ran.requests[1]?.messages.at(-1)?.content).toContain('Not accepted. check "test" failed: 1 != 2');
    expect(ran.turns[0]?.calls[0]).toMatchObject({ name: "finish", isError: true });
  });

  it("can be mended twice; then the run ends with what was judged last", async () => {
    const ran = await run([done], { judge: async () => "red" });
    expect(ran.result).toMatchObject({ outcome: "Done", turns: 3, repairs: 2 });
  });

  it("ends at once where no turn is left to mend it", async () => {
    const ran = await run([done], { judge: async () => "red", limits: { turnsMax: 1 } });
    expect(ran.result).toMatchObject({ outcome: "Done", turns: 1, repairs: 0 });
  });

  it("is not asked about for a task that is blocked", async () => {
    const blocked = calls(["finish", { status: "blocked", summary: "no such file" }]);
    expect((await run([blocked], { judge: async () => "red" })).result.outcome).toBe("Blocked");
  });

  it("is judged with what the harness saw, not with what the model says", async () => {
    const seen: unknown[] = [];
    await run([calls(["write", { file_path: "b.ts", content: "" }]), calls(["bash", { command: "true" }]), done], {
      judge: async (_, evidence) => void seen.push(evidence),
    });
    expect(seen).toMatchObject([{ lastChangeStep: 1, lastGreenCommandStep: 2, lastGreenCommand: "true" }]);
  });
});
