import type { Check, Limits } from "./job/job.ts";
import type { Usage } from "./resource.ts";
import type {
  ChangedFiles,
  CheckResult,
  FilesPoint,
  GateVerdict,
  Notice,
  Outcome,
  TaskKind,
  TaskState,
} from "./task/task.ts";

/** Names one attempt: the fence of everything a worker does. */
export interface AttemptRef {
  readonly uid: string;
  readonly task: string;
  readonly attempt: number;
}

/** A worker that pulled a hint asks for the task. The same claim id gets the same answer. */
export interface ClaimRequest {
  readonly claimId: string;
  readonly worker: string;
  readonly uid: string;
  readonly task: string;
}

/** The coordinator's answer to a claim. */
export type ClaimReply =
  | { readonly granted: true; readonly assignment: Assignment }
  /** Not runnable now: the hint is acknowledged and forgotten, the dispatcher gives another when it is. */
  | {
      readonly granted: false;
      readonly message: string;
      /** The worker may not claim at all: the hint goes back into the queue. */
      readonly isCordoned?: boolean;
    };

/** Everything a worker needs for one attempt. */
export interface Assignment extends AttemptRef {
  readonly namespace: string;
  readonly job: string;
  readonly kind: TaskKind;
  /** Signed over (uid, task, attempt, worker, expiry); goes with `complete`. */
  readonly token: string;
  /** Commit that the worktree starts from. */
  readonly base: string;
  /** Objects in bucket `agentd`, unpacked in this order to have `base`. */
  readonly bundles: readonly string[];
  readonly setup: readonly string[];
  /** Plan: the command. */
  readonly run?: string;
  readonly jobText: string;
  readonly taskText: string;
  readonly notice?: Notice;
  /** What earlier tasks left about the repository, a line each, oldest first. Models' words. */
  readonly memory?: readonly string[];
  readonly pool: string;
  readonly tools?: readonly string[];
  /** Patterns after rendering; absent means anything. */
  readonly writes?: readonly WritePattern[];
  /** As in the job's template. */
  readonly protect?: readonly string[];
  readonly checks: readonly Check[];
  readonly limits: Limits;
  /** Run in a child process of its own: a worker died with this task before. */
  readonly isIsolated: boolean;
  readonly traceparent: string;
  /** Go on here instead of at the beginning, where that can be. */
  readonly resume?: ResumeFrom;
  /** Set after attempts that were lost, for the case that their session cannot be gone on with. */
  readonly lost?: {
    /** What they had started; absent where nobody knows. At most 20, each at most 300 characters. */
    readonly commands?: readonly string[];
  };
}

/** The end of a turn of an earlier attempt with the same base. Names are of objects in bucket `agentd`. */
export interface ResumeFrom {
  readonly attempt: number;
  /** Who ran that attempt. */
  readonly worker: string;
  readonly turn: number;
  /** The records of all attempts that lead there, one JSON a line: `{attempt, value}`. */
  readonly transcript: string;
  /** Bundle with the files that it goes on with, or that `images` are put into; absent where they are those of the base. */
  readonly checkpoint?: string;
  /** The files are to be those of an earlier moment. */
  readonly files?: FilesPoint;
  /** Object with the bytes of files as they were before that turn's changes, as `TurnRecord.images` says. */
  readonly images?: string;
}

/** A rendered `writes` entry: literal when it came from a variable alone. */
export interface WritePattern {
  readonly pattern: string;
  readonly isLiteral: boolean;
}

/** The end of an attempt. A repeat gets the stored answer. */
export interface CompleteRequest extends AttemptRef {
  readonly token: string;
  readonly outcome: Outcome;
  /** Result commit, whose parent is the attempt's base; with Done only. */
  readonly commit?: string;
  /** Object in bucket `inbox` with the bundle `base..commit`, or the Plan's output. */
  readonly object?: string;
  readonly claimed: string;
  readonly message: string;
  readonly changed?: ChangedFiles;
  readonly checks: readonly CheckResult[];
  readonly gates?: readonly GateVerdict[];
  readonly repairs?: number;
  readonly usage: Usage;
  /** The attempt's own child process died; its living parent says so. */
  readonly childDied?: boolean;
  /** For the next attempt's prompt. */
  readonly notice?: string;
  /** For later tasks of the repository: at most 20 of at most 500 characters; kept only with Done. */
  readonly memories?: readonly string[];
}

/** The task after its attempt: the worker is told, and decides nothing by it. */
export interface CompleteReply {
  readonly state: TaskState;
}

/** What a worker says every heartbeat interval. Everything it holds is listed: what is missing is not held. */
export interface Heartbeat {
  readonly worker: string;
  readonly hostname: string;
  readonly pid: number;
  readonly version: string;
  readonly sandbox: string;
  readonly slots: number;
  readonly isDraining: boolean;
  /** It was told to claim nothing; absent in the heartbeats of older workers. */
  readonly isCordoned?: boolean;
  readonly startedAtMs: number;
  readonly held: readonly HeldAttempt[];
  /** Requests of this worker that wait for the engine now; feeds `why`. */
  readonly waitingForEngine: number;
  /** Set while no model endpoint answers. */
  readonly engineMessage?: string;
  /** The model pools that it asks. */
  readonly pools?: readonly PoolReport[];
}

/** What a worker says of a model pool. */
export interface PoolReport {
  readonly name: string;
  readonly models: readonly string[];
  /** Most requests of this worker in flight. */
  readonly requestsMax: number;
  readonly inFlight: number;
  /** Requests that wait for room, or for an engine that is down. */
  readonly waiting: number;
  readonly endpoints: readonly EndpointReport[];
}

/** What a worker says of one server of a pool. */
export interface EndpointReport {
  /** Without credentials. */
  readonly url: string;
  readonly isHealthy: boolean;
  readonly inFlight: number;
  /** What the last failed request said. */
  readonly message?: string;
}

/** An attempt that a worker works on. */
export interface HeldAttempt extends AttemptRef {
  readonly phase: "Preparing" | "Working" | "Gate" | "Completing";
  readonly usage: Usage;
}

/** Coordinator to worker: stop these at once, and claim or do not. Repeated with each heartbeat until it is so. */
export interface StopSignal {
  /** Their results are not wanted; or, with `giveBack`, another worker shall do them. */
  readonly stop: readonly (AttemptRef & { readonly reason: string; readonly giveBack?: boolean })[];
  /** Whether to claim nothing; absent leaves it as it is. */
  readonly isCordoned?: boolean;
}
