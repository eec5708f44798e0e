import type { Condition, Metadata, Usage } from "../resource.ts";

/** A command that proves something: green is exit code 0. */
export interface Check {
  /** DNS label, unique in its list. */
  readonly name: string;
  /** Shell command; `{{variables}}` become single-quoted words. */
  readonly run: string;
  /** Default 600,000 (10 minutes). */
  readonly timeoutMs: number;
  /** Must be red on the base commit: a check that is green without the change proves nothing. Absent means no. */
  readonly redOnBase?: boolean;
}

/** Bounds of one attempt. */
export interface Limits {
  /** Default 60. */
  readonly turns: number;
  /** Input plus output tokens as the engine counted them. Default 2,000,000. */
  readonly tokens: number;
  /** Stands still while the attempt waits for the engine. Default 1,200,000 (20 minutes). */
  readonly wallMs: number;
}

/** What every task of the job does, with `{{variables}}`. */
export interface TaskTemplate {
  readonly prompt: string;
  /** Name of the model pool. Default `default`. */
  readonly pool: string;
  /** Tools that the agent may use; absent means all. */
  readonly tools?: readonly string[];
  /** Globs that every changed path must match (both sides of a rename); absent means anything. */
  readonly writes?: readonly string[];
  /**
   * Globs of existing files that no result may change or delete; empty means none. Absent means, where `writes` is absent too: tests
   * and what runs them (CI, lock files, runners' configuration).
   */
  readonly protect?: readonly string[];
  readonly checks: readonly Check[];
  readonly limits: Limits;
}

/** A task written out by the user; what is absent comes from the template. */
export interface ExplicitTask {
  readonly name: string;
  readonly prompt?: string;
  readonly item?: string;
  readonly writes?: readonly string[];
  readonly checks?: readonly Check[];
  readonly dependsOn: readonly string[];
  readonly priority?: number;
}

/** How the job is split into tasks. */
export type Plan =
  | { readonly kind: "tasks"; readonly tasks: readonly ExplicitTask[] }
  | { readonly kind: "glob"; readonly glob: string; readonly exclude: readonly string[] }
  /** One item a line of the command's standard output, run by a worker at the base commit. */
  | { readonly kind: "command"; readonly run: string }
  | { readonly kind: "lines"; readonly lines: readonly string[] }
  /** The cross product, first key slowest. */
  | { readonly kind: "matrix"; readonly matrix: Readonly<Record<string, readonly string[]>> };

/** Where the code comes from: exactly one of `url` and `upload`. */
export interface RepositorySource {
  /** A path or git URL that the coordinator reaches. */
  readonly url?: string;
  /** `sha256:` digest of an uploaded bundle. */
  readonly upload?: string;
  /** Branch, tag or commit. Default `HEAD`. */
  readonly ref: string;
}

/** What the user wants. Defaults are filled in by admission, so every field has its value here. */
export interface JobSpec {
  readonly repository: RepositorySource;
  readonly target: { readonly branch: string; readonly push: boolean };
  readonly workspace: { readonly setup: readonly string[] };
  readonly plan: Plan;
  readonly template: TaskTemplate;
  /** Tasks that run at once; 0 means no bound. */
  readonly parallelism: number;
  /** Failures that burn an attempt before the task fails; default 2. */
  readonly backoffLimit: number;
  readonly allowNoChange: boolean;
  readonly allowUnverified: boolean;
  /** 0 means none. */
  readonly activeDeadlineSeconds: number;
  /** -1 means keep for ever. */
  readonly ttlSecondsAfterFinished: number;
  /** Higher goes first. Default 0. */
  readonly priority: number;
  readonly suspend: boolean;
  readonly merge: { readonly verify: readonly Check[]; readonly onConflict: "Reopen" | "Fail" };
}

/** Tasks by state; hidden tasks (Plan, Verify) are not counted. */
export interface TaskCounts {
  readonly pending: number;
  readonly running: number;
  readonly merging: number;
  readonly succeeded: number;
  readonly failed: number;
  readonly cancelled: number;
}

/** How far the branch has come on the origin. */
export interface PublishStatus {
  /** Commit that the origin (or the downloader) is known to hold. */
  readonly commit?: string;
  /** Head at which publishing was given up; absent while it is still tried. */
  readonly gaveUpAt?: string;
  readonly attempts: number;
  readonly message: string;
}

/** What is so. */
export interface JobStatus {
  readonly observedGeneration: number;
  readonly conditions: readonly Condition[];
  readonly base: { readonly commit: string; readonly ref: string; readonly summary: string };
  /** Object that holds the bundle of the base commit. */
  readonly baseBundle: string;
  /** Object with the fixed item list; absent until a `command` plan has run. */
  readonly itemsObject?: string;
  /** Number of items once fixed. */
  readonly total?: number;
  readonly counts: TaskCounts;
  readonly usage: Usage;
  /** Tasks that were re-opened by a merge conflict or a failed verify, in all. */
  readonly reopened: number;
  readonly startedAtMs?: number;
  readonly finishedAtMs?: number;
  /** 32 hex digits. */
  readonly traceId: string;
  /** The span in which the job was created, 16 hex digits; absent where nobody's was. */
  readonly parentSpanId?: string;
  /** The trace is not recorded: whoever started it decided so. */
  readonly isUntraced?: boolean;
  readonly publish?: PublishStatus;
  /** Names the memory of its repository; absent where the repository has no lasting name. */
  readonly memoryKey?: string;
  /** sha256 of the spec as applied: `apply` of the same spec says unchanged. */
  readonly specDigest: string;
}

/** A unit of accepted work: one repository, many tasks, one branch. */
export interface Job {
  readonly kind: "Job";
  readonly metadata: Metadata;
  readonly spec: JobSpec;
  readonly status: JobStatus;
}

/** The job's branch and its fence: everything that lands is compared and swapped against this key. */
export interface JobHead {
  readonly kind: "Head";
  readonly uid: string;
  readonly namespace: string;
  readonly job: string;
  readonly branch: string;
  readonly base: string;
  readonly commit: string;
  /** Objects whose bundles, unpacked in this order onto the base, give `commit`. */
  readonly bundles: readonly string[];
  /** Set by Cancel and Delete, never unset: nothing merges after it. */
  readonly closed: boolean;
  /** Tasks landed so far. */
  readonly landed: number;
  /** Commits that `merge.verify` found green: the base, then each landed head. */
  readonly verified?: string;
}

/** One planned task, as fixed before the first Task is created. Kept in the items object as a JSON array. */
export interface PlannedItem {
  readonly name: string;
  readonly index: number;
  readonly item: string;
  readonly matrix?: Readonly<Record<string, string>>;
  readonly dependsOn?: readonly string[];
  readonly overrides?: TaskOverrides;
}

/** What an explicit task sets for itself instead of the template. */
export interface TaskOverrides {
  readonly prompt?: string;
  readonly writes?: readonly string[];
  readonly checks?: readonly Check[];
  readonly priority?: number;
}
