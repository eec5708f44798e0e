import { charsOf } from "../../services/agent/context/shorten.ts";
import { treeSitterCheck } from "../../services/agent/edit/syntax-check.ts";
import { calls, type ScriptStep, scriptedModel } from "../../services/agent/scripted-model.ts";
import { runScript } from "../../services/agent/scripted-run.ts";
import { createTemporaryWorktree, type TemporaryWorktree } from "../../services/agent/worktree/temporary-worktree.ts";
import type { ChatMessage } from "../../services/model/chat.ts";
import { judgeDone } from "../../services/worker/gate/done-gate.ts";
import { brokenSyntax } from "../../services/worker/gate/syntax-errors.ts";
import { type BenchOptions, type Figure, median } from "./figure.ts";

const files = 20;
const lines = 300;
const wideWindow = 1_000_000;
/** The conversation of the script fills it some times over. */
const narrowWindow = 40_000;
const signal = new AbortController().signal;

const pathOf = (file: number): string => `src/f${file}.ts`;
const textOf = (file: number, edited = false): string =>
  Array.from(
    { length: lines },
    (_, line) => `export const value${line} = ${line === 7 && edited ? "seven" : line} + ${file};\n`,
  )
    .join("")
    .replace("seven", "7_000");

function openTree(): Promise<TemporaryWorktree> {
  return createTemporaryWorktree(
    Object.fromEntries(Array.from({ length: files }, (_, file) => [pathOf(file), textOf(file)])),
  );
}

/** Reads, searches, edits and runs commands in one file after the other; the usage is told as an engine would. */
function scriptOf(turns: number): readonly ScriptStep[] {
  const wanted = (turn: number): readonly [string, unknown] => {
    const file = Math.floor(turn / 4) % files;
    const round = Math.floor(turn / 4 / files);
    switch (turn % 4) {
      case 0:
        return ["read", { file_path: pathOf(file), offset: 1 + round, limit: null }];
      case 1:
        return ["grep", { pattern: `value${turn} `, path: pathOf(file) }];
      case 2: {
        const [line, value] = [20 + round, 20 + round];
        const before = `value${line} = ${value} + ${file};`;
        return ["edit", { file_path: pathOf(file), old_string: before, new_string: `${before} // ${turn}` }];
      }
      default:
        return ["bash", { command: `echo turn ${turn}` }];
    }
  };
  const steps = Array.from(
    { length: turns - 1 },
    (_, turn): ScriptStep =>
      async ({ messages }) => {
        const usage = { inputTokens: Math.ceil(charsOf(messages) / 4), cachedTokens: 0, outputTokens: 50 };
        return { ...calls(wanted(turn)), content: "## Goal\nas above", usage };
      },
  );
  return [...steps, calls(["finish", { status: "done", summary: "Done.", claims: null }])];
}

/** The least that lets a model use the same tools. */
async function bareLoop(tree: TemporaryWorktree, script: readonly ScriptStep[]): Promise<void> {
  const model = scriptedModel(...script);
  const messages: ChatMessage[] = [
    { role: "system", content: "system" },
    { role: "user", content: "task" },
  ];
  for (;;) {
    const request = {
      messages,
      tools: tree.tools.schemas,
      toolChoice: "auto",
      outputTokensMax: 500,
      affinityKey: "",
    } as const;
    const reply = await model.chat(request, signal);
    messages.push({ role: "assistant", content: reply.content, toolCalls: reply.toolCalls });
    for (const call of reply.toolCalls) {
      const verdict = tree.tools.check(call);
      if ("problem" in verdict) throw new Error(verdict.problem);
      const { content } = await tree.tools.run(verdict.valid, signal);
      messages.push({ role: "tool", toolCallId: call.id, content });
      if (verdict.valid.finish !== undefined) return;
    }
  }
}

async function cpuMsOf(work: () => Promise<void>): Promise<number> {
  const before = process.cpuUsage();
  await work();
  const { user, system } = process.cpuUsage(before);
  return (user + system) / 1_000;
}

async function wholeLoop(tree: TemporaryWorktree, turns: number, windowTokens: number): Promise<number> {
  const limits = { turnsMax: 10 * turns, tokensMax: 1e12, wallMs: 600_000 };
  const { result, turns: records } = await runScript(tree, scriptOf(turns), { limits, windowTokens });
  if (result.outcome !== "Done") throw new Error(`the loop ended with ${result.outcome}: ${result.detail}`);
  return records.reduce((sum, { compactions }) => sum + compactions.length, 0);
}

/** What the gate itself costs for a result of `changed` files: the look at the diff and the parser; checks are the task's. */
async function gateOnce(changed: number): Promise<void> {
  const blobs = new Map<string, string>();
  const diffs = Array.from({ length: changed }, (_, file) => {
    const [before, after] = [file, file + changed].map((id) => id.toString(16).padStart(40, "0")) as [string, string];
    blobs.set(before, textOf(file)).set(after, textOf(file, true));
    const path = pathOf(file);
    return `diff --git a/${path} b/${path}\nindex ${before}..${after} 100644\n--- a/${path}\n+++ b/${path}\n@@ -8 +8 @@\n-export const value7 = 7 + ${file};\n+export const value7 = 7_000 + ${file};\n`;
  });
  const result = {
    commit: "c",
    paths: Array.from({ length: changed }, (_, file) => pathOf(file)),
    diff: diffs.join(""),
  };
  const evidence = {
    lastChangeStep: 1,
    lastGreenCommandStep: 2,
    lastGreenCommand: "test",
    lastRedCommandStep: 0,
    lastRedCommand: "",
    runs: [],
  };
  const readBlob = async (object: string): Promise<Buffer> => Buffer.from(blobs.get(object) ?? "");
  const syntax = { syntax: treeSitterCheck, readBlob, monotonicMs: () => performance.now() };
  const verdict = await judgeDone(
    {
      rules: {},
      isTold: false,
      checks: [],
      take: async () => result,
      brokenSyntax: (_result, found) => brokenSyntax(syntax, found),
      runChecks: async () => ({ checks: [], isGreen: true, message: "" }),
      lookUpBase: async () => "Failed",
    },
    { status: "done", summary: "Done.", claims: null },
    evidence,
  );
  if (verdict.outcome !== "Done") throw new Error(`the gate said ${verdict.message}`);
}

/** CPU of an agent's turn without its model, against the least that lets a model use the same tools. */
export async function agentLoopBench({ isSmall }: BenchOptions): Promise<readonly Figure[]> {
  const [turns, rounds] = isSmall ? [12, 2] : [120, 7];
  const cpu = { bare: [] as number[], whole: [] as number[], narrow: [] as number[], gate: [] as number[] };
  let compactions = 0;
  for (let round = -1; round < rounds; round += 1) {
    const measured = async (list: number[], work: (tree: TemporaryWorktree) => Promise<void>): Promise<void> => {
      await using tree = await openTree();
      const ms = await cpuMsOf(() => work(tree));
      // The first round warms everything up.
      if (round >= 0) list.push(ms);
    };
    await measured(cpu.bare, (tree) => bareLoop(tree, scriptOf(turns)));
    await measured(cpu.whole, async (tree) => void (await wholeLoop(tree, turns, wideWindow)));
    await measured(cpu.narrow, async (tree) => {
      compactions = await wholeLoop(tree, turns, narrowWindow);
    });
    await measured(cpu.gate, () => gateOnce(1));
  }
  const [bare, whole, narrow] = [cpu.bare, cpu.whole, cpu.narrow].map((list) => median(list) / turns) as [
    number,
    number,
    number,
  ];
  const gate = median(cpu.gate);
  const shown = (ms: number) => `${ms.toFixed(2)} ms`;
  const asked = (value: number) => (isSmall ? {} : { target: { is: "at most", value } as const });
  return [
    {
      name: "CPU of a turn of the whole loop",
      value: whole / bare,
      unit: "×",
      baseline: "a bare loop with the same tools",
      ...asked(1.5),
      detail: `${shown(whole)} against ${shown(bare)}, ${turns} turns, median of ${rounds}`,
    },
    {
      name: "CPU of a turn while the conversation is made shorter",
      value: narrow / whole,
      unit: "×",
      baseline: "the whole loop in a wide window",
      detail: `${shown(narrow)} a turn, ${compactions} compactions in ${turns} turns`,
    },
    {
      name: "CPU of the gate for a result of one file, without its checks",
      value: gate / bare,
      unit: "×",
      baseline: "one turn of the bare loop",
      detail: `${shown(gate)} once a task: diff, review, parser`,
    },
  ];
}
