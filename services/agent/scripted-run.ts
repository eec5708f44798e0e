import { pino } from "pino";
import type { ChatRequest } from "../model/chat.ts";
import type { AgentDeps, JudgeDone } from "./agent-contract.ts";
import { runAgent } from "./agent-loop.ts";
import type { AgentLimits, AgentResult } from "./agent-result.ts";
import { fixedWindow, type ScriptStep, scriptedModel } from "./scripted-model.ts";
import type { RebuiltRun } from "./session/rebuild.ts";
import type { TurnRecord } from "./transcript.ts";
import type { TemporaryWorktree } from "./worktree/temporary-worktree.ts";

/** How a scripted run ended, what it recorded, and what was sent to the model. */
export interface Ran {
  readonly result: AgentResult;
  readonly turns: TurnRecord[];
  readonly requests: ChatRequest[];
}

/** Runs the agent over `tree` against a model that answers from `script`. */
export async function runScript(
  tree: TemporaryWorktree,
  script: readonly ScriptStep[],
  options: RunOptions = {},
): Promise<Ran> {
  const turns: TurnRecord[] = [];
  const model = scriptedModel(...script);
  const result = await runAgent(
    {
      model,
      tokens: fixedWindow(options.windowTokens ?? 100_000),
      tools: tree.tools,
      instructions: tree.instructions,
      clock: options.clock ?? { now: () => Date.now() },
      judge: options.judge ?? (async () => undefined),
      ...(options.onCommand === undefined ? {} : { onCommand: options.onCommand }),
      onTurn: async (turn) => void turns.push(turn),
      log: pino({ level: "silent" }),
    },
    {
      systemPrompt: "system",
      jobText: "job",
      taskText: "task",
      limits: { turnsMax: 20, tokensMax: 1_000_000, wallMs: 60_000, ...options.limits },
      affinityKey: "key",
      traceparent: "00-trace",
      outputTokensMax: 500,
      ...(options.resume === undefined ? {} : { resume: options.resume }),
    },
    options.signal ?? new AbortController().signal,
  );
  return { result, turns, requests: model.requests };
}

/** What a test wants to be different. */
export interface RunOptions {
  readonly limits?: Partial<AgentLimits>;
  readonly clock?: { now(): number };
  readonly signal?: AbortSignal;
  readonly windowTokens?: number;
  readonly judge?: JudgeDone;
  readonly onCommand?: NonNullable<AgentDeps["onCommand"]>;
  readonly resume?: RebuiltRun;
}
