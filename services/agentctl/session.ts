import type { Readable } from "node:stream";
import type { Clients } from "./connect.ts";
import type { GlobalOptions } from "./global-options.ts";
import type { Terminal } from "./output/terminal.ts";

/** What every command has. */
export interface Place {
  readonly terminal: Terminal;
  readonly stdin: Readable;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Flags that stand before or behind every verb. */
  readonly globals: GlobalOptions;
  /** Where the user stands: local repositories are relative to it. */
  readonly directory: string;
  /** Milliseconds since the epoch. */
  now(): number;
  /** Aborted by Ctrl-C. */
  readonly signal: AbortSignal;
}

/** What a command that calls the server has. */
export interface Session extends Place, Clients {
  readonly namespace: string;
  /** HOST:PORT, for messages. */
  readonly server: string;
}

/** The exit codes of agentctl; part of its contract. */
export const exitCodes = { done: 0, error: 1, usage: 2, jobFailed: 3, waitTimedOut: 4, interrupted: 130 } as const;

/** One of {@link exitCodes}. */
export type ExitCode = (typeof exitCodes)[keyof typeof exitCodes];
