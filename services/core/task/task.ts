import type { TaskOverrides } from "../job/job.ts";
import { type Condition, type Metadata, noUsage, type Usage } from "../resource.ts";

/** The heart of a task's machine; see `task-machine.ts` for every transition. */
export type TaskState = "Pending" | "Running" | "Merging" | "Succeeded" | "Failed" | "Cancelled";

/** How an attempt ended. */
export type Outcome =
  | "Done"
  | "GateFailed"
  | "StuckLoop"
  | "MaxTurns"
  | "ProtocolViolation"
  | "AlreadyDone"
  | "NoChange"
  | "MergeConflict"
  | "VerifyFailed"
  | "Blocked"
  | "BudgetExceeded"
  | "DeadlineExceeded"
  | "ModelError"
  | "Infra"
  | "RateLimited"
  | "LeaseLost"
  | "Cancelled"
  | "Poison";

/** Agent tasks are the user's; Plan (runs `forEach.command`) and Verify (runs `merge.verify`) are hidden. */
export type TaskKind = "Agent" | "Plan" | "Verify";

/** One check's result: the evidence. */
export interface CheckResult {
  readonly name: string;
  readonly status: "Passed" | "Failed" | "TimedOut" | "NotRun";
  /** Absent when it was killed or not run. */
  readonly exitCode?: number;
  readonly durationMs: number;
  /** sha256 of the whole output, hex. */
  readonly outputDigest: string;
  /** Last part of the output, at most 1,024 characters, control characters made visible by whoever prints it. */
  readonly outputTail: string;
  /** Result of the same command on the base commit; only looked up where the check is red. */
  readonly base?: "Passed" | "Failed" | "TimedOut";
}

/** Parts of the gate, in the order in which they are looked at. */
export type GateName = "Protocol" | "Effect" | "Acceptance" | "Freshness" | "Scope" | "Hygiene";

/** What one part of the gate found: a line of the certificate that goes with a result. */
export interface GateVerdict {
  readonly gate: GateName;
  /** Unproven: nothing speaks against it, and nothing for it. */
  readonly status: "Passed" | "Failed" | "Unproven" | "NotRun";
  /** For a person; at most 300 characters, empty where there is nothing to say. */
  readonly detail: string;
}

/** Why a re-opened task runs again: goes to the end of its prompt. */
export interface Notice {
  readonly outcome: Outcome;
  /** At most 6,000 characters. */
  readonly text: string;
}

/** One try of a task by one worker. */
export interface Attempt {
  readonly attempt: number;
  readonly worker: string;
  readonly startedAtMs: number;
  readonly endedAtMs?: number;
  /** Absent while it runs. */
  readonly outcome?: Outcome;
  /** Commit that the worktree started from. */
  readonly base: string;
  readonly commit?: string;
  readonly bundle?: string;
  readonly changed?: ChangedFiles;
  readonly checks: readonly CheckResult[];
  readonly usage: Usage;
  /** What the model said at the end; decides nothing. */
  readonly claimed?: string;
  /** For a person: why it ended so. At most 1,024 characters. */
  readonly message?: string;
  /** The certificate of a result that the agent called done. */
  readonly gates?: readonly GateVerdict[];
  /** Times that the gate sent the agent back to work; absent means none. */
  readonly repairs?: number;
  /** Digest of the `complete` that ended it: a repeat of that call gets the same answer. */
  readonly report?: string;
}

/** Paths that differ between base and result: the first 50 and the count of all. */
export interface ChangedFiles {
  readonly count: number;
  readonly insertions: number;
  readonly deletions: number;
  readonly paths: readonly string[];
}

/** Who holds the task now. */
export interface Lease {
  readonly worker: string;
  readonly claimId: string;
  readonly grantedAtMs: number;
}

/** What the planner decided; no attempt changes it. */
export interface TaskSpec {
  readonly kind: TaskKind;
  readonly index: number;
  readonly item: string;
  readonly matrix?: Readonly<Record<string, string>>;
  readonly dependsOn: readonly string[];
  readonly overrides?: TaskOverrides;
  /** Verify only: what is verified. */
  readonly verify?: VerifySubject;
}

/** The exact candidate that a Verify task checks. */
export interface VerifySubject {
  /** Head that the candidate was built on. Equal to `commit` when the base itself is verified. */
  readonly head: string;
  readonly commit: string;
  /** Object with the bundle `head..commit`; absent for the base. */
  readonly bundle?: string;
  /** Tasks and attempts that the candidate lands, in order. */
  readonly tasks: readonly { readonly name: string; readonly attempt: number }[];
}

/** What became of it; changed by `transition` only. */
export interface TaskStatus {
  readonly state: TaskState;
  /** Attempts granted so far; 0 before the first claim. The fencing token. */
  readonly attempt: number;
  /** The last 10. */
  readonly attempts: readonly Attempt[];
  readonly conditions: readonly Condition[];
  /** Outcome of the last attempt that ended, or of what ended the task. */
  readonly outcome?: Outcome;
  readonly message?: string;
  /** Attempts that burned one of `backoffLimit`. */
  readonly failures: number;
  /** Re-opens by MergeConflict or VerifyFailed; bound 5. */
  readonly reopens: number;
  /** Consecutive infrastructure ends, for the back-off. */
  readonly infraEnds: number;
  /** Deaths of the task's own child process; three are Poison. */
  readonly deaths: number;
  /** A worker died while it held this: its next attempts run in a child process each. */
  readonly isSuspect: boolean;
  /** Not before this time, milliseconds since the epoch; 0 means at once. */
  readonly notBeforeMs: number;
  readonly lease?: Lease;
  /** What waits for the merge, in state Merging; what landed, in Succeeded. */
  readonly result?: { readonly attempt: number; readonly commit: string; readonly bundle: string };
  /** Merge commit on the job's branch. */
  readonly landedCommit?: string;
  readonly notice?: Notice;
  /** Start the next attempt at the head instead of the job's base. */
  readonly startAtHead: boolean;
  /** The next attempt goes on behind this turn; kept until an attempt came to an end of its own. */
  readonly rewind?: Rewind;
  readonly usage: Usage;
  /** Plan only: object with the command's output. */
  readonly output?: string;
  /** Stored answer to a repeated `complete` of that attempt. */
  readonly finishedAtMs?: number;
}

/** The files as they were before a call of a turn; both from 1. */
export interface FilesPoint {
  readonly turn: number;
  readonly call: number;
}

/** Where a user has sent a task back to. */
export interface Rewind {
  readonly attempt: number;
  readonly turn: number;
  /** Base of that attempt, and so of the next. */
  readonly base: string;
  /** Attempts granted before the rewind. */
  readonly since: number;
  /** With the files as they were there; absent means after the turn. */
  readonly files?: FilesPoint;
}

/** A task that nobody has claimed yet. */
export const unclaimedStatus: TaskStatus = {
  state: "Pending",
  attempt: 0,
  attempts: [],
  conditions: [],
  failures: 0,
  reopens: 0,
  infraEnds: 0,
  deaths: 0,
  isSuspect: false,
  notBeforeMs: 0,
  startAtHead: false,
  usage: noUsage,
};

/** One item of work: one worktree, one agent, one merge. */
export interface Task {
  readonly kind: "Task";
  readonly metadata: Metadata;
  /** Name of the Job; its uid is `metadata.uid`. */
  readonly job: string;
  readonly spec: TaskSpec;
  readonly status: TaskStatus;
}
