/** A job as the user wrote it: everything may be absent; {@link admitJob} fills in the defaults. */
export interface JobInput {
  readonly name?: string;
  /** Default `default`. */
  readonly namespace?: string;
  readonly labels?: Readonly<Record<string, string>>;
  readonly annotations?: Readonly<Record<string, string>>;
  readonly spec?: JobSpecInput;
}

/** What the user wants, before defaults. */
export interface JobSpecInput {
  readonly repository?: RepositoryInput;
  readonly target?: { readonly branch?: string; readonly push?: boolean };
  readonly workspace?: { readonly setup?: readonly string[] };
  readonly plan?: PlanInput;
  readonly template?: TemplateInput;
  readonly parallelism?: number;
  readonly backoffLimit?: number;
  readonly allowNoChange?: boolean;
  readonly allowUnverified?: boolean;
  readonly activeDeadlineSeconds?: number;
  readonly ttlSecondsAfterFinished?: number;
  readonly priority?: number;
  readonly suspend?: boolean;
  readonly merge?: MergeInput;
}

/** Where the code comes from: exactly one of `url` and `upload`. */
export interface RepositoryInput {
  readonly url?: string;
  readonly upload?: string;
  readonly ref?: string;
}

/** How the job is split: exactly one of `tasks` and `forEach`. */
export interface PlanInput {
  readonly tasks?: readonly ExplicitTaskInput[];
  readonly forEach?: ForEachInput;
}

/** One task an item: exactly one of `glob`, `command`, `lines` and `matrix`. */
export interface ForEachInput {
  readonly glob?: string;
  readonly exclude?: readonly string[];
  readonly command?: string;
  readonly lines?: readonly string[];
  readonly matrix?: Readonly<Record<string, readonly string[]>>;
}

/** A task that is written out. */
export interface ExplicitTaskInput {
  readonly name?: string;
  readonly prompt?: string;
  readonly item?: string;
  readonly writes?: readonly string[];
  readonly checks?: readonly CheckInput[];
  readonly dependsOn?: readonly string[];
  readonly priority?: number;
}

/** What every task does. */
export interface TemplateInput {
  readonly prompt?: string;
  readonly pool?: string;
  readonly tools?: readonly string[];
  readonly writes?: readonly string[];
  readonly protect?: readonly string[];
  readonly checks?: readonly CheckInput[];
  readonly limits?: LimitsInput;
}

/** A command that proves something. */
export interface CheckInput {
  readonly name?: string;
  readonly run?: string;
  readonly timeoutMs?: number;
  readonly redOnBase?: boolean;
}

/** Bounds of one attempt. */
export interface LimitsInput {
  readonly turns?: number;
  readonly tokens?: number;
  readonly wallMs?: number;
}

/** How results are landed. */
export interface MergeInput {
  readonly verify?: readonly CheckInput[];
  readonly onConflict?: string;
}
