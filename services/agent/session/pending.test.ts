import { readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import { calls } from "../scripted-model.ts";
import { runScript } from "../scripted-run.ts";
import { toolsDigest } from "../turn/conversation.ts";
import { createTemporaryWorktree, type TemporaryWorktree } from "../worktree/temporary-worktree.ts";
import { branchTo, lastPoint } from "./branch.ts";
import { rebuildRun } from "./rebuild.ts";
import type { CommandStart, StoredRecord } from "./session-record.ts";

let tree: TemporaryWorktree;
beforeEach(async () => {
  tree = await createTemporaryWorktree({ "a.ts": "const a = 1;\n" });
});
afterEach(() => tree[Symbol.asyncDispose]());

const done = calls(["finish", { status: "done", summary: "" }]);

/** Lives until its second command is to start; what is stored by then. */
async function killedRun(): Promise<{ records: StoredRecord[]; asked: number }> {
  const started: CommandStart[] = [];
  const answer = calls(
    ["write", { file_path: "new.ts", content: "let b;\n" }],
    ["bash", { command: "echo once >> effects", timeout: null }],
    ["bash", { command: "echo twice >> effects", timeout: null }],
    ["write", { file_path: "later.ts", content: "let c;\n" }],
    ["finish", { status: "done", summary: "" }],
  );
  const requests: unknown[] = [];
  const run = runScript(tree, [async (request) => (requests.push(request), answer)], {
    onCommand: async (start) => {
      started.push(start);
      if (started.length === 2) throw new Error("killed");
    },
  });
  await expect(run).rejects.toThrow("killed");
  const opening = (requests[0] as { messages: [] }).messages;
  const header = { kind: "session" as const, version: 1 as const, attempt: 1, atMs: 0, model: "m", base: "b" };
  const values = [
    { ...header, toolsDigest: toolsDigest(tree.tools.schemas), opening },
    ...started.map(({ turn, call, command, answer }) => ({
      ...{ kind: "started" as const, turn, atMs: 0, commands: [command], call },
      ...(answer === undefined ? {} : { answer }),
    })),
  ];
  const records = values.map((value) => ({ attempt: 1, value }));
  return { records: JSON.parse(JSON.stringify(records)) as StoredRecord[], asked: requests.length };
}

it("goes on with an answer whose command was started: edits are made again, commands are not, and the model is not asked again", async () => {
  const { records } = await killedRun();
  await rm(join(tree.root, "new.ts"));
  const point = lastPoint(records, 1);
  expect(point).toEqual({ attempt: 1, turn: 0 });
  const branch = branchTo(records, { attempt: 1, turn: 0 });
  if ("problem" in branch) throw new Error(branch.problem);
  expect(branch.lostCommands).toEqual([]);
  expect(branch.pending?.started).toEqual([1, 2]);
  const resume = rebuildRun(branch, tree.tools.schemas, "NOTE");
  if ("problem" in resume) throw new Error(resume.problem);
  const ran = await runScript(tree, [done], { resume });
  expect(ran.result).toMatchObject({ outcome: "Done", turns: 2, usage: { inputTokens: 200 } });
  expect(ran.requests).toHaveLength(1);
  const [first] = ran.turns;
  expect(first?.calls.map(({ isError }) => isError)).toEqual([false, true, true, true, true]);
  expect(first?.calls[1]?.result).toContain("it may have run, wholly or in part");
  expect(first?.calls[3]?.result).toBe("Not run: the machine was lost before this call.");
  const textOf = (name: string) => readFile(join(tree.root, name), "utf8");
  expect(await textOf("effects")).toBe("once\n");
  expect(await textOf("new.ts")).toBe("let b;\n");
});

it("is none where the request before the answer is another, or the turn's own record is there", async () => {
  const { records } = await killedRun();
  const changed = records.map((record) =>
    "answer" in record.value && record.value.answer !== undefined
      ? { ...record, value: { ...record.value, answer: { ...record.value.answer, requestDigest: "other" } } }
      : record,
  );
  const branch = branchTo(changed, { attempt: 1, turn: 0 });
  expect("problem" in branch ? branch : rebuildRun(branch, tree.tools.schemas, "")).toMatchObject({
    problem: "the request before the last answer is not as it was",
  });
  const turn = { attempt: 1, value: { turn: 1, calls: [] } } as unknown as StoredRecord;
  expect(branchTo([...records, turn], { attempt: 1, turn: 0 })).not.toHaveProperty("pending");
});
