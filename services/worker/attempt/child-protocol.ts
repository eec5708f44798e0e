import type { Usage } from "../../core/resource.ts";
import type { Outcome } from "../../core/task/task.ts";
import type { Assignment } from "../../core/worker-protocol.ts";
import type { Sandbox } from "../../platform/process/sandbox.ts";
import type { SpanRecord } from "../../platform/telemetry/spans/span-record.ts";
import type { WorkerConfig } from "../config.ts";
import type { AttemptResult, Phase } from "./attempt-result.ts";

/** First line on an attempt child's standard input. */
export interface ChildInput {
  readonly config: WorkerConfig;
  /** Text of the creds file, if there is one. */
  readonly creds?: string;
  readonly sandbox: Sandbox;
  /** The worker's environment, of which the attempt's children get an allow-list. */
  readonly host: Readonly<Record<string, string | undefined>>;
  /** The child's own data folder. */
  readonly dataRoot: string;
  readonly assignment: Assignment;
}

/** Second line, if the attempt is to stop. The end of standard input means the same: the parent is gone. */
export interface ChildStop {
  readonly stop: { readonly outcome: Extract<Outcome, "Cancelled" | "Infra">; readonly message: string };
}

/** One line on the child's standard output. */
export type ChildMessage =
  | { readonly phase: Phase }
  | { readonly usage: Usage }
  | { readonly span: SpanRecord }
  | { readonly result: AttemptResult };
