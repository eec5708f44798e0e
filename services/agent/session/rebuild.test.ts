import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { calls } from "../scripted-model.ts";
import { type Ran, runScript } from "../scripted-run.ts";
import type { TurnRecord } from "../transcript.ts";
import { toolsDigest } from "../turn/conversation.ts";
import { createTemporaryWorktree, type TemporaryWorktree } from "../worktree/temporary-worktree.ts";
import { type Branch, branchTo, lastPoint } from "./branch.ts";
import { branchNote } from "./branch-note.ts";
import { rebuildRun } from "./rebuild.ts";
import type { SessionHeader, StoredRecord } from "./session-record.ts";

let tree: TemporaryWorktree;
beforeEach(async () => {
  tree = await createTemporaryWorktree({ "a.ts": "const a = 1;\n", "sub/AGENTS.md": "Be brief.\n", "sub/b.ts": "b\n" });
});
afterEach(() => tree[Symbol.asyncDispose]());

const done = calls(["finish", { status: "done", summary: "" }]);
const read = (path: string) => calls(["read", { file_path: path, offset: null, limit: null }]);
const bash = (command: string) => calls(["bash", { command, timeout: null }]);

const branchOf = (ran: Ran, turns: readonly TurnRecord[]): Branch => ({
  opening: ran.requests[0]?.messages ?? [],
  toolsDigest: toolsDigest(tree.tools.schemas),
  // As they come back from where they were stored.
  steps: JSON.parse(JSON.stringify(turns)) as TurnRecord[],
  lostCommands: [],
});

/** Rebuilds behind every turn but the last, and compares with what was really sent next, where that was not shortened first. */
function expectRebuilt(ran: Ran): void {
  for (let count = 1; count < ran.turns.length; count += 1) {
    const run = rebuildRun(branchOf(ran, ran.turns.slice(0, count)), tree.tools.schemas, "NOTE");
    if ("problem" in run) throw new Error(run.problem);
    expect(run.turns).toBe(count);
    const sent = ran.requests.find(
      ({ messages }) => messages.filter(({ role }) => role === "assistant").length === count,
    );
    const isShortened = ran.turns.slice(0, count + 1).some(({ compactions }) => compactions.length > 0);
    const last = run.conversation.messages.at(-1);
    expect(last?.content.endsWith("\n\nNOTE")).toBe(true);
    if (isShortened) continue;
    const plain = [...run.conversation.messages.slice(0, -1), { ...last, content: last?.content.slice(0, -6) }];
    expect(plain).toEqual(sent?.messages);
  }
}

describe("a run that is rebuilt from its records", () => {
  it("has the very conversation, after reads, edits, failures, folders with instructions, nudges and refused finishes", async () => {
    const ran = await runScript(
      tree,
      [
        read("a.ts"),
        { content: "I think.", reasoning: "hm" },
        calls(["edit", { file_path: "a.ts", old_string: "1", new_string: "2" }], ["nope", {}], ["read", "{broken"]),
        read("sub/b.ts"),
        bash("echo out; exit 3"),
        done,
        { ...bash("true"), content: "now", isTruncated: true },
        done,
      ],
      { judge: async () => (tree.root === "" ? undefined : "The tests are red.") },
    );
    expect(ran.turns.length).toBeGreaterThanOrEqual(8);
    expectRebuilt(ran);
  });

  it.each([
    ["results were dropped", "prune", 8_000],
    ["summaries were made", "summary", 3_000],
  ])("has it after %s, with what counts towards their bound", async (_what, kind, windowTokens) => {
    const usage = { inputTokens: 0, cachedTokens: 0, outputTokens: 0 };
    const long = Array.from({ length: 14 }, (_, index) => ({ ...bash(`seq ${index} ${index + 700}`), usage }));
    const ran = await runScript(tree, [...long, done], { windowTokens });
    const made = ran.turns.flatMap(({ compactions }) => compactions);
    expect(made.map((each) => each.kind)).toContain(kind);
    expectRebuilt(ran);
    const run = rebuildRun(branchOf(ran, ran.turns.slice(0, -1)), tree.tools.schemas, "");
    expect("problem" in run ? run : run.compactions).toHaveLength(
      ran.turns.slice(0, -1).flatMap(({ compactions }) => compactions).length,
    );
  });

  it("is refused where a record was changed, the tools are others, or the run was over", async () => {
    const ran = await runScript(tree, [read("a.ts"), bash("echo hi"), done]);
    const [first, second] = ran.turns as [TurnRecord, TurnRecord];
    const problemOf = (turns: readonly TurnRecord[], tools = tree.tools.schemas) =>
      rebuildRun(branchOf(ran, turns), tools, "");
    const call = { ...(second.calls[0] as TurnRecord["calls"][number]), result: "other" };
    expect(problemOf([first, { ...second, calls: [call] }])).toMatchObject({
      problem: expect.stringMatching(/turn 2.*after it/u),
    });
    expect(problemOf([second])).toMatchObject({ problem: expect.stringMatching(/turn 2.*before it/u) });
    expect(problemOf(ran.turns)).toMatchObject({ problem: expect.stringMatching(/turn 3.*ended/u) });
    expect(problemOf([first], tree.tools.schemas.slice(1))).toMatchObject({ problem: "the tools are others now" });
  });
});

describe("a branch of sessions", () => {
  const header = (attempt: number, parent?: SessionHeader["parent"]): StoredRecord => ({
    attempt,
    value: {
      kind: "session",
      version: 1,
      attempt,
      atMs: 0,
      model: "m",
      base: "b",
      toolsDigest: "t",
      ...(parent === undefined ? { opening: [{ role: "user", content: "go" }] } : { parent, note: "back" }),
    },
  });
  const turn = (attempt: number, number: number, isKept = true): StoredRecord => ({
    attempt,
    value: {
      turn: number,
      calls: [],
      ...(isKept ? { checkpoint: { commit: "c" } } : {}),
    } as unknown as TurnRecord,
  });
  const started = (attempt: number, number: number, ...commands: string[]): StoredRecord => ({
    attempt,
    value: { kind: "started", turn: number, atMs: 0, commands },
  });
  const records = [
    header(1),
    turn(1, 1),
    started(1, 2, "make"),
    turn(1, 2),
    started(1, 3, "deploy"),
    turn(1, 3, false),
    header(2, { attempt: 1, worker: "w", turn: 2 }),
    turn(2, 3),
  ];

  it("joins the turns of all attempts that lead to its end", () => {
    const branch = branchTo(records, { attempt: 2, turn: 3 });
    if ("problem" in branch) throw new Error(branch.problem);
    const shown = branch.steps.map((step) => ("note" in step ? step.note : step.turn));
    expect(shown).toEqual([1, 2, "back", 3]);
    expect(branch.lostCommands).toEqual([]);
  });

  it("tells of commands that were started behind it", () => {
    const branch = branchTo(records, { attempt: 1, turn: 2 });
    expect(branch).toMatchObject({ lostCommands: ["deploy"] });
    expect(branchNote(2, ["deploy"])).toMatch(/may have run.*- deploy\n.*Look before/su);
  });

  it("goes on behind the last turn whose files were kept, else where the attempt branched off, else at its beginning", () => {
    expect(lastPoint(records, 1)).toEqual({ attempt: 1, turn: 2 });
    expect(lastPoint([...records, header(3, { attempt: 2, worker: "w", turn: 3 })], 3)).toMatchObject({
      attempt: 2,
      turn: 3,
    });
    expect(lastPoint([header(1), started(1, 1, "x")], 1)).toEqual({ attempt: 1, turn: 0 });
    expect(lastPoint(records, 4)).toBeUndefined();
  });

  it("is none where a turn or an attempt is missing", () => {
    expect(branchTo(records, { attempt: 1, turn: 9 })).toMatchObject({ problem: "turns of attempt 1 are missing" });
    expect(branchTo(records.slice(1), { attempt: 2, turn: 3 })).toMatchObject({ problem: "attempt 1 has no header" });
  });
});
