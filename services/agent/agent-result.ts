import type { ChatUsage } from "../model/chat.ts";

/** How an agent's run ended. What it says decides nothing: the gate does. */
export type AgentOutcome =
  | "Done"
  | "Blocked"
  | "MaxTurns"
  | "BudgetExceeded"
  | "DeadlineExceeded"
  | "StuckLoop"
  | "ProtocolViolation"
  | "ModelError";

/** The end of one run. */
export interface AgentResult {
  readonly outcome: AgentOutcome;
  /** The model's own words from finish, without thoughts and control tokens; at most 4,000 characters, may be empty. */
  readonly summary: string;
  /** Model answers received. */
  readonly turns: number;
  readonly usage: ChatUsage;
  /** For a person: why it ended so. At most 1,024 characters. */
  readonly detail: string;
  /** Times that `judge` sent it back to work. */
  readonly repairs: number;
  /** What it wants later tasks to know; at most 20 texts of at most 500 characters. */
  readonly memories: readonly string[];
}

/** Bounds of one run. */
export interface AgentLimits {
  /** Model answers. */
  readonly turnsMax: number;
  /**
   * Input plus output tokens as the server reported them, added up over all turns: each turn's whole prompt counts, cached or
   * not. Looked at after each answer, so the last answer may go beyond it; a finish in that answer still counts.
   */
  readonly tokensMax: number;
  /** Time for model answers and tools together; waiting for the engine does not count. */
  readonly wallMs: number;
}
