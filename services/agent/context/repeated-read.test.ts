import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { calls, type ScriptStep } from "../scripted-model.ts";
import { type RunOptions, runScript } from "../scripted-run.ts";
import { createTemporaryWorktree, type TemporaryWorktree } from "../worktree/temporary-worktree.ts";

let tree: TemporaryWorktree;
beforeAll(async () => {
  const lines = (count: number) => Array.from({ length: count }, (_, index) => `const value${index} = ${index};\n`);
  tree = await createTemporaryWorktree({ "long.ts": lines(200).join(""), "short.ts": lines(3).join("") });
});
afterAll(() => tree[Symbol.asyncDispose]());

const read = (file_path: string, offset: number | null = null) => calls(["read", { file_path, offset, limit: null }]);
const edit = calls(["edit", { file_path: "long.ts", old_string: "value7 = 7;", new_string: "value7 = 8;" }]);
const undo = calls(["edit", { file_path: "long.ts", old_string: "value7 = 8;", new_string: "value7 = 7;" }]);
const done = calls(["finish", { status: "done", summary: "Done." }]);

/** What the model was told in the last request, result by result. */
async function toldOf(script: readonly ScriptStep[], options?: RunOptions) {
  const ran = await runScript(tree, [...script, done], options);
  const told = ran.requests.at(-1)?.messages.filter(({ role }) => role === "tool") ?? [];
  return { ran, told: told.map(({ content }) => (content.startsWith("[unchanged:") ? "unchanged" : content)) };
}

describe("a repeated read", () => {
  it("of an unchanged range is told in a line, once; the record has the text", async () => {
    const { told, ran } = await toldOf([read("long.ts"), read("long.ts"), read("long.ts", 100)]);
    expect(told[0]).toContain("value199");
    expect(told[1]).toBe("unchanged");
    expect(told[2]).toContain("value199");
    expect(ran.turns[1]?.calls[0]?.result).toBe(ran.turns[0]?.calls[0]?.result);
    const asked = await toldOf([read("long.ts"), read("long.ts"), read("long.ts")]);
    expect(asked.told[2]).toContain("value199");
  });

  it("still counts as the same result for the guards, whose note the model is told", async () => {
    const { told, ran } = await toldOf(Array.from({ length: 6 }, () => read("long.ts")));
    expect(told[2]).toContain("[agentd]");
    expect(ran.result.outcome).toBe("StuckLoop");
  });

  it("of a changed file has the text, and of a short one", async () => {
    const { told } = await toldOf([read("long.ts"), edit, read("long.ts"), undo, read("short.ts"), read("short.ts")]);
    expect(told[2]).toContain("value7 = 8;");
    expect(told[5]).toContain("value2");
  });

  it("has the text again once a compaction has dropped it", async () => {
    // The engine says that it is nearly full, so that each turn counts.
    const usage = { inputTokens: 9_000, cachedTokens: 0, outputTokens: 10 };
    const pages = Array.from({ length: 7 }, (_, index) => ({ ...read("long.ts", index + 2), usage }));
    const { told, ran } = await toldOf([read("long.ts"), ...pages, read("long.ts")], { windowTokens: 14_000 });
    expect(ran.turns.flatMap((turn) => turn.compactions).length).toBeGreaterThan(0);
    expect(told[0]).not.toContain("value0 ");
    expect(told.at(-1)).toContain("value0 ");
  });
});
