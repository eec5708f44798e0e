import type { Usage } from "../../resource.ts";
import type { ChangedFiles, CheckResult, GateVerdict, Outcome, Rewind } from "../task.ts";

/** What may happen to a task. Events with an attempt are fenced by it. */
export type TaskEvent =
  | { readonly type: "Granted"; readonly worker: string; readonly claimId: string; readonly base: string }
  | AttemptEnded
  /** Its worker fell silent: the attempt is over and the task is suspected of having killed the worker. */
  | { readonly type: "LeaseLost"; readonly attempt: number; readonly message: string; readonly usage?: Usage }
  | { readonly type: "Landed"; readonly attempt: number; readonly commit: string }
  | {
      readonly type: "Reopened";
      readonly attempt: number;
      readonly outcome: "MergeConflict" | "VerifyFailed";
      readonly notice: string;
      readonly message: string;
      /** What was run on the branch with the result merged, and its output; stays with the attempt. */
      readonly checks?: readonly CheckResult[];
    }
  /** `reason` is CamelCase and goes into the conditions, for example `JobCancelled` or `DependencyFailed`. */
  | { readonly type: "Cancelled"; readonly reason: string; readonly message: string }
  | { readonly type: "Retried" }
  /** As Retried; the next attempt goes on behind that turn. */
  | { readonly type: "Rewound"; readonly to: Omit<Rewind, "since"> }
  /** The job's activeDeadlineSeconds are over. */
  | { readonly type: "DeadlineExceeded"; readonly message: string };

/** A worker reported the end of an attempt, and the coordinator verified what it sent. */
export interface AttemptEnded {
  readonly type: "Ended";
  readonly attempt: number;
  readonly outcome: Outcome;
  /** Required with Done of an Agent task. */
  readonly commit?: string;
  readonly bundle?: string;
  readonly changed?: ChangedFiles;
  readonly checks: readonly CheckResult[];
  readonly usage: Usage;
  readonly gates?: readonly GateVerdict[];
  readonly repairs?: number;
  readonly claimed?: string;
  readonly message?: string;
  /** For the next attempt's prompt; built from the red checks where absent. */
  readonly notice?: string;
  readonly childDied?: boolean;
  /** Plan only: object with the command's output. */
  readonly output?: string;
  /** Digest of the worker's call. */
  readonly report?: string;
}
