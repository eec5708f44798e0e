import { type JudgeDone, runAgent } from "../../agent/agent-loop.ts";
import type { AgentResult } from "../../agent/agent-result.ts";
import { createAgentTools } from "../../agent/agent-tools.ts";
import { createRepositoryInstructions } from "../../agent/context/instructions.ts";
import { systemPromptFor } from "../../agent/prompt.ts";
import {
  commandCharsMax,
  openingBytesMax,
  type SessionHeader,
  type SessionStart,
} from "../../agent/session/session-record.ts";
import { traceTools } from "../../agent/tools/traced-tools.ts";
import type { TurnRecord } from "../../agent/transcript.ts";
import { steadyClock } from "../../agent/wall-budget.ts";
import { createWorktreeFiles } from "../../agent/worktree-files.ts";
import { addUsage, noUsage, type Usage } from "../../core/resource.ts";
import type { Assignment } from "../../core/worker-protocol.ts";
import type { ChatModel, ModelTraits, TokenCounter } from "../../model/chat.ts";
import { createTreeLook } from "../../platform/git/tree-look.ts";
import type { Logger } from "../../platform/telemetry/log.ts";
import { type CheckpointDeps, createCheckpoints } from "../session/checkpoints.ts";
import { type ResumeDeps, resumeSession } from "../session/resume.ts";
import type { Tree } from "../workspace/attempt-space.ts";
import type { SandboxedShell } from "../workspace/sandboxed-shell.ts";
import type { TranscriptSink } from "./transcript-sink.ts";

/** Output cap of one answer, in tokens: room for a whole source file, short of a looping model's whole window. */
const outputTokensMax = 16_384;

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

/** See {@link AgentTaskDeps.sessions}. */
export interface SessionDeps
  extends Pick<ResumeDeps, "download">,
    Pick<CheckpointDeps, "upload" | "isConnected" | "gapMs"> {
  /** Name of the model. */
  readonly model: string;
}

/** Binds the agent to this worker's sandbox, model and transcripts. */
export function createAgentTask(deps: AgentTaskDeps): RunAgentTask {
  return async (assignment, tree, hooks, signal) => {
    const { uid, task, attempt, limits, notice, resume } = assignment;
    const ref = { uid, task, attempt };
    const { place } = tree;
    const tools = await createAgentTools({
      root: place.tree,
      execute: deps.shell.execIn(place, { network: deps.network }),
      only: assignment.tools,
      editStyle: deps.traits.editStyle,
      scratch: deps.shell.scratchIn(place),
      git: createTreeLook(tree.worktree),
    });
    const instructions = createRepositoryInstructions(await createWorktreeFiles(place.tree), assignment.memory);
    let usage = noUsage;
    const logger = deps.logger.child({ uid, task, attempt });
    const { sessions } = deps;
    const { worktree } = tree;
    const resumed =
      sessions === undefined || resume === undefined
        ? undefined
        : await resumeSession({ ...sessions, logger }, assignment, resume, { worktree, tools }, signal);
    const start = resumed?.checkpoint ?? { commit: worktree.base };
    const checkpoints =
      sessions === undefined
        ? undefined
        : createCheckpoints({ ...sessions, worktree, start, nowMs: () => performance.now(), logger });
    const onTurn = async (turn: TurnRecord): Promise<void> => {
      usage = addUsage(usage, { ...turn.usage, turns: 1, seconds: 0 });
      hooks.onUsage(usage);
      const checkpoint = await checkpoints?.after(turn, signal);
      await deps.transcripts.append(ref, checkpoint === undefined ? turn : { ...turn, checkpoint }, signal);
    };
    const onSession = async (begun: SessionStart): Promise<void> => {
      const model = sessions?.model ?? "";
      await deps.transcripts.append(ref, headerOf(assignment, begun, model, resumed !== undefined), signal);
    };
    const onCommands = async (turn: number, commands: readonly string[]): Promise<void> => {
      const short = commands.map((command) => command.slice(0, commandCharsMax));
      await deps.transcripts.append(ref, { kind: "started", turn, atMs: steadyClock.now(), commands: short }, signal);
    };
    try {
      return await runAgent(
        {
          model: deps.model,
          tokens: deps.tokens,
          tools: traceTools(tools),
          instructions,
          clock: steadyClock,
          onSession,
          onCommands,
          onTurn,
          judge: hooks.judge,
          log: logger,
        },
        {
          systemPrompt: systemPromptFor(tools.schemas),
          jobText: assignment.jobText,
          taskText: assignment.taskText,
          notices: notice === undefined ? [] : [notice],
          limits: { turnsMax: limits.turns, tokensMax: limits.tokens, wallMs: limits.wallMs },
          affinityKey: `${uid}/${task}`,
          traceparent: assignment.traceparent,
          outputTokensMax,
          ...(resumed === undefined ? {} : { resume: resumed.run }),
        },
        signal,
      );
    } finally {
      await deps.transcripts.end(ref, signal);
    }
  };
}

function headerOf(assignment: Assignment, begun: SessionStart, model: string, isResumed: boolean): SessionHeader {
  const { attempt, base, resume } = assignment;
  const { opening, ...rest } = begun;
  const isKept = opening !== undefined && Buffer.byteLength(JSON.stringify(opening)) <= openingBytesMax;
  return {
    kind: "session",
    version: 1,
    attempt,
    ...(isResumed && resume !== undefined
      ? { parent: { attempt: resume.attempt, worker: resume.worker, turn: resume.turn } }
      : {}),
    atMs: steadyClock.now(),
    model,
    base,
    ...rest,
    ...(isKept ? { opening } : {}),
  };
}
