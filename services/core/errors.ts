/** Canonical gRPC status names that a reason may map to. */
export type StatusName =
  | "INVALID_ARGUMENT"
  | "NOT_FOUND"
  | "ALREADY_EXISTS"
  | "FAILED_PRECONDITION"
  | "ABORTED"
  | "OUT_OF_RANGE"
  | "RESOURCE_EXHAUSTED"
  | "PERMISSION_DENIED"
  | "UNAUTHENTICATED"
  | "UNIMPLEMENTED"
  | "UNAVAILABLE"
  | "DEADLINE_EXCEEDED"
  | "DATA_LOSS"
  | "INTERNAL";

interface ReasonEntry {
  readonly status: StatusName;
  /** Whether the same call may succeed later without a change by the caller. */
  readonly isRetryable: boolean;
  /** What the user should do; a row of the README's table. */
  readonly remedy: string;
}

/** Every reason agentd gives for a refusal or a failure: the one registry. Sorted by name. */
export const reasons = {
  ATTEMPT_STALE: {
    status: "FAILED_PRECONDITION",
    isRetryable: false,
    remedy: "Nothing: a newer attempt owns the task; the late result was recorded as an event.",
  },
  BRANCH_DIVERGED: {
    status: "FAILED_PRECONDITION",
    isRetryable: false,
    remedy: "Choose another target.branch, or delete or merge the branch that stands in the way.",
  },
  BRANCH_RESERVED: {
    status: "ALREADY_EXISTS",
    isRetryable: false,
    remedy: "Choose another target.branch, or delete the job that holds it.",
  },
  BUNDLE_INVALID: {
    status: "INVALID_ARGUMENT",
    isRetryable: false,
    remedy: "Send a complete git bundle made by `git bundle create`; it must pass `git index-pack --strict`.",
  },
  CONFLICT: { status: "ABORTED", isRetryable: true, remedy: "Read the resource again and repeat the change." },
  CONTEXT_OVERFLOW: {
    status: "FAILED_PRECONDITION",
    isRetryable: false,
    remedy: "Serve the model with a longer --max-model-len, or make the task smaller.",
  },
  DISK_FULL: { status: "RESOURCE_EXHAUSTED", isRetryable: true, remedy: "Free disk space in the data folder." },
  GLOB_NO_MATCH: {
    status: "INVALID_ARGUMENT",
    isRetryable: false,
    remedy: "Correct spec.plan.forEach.glob; it is matched against the files at repository.ref.",
  },
  INTERNAL: { status: "INTERNAL", isRetryable: false, remedy: "Look in the coordinator's log for the trace id." },
  INVALID_SPEC: { status: "INVALID_ARGUMENT", isRetryable: false, remedy: "Correct the named fields." },
  JOB_CLOSED: {
    status: "FAILED_PRECONDITION",
    isRetryable: false,
    remedy: "Create the job again: a cancelled or deleted job takes no more work.",
  },
  LIMIT_EXCEEDED: {
    status: "RESOURCE_EXHAUSTED",
    isRetryable: false,
    remedy: "Split the job, or raise the limit that the message names.",
  },
  MODEL_REFUSED: {
    status: "FAILED_PRECONDITION",
    isRetryable: false,
    remedy: "Read the model server's message; check the model's name and context length.",
  },
  NAME_TAKEN: {
    status: "ALREADY_EXISTS",
    isRetryable: false,
    remedy: "Choose another metadata.name, or delete the job that has it.",
  },
  NOT_FOUND: { status: "NOT_FOUND", isRetryable: false, remedy: "Check the name and the namespace." },
  NOT_LEADER: { status: "UNAVAILABLE", isRetryable: true, remedy: "Repeat the call: another coordinator leads." },
  NOT_SUPPORTED: { status: "UNIMPLEMENTED", isRetryable: false, remedy: "Leave the named field out." },
  OBJECT_MISSING: {
    status: "DATA_LOSS",
    isRetryable: true,
    remedy: "Repeat the call; if it stays, restore the object store from a backup and run `agentctl fsck`.",
  },
  REF_NOT_FOUND: {
    status: "INVALID_ARGUMENT",
    isRetryable: false,
    remedy: "Correct spec.repository.ref, or commit something to the empty repository.",
  },
  REPOSITORY_UNREACHABLE: {
    status: "INVALID_ARGUMENT",
    isRetryable: true,
    remedy: "Check spec.repository.url and that the coordinator can reach it.",
  },
  REQUEST_ID_REUSED: {
    status: "ALREADY_EXISTS",
    isRetryable: false,
    remedy: "Use a new request id for a different request.",
  },
  STATE_CONFLICT: {
    status: "FAILED_PRECONDITION",
    isRetryable: false,
    remedy: "Look at the resource's state: it does not allow this verb now.",
  },
  STORE_FULL: {
    status: "RESOURCE_EXHAUSTED",
    isRetryable: true,
    remedy: "Repeat it in a minute: history makes room. Delete finished jobs, or raise the limit, where it stays full.",
  },
  STORE_UNAVAILABLE: { status: "UNAVAILABLE", isRetryable: true, remedy: "Wait: NATS is down or restarting." },
  STORE_UNSAFE: {
    status: "FAILED_PRECONDITION",
    isRetryable: false,
    remedy: "Set `sync_interval: always` in the nats-server's jetstream block, or pass --allow-unsafe-storage.",
  },
  TOKEN_INVALID: {
    status: "PERMISSION_DENIED",
    isRetryable: false,
    remedy: "Nothing: the attempt's token does not belong to this worker, task and attempt, or has expired.",
  },
  UNAUTHENTICATED: {
    status: "UNAUTHENTICATED",
    isRetryable: false,
    remedy: "Send `authorization: Bearer TOKEN` with a token of the server's token file.",
  },
  UPLOAD_TOO_LARGE: {
    status: "RESOURCE_EXHAUSTED",
    isRetryable: false,
    remedy: "Upload a smaller bundle, or let the coordinator fetch the repository from a URL.",
  },
  WATCH_EXPIRED: { status: "OUT_OF_RANGE", isRetryable: false, remedy: "List again and watch from that version." },
} as const satisfies Record<string, ReasonEntry>;

/** The name of a reason in {@link reasons}. */
export type Reason = keyof typeof reasons;

/** One thing wrong with the caller's input. */
export interface FieldProblem {
  /** Path from the root of the resource, for example `spec.template.checks[0].run`. */
  readonly field: string;
  readonly message: string;
}

interface AgentdErrorOptions {
  /** The dynamic parts of the message, for machines. Never a secret. */
  readonly metadata?: Readonly<Record<string, string>>;
  readonly problems?: readonly FieldProblem[];
  readonly cause?: unknown;
  /** Milliseconds after which a retry makes sense; only on retryable reasons. */
  readonly retryAfterMs?: number;
}

/** The one error that domain code throws: a registered reason and a message for a person. */
export class AgentdError extends Error {
  override readonly name = "AgentdError";
  readonly reason: Reason;
  readonly metadata: Readonly<Record<string, string>>;
  readonly problems: readonly FieldProblem[];
  readonly retryAfterMs: number | undefined;

  constructor(reason: Reason, message: string, options: AgentdErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.reason = reason;
    this.metadata = options.metadata ?? {};
    this.problems = options.problems ?? [];
    this.retryAfterMs = options.retryAfterMs;
  }
}

/** Whether `error` is an AgentdError, of the given reason when one is named. */
export function isAgentdError(error: unknown, reason?: Reason): error is AgentdError {
  return error instanceof AgentdError && (reason === undefined || error.reason === reason);
}
