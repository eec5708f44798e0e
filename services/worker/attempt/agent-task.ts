import type { JudgeDone } from "../../agent/agent-contract.ts";
import { runAgent } from "../../agent/agent-loop.ts";
import type { AgentResult } from "../../agent/agent-result.ts";
import { createAgentTools } from "../../agent/agent-tools.ts";
import { createRepositoryInstructions } from "../../agent/context/instructions.ts";
import { systemPromptFor } from "../../agent/prompt.ts";
import { traceTools } from "../../agent/tools/traced-tools.ts";
import type { TurnRecord } from "../../agent/transcript.ts";
import { steadyClock } from "../../agent/turn/wall-budget.ts";
import { createWorktreeFiles } from "../../agent/worktree/worktree-files.ts";
import { addUsage, noUsage, type Usage } from "../../core/resource.ts";
import type { Assignment } from "../../core/worker-protocol.ts";
import type { ChatModel, ModelTraits, TokenCounter } from "../../model/chat.ts";
import { createTreeLook } from "../../platform/git/worktree/tree-look.ts";
import type { Logger } from "../../platform/telemetry/log.ts";
import { type AttemptSession, openAttemptSession, type SessionDeps } from "../session/attempt-session.ts";
import type { Tree } from "../workspace/attempt-space.ts";
import type { SandboxedShell } from "../workspace/sandboxed-shell.ts";
import type { TranscriptSink } from "./transcript-sink.ts";

/** Output cap of one answer, in tokens: room for a whole source file, short of a looping model's whole window. */
const outputTokensMax = 16_384;
/** Of a small window an answer gets at most this share: vLLM refuses a cap that does not fit beside the prompt. */
const outputShareMax = 0.25;

/** What an agent tells while it works, and whom it asks whether it is done. */
export interface AgentHooks {
  onUsage(usage: Usage): void;
  readonly judge: JudgeDone;
}

/** Lets the model work in `tree`; what it says about its success decides nothing. */
export type RunAgentTask = (
  assignment: Assignment,
  tree: Tree,
  hooks: AgentHooks,
  signal: AbortSignal,
) => Promise<AgentResult>;

/** What {@link createAgentTask} binds. */
export interface AgentTaskDeps {
  readonly model: ChatModel;
  readonly tokens: TokenCounter;
  readonly traits: Pick<ModelTraits, "editStyle">;
  readonly shell: SandboxedShell;
  /** Whether the agent's commands may reach the network, where the sandbox can tell. */
  readonly network: boolean;
  readonly transcripts: TranscriptSink;
  /** What it takes to keep the files of turns and to go on with an earlier attempt's session; absent where nobody ever will. */
  readonly sessions?: SessionDeps;
  readonly logger: Logger;
}

/** Binds the agent to this worker's sandbox, model and transcripts. */
export function createAgentTask(deps: AgentTaskDeps): RunAgentTask {
  return async (assignment, tree, hooks, signal) => {
    const { uid, task, attempt, limits, notice } = assignment;
    const ref = { uid, task, attempt };
    const { place } = tree;
    let session: AttemptSession | undefined;
    const tools = await createAgentTools({
      root: place.tree,
      execute: deps.shell.execIn(place, { network: deps.network }),
      only: assignment.tools,
      editStyle: deps.traits.editStyle,
      scratch: deps.shell.scratchIn(place),
      git: createTreeLook(tree.worktree),
      beforeChange: async (before) => session?.beforeChange(before),
    });
    const instructions = createRepositoryInstructions(await createWorktreeFiles(place.tree), assignment.memory);
    const windowTokens = await deps.tokens.contextTokensMax(signal);
    let usage = noUsage;
    const logger = deps.logger.child({ uid, task, attempt });
    const story = { ...deps, logger };
    const opened = await openAttemptSession(story, assignment, { worktree: tree.worktree, tools }, signal);
    session = opened;
    const onTurn = async (turn: TurnRecord): Promise<void> => {
      usage = addUsage(usage, { ...turn.usage, turns: 1, seconds: 0 });
      hooks.onUsage(usage);
      await opened.onTurn(turn);
    };
    try {
      return await runAgent(
        {
          model: deps.model,
          tokens: deps.tokens,
          tools: traceTools(tools),
          instructions,
          clock: steadyClock,
          onSession: opened.onSession,
          onCommand: opened.onCommand,
          onTurn,
          judge: hooks.judge,
          log: logger,
        },
        {
          systemPrompt: systemPromptFor(tools.schemas),
          jobText: assignment.jobText,
          taskText: assignment.taskText,
          notices: [...(notice === undefined ? [] : [notice]), ...opened.notices],
          limits: { turnsMax: limits.turns, tokensMax: limits.tokens, wallMs: limits.wallMs },
          affinityKey: `${uid}/${task}`,
          traceparent: assignment.traceparent,
          outputTokensMax: Math.min(outputTokensMax, Math.floor(windowTokens * outputShareMax)),
          ...(opened.resume === undefined ? {} : { resume: opened.resume }),
        },
        signal,
      );
    } finally {
      await deps.transcripts.end(ref, signal);
    }
  };
}
