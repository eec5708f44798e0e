import type { Notice } from "../core/task/task.ts";
import type { ChatModel, TokenCounter } from "../model/chat.ts";
import type { Logger } from "../platform/telemetry/log.ts";
import type { AgentLimits } from "./agent-result.ts";
import type { RepositoryInstructions } from "./context/instructions.ts";
import type { Evidence } from "./context/ledger.ts";
import type { RebuiltRun } from "./session/rebuild.ts";
import type { CommandStart, SessionStart } from "./session/session-record.ts";
import type { FinishClaim } from "./tools/finish.ts";
import type { ToolSet } from "./tools/tool-set.ts";
import type { TurnRecord } from "./transcript.ts";
import type { Clock } from "./turn/wall-budget.ts";

/** What the agent is to do. */
export interface AgentTask {
  readonly systemPrompt: string;
  readonly jobText: string;
  readonly taskText: string;
  /** From earlier attempts, oldest first. */
  readonly notices?: readonly Notice[];
  readonly limits: AgentLimits;
  readonly affinityKey: string;
  readonly traceparent?: string;
  /** Output cap of one answer, in tokens. */
  readonly outputTokensMax: number;
  /** Goes on here instead of at the beginning; the limits count what was used before. Used up by the run. */
  readonly resume?: RebuiltRun;
}

/**
 * Asked when the model calls its task done. Undefined accepts; a text is what the model is told, with the real output, before it
 * goes on. The time of judging does not count.
 */
export type JudgeDone = (claim: FinishClaim, evidence: Evidence) => Promise<string | undefined>;

/** Whom one agent works with, and who is told of it. */
export interface AgentDeps {
  readonly model: ChatModel;
  /** Tells how long the conversation is, and how long it may be. */
  readonly tokens: TokenCounter;
  readonly tools: ToolSet;
  readonly instructions: RepositoryInstructions;
  readonly clock: Clock;
  readonly judge: JudgeDone;
  /** Told once, before the first turn. Default: nobody. */
  onSession?(start: SessionStart): Promise<void>;
  /** Told of a command before it runs, and waited for: what it throws ends the run. Default: nobody. */
  onCommand?(started: CommandStart): Promise<void>;
  /** Stores a turn before the next one starts; what it throws ends the run. */
  onTurn(turn: TurnRecord): Promise<void>;
  readonly log: Logger;
}
