import type { FieldProblem } from "../../errors.ts";
import { admitJob } from "../admission/job-admission.ts";
import type {
  CheckInput,
  ExplicitTaskInput,
  ForEachInput,
  JobInput,
  JobSpecInput,
  LimitsInput,
  MergeInput,
  PlanInput,
  RepositoryInput,
  TemplateInput,
} from "../admission/job-input.ts";
import type { Reader } from "./manifest-reader.ts";
import { count, duration, flag, integer, list, looseText, object, oneOf, record, text } from "./manifest-reader.ts";

/** A manifest that was read: the job when nothing is wrong with it, and everything that is wrong. */
export interface ParsedManifest {
  /** Absent when there is any problem. */
  readonly job?: ManifestJob;
  /** All problems at once, in the order of the document, then what is missing or does not fit. */
  readonly problems: readonly FieldProblem[];
}

/** A job from a manifest. */
export interface ManifestJob extends JobInput {
  readonly name: string;
  readonly namespace: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations: Readonly<Record<string, string>>;
  readonly spec: JobSpecInput;
}

const texts = list(text);
const check = object<CheckInput>({
  name: text,
  run: text,
  timeoutMs: { name: "timeout", read: duration },
  redOnBase: flag,
});
const checks = list(check);

const matrixList = list(object<{ key: string; values: readonly string[] }>({ key: text, values: list(looseText) }));
const matrixMap = record(list(looseText));
/** `{node: [18, 20]}`, or the list of axes that the API gives back. */
const matrix: Reader<Readonly<Record<string, readonly string[]>>> = (value, field, problems) => {
  if (!Array.isArray(value)) return matrixMap(value, field, problems);
  const axes = matrixList(value, field, problems) ?? [];
  return Object.fromEntries(axes.map((axis) => [axis.key, axis.values]));
};

const forEach = object<ForEachInput>({ glob: text, exclude: texts, command: text, lines: list(looseText), matrix });
const explicitTask = object<ExplicitTaskInput>({
  name: text,
  prompt: text,
  item: text,
  writes: texts,
  checks,
  dependsOn: texts,
  priority: integer,
});
const plan = object<PlanInput>({ tasks: list(explicitTask), forEach }, { unbuilt: ["model"] });
const limits = object<LimitsInput>(
  { turns: count, tokens: count, wallMs: { name: "wall", read: duration } },
  { unbuilt: ["cost"] },
);
const template = object<TemplateInput>(
  { prompt: text, pool: text, tools: texts, writes: texts, protect: texts, checks, limits },
  { unbuilt: ["permissions"] },
);
const repository = object<RepositoryInput>({ url: text, upload: text, ref: looseText });
const merge = object<MergeInput>({ verify: checks, onConflict: text });

const spec = object<JobSpecInput>(
  {
    repository,
    target: object<{ branch?: string; push?: boolean }>(
      { branch: text, push: flag },
      { unbuilt: ["pull_request", "pullRequest"] },
    ),
    workspace: object<{ setup?: readonly string[] }>({ setup: texts }),
    plan,
    template,
    parallelism: count,
    backoffLimit: count,
    allowNoChange: flag,
    allowUnverified: flag,
    activeDeadlineSeconds: count,
    ttlSecondsAfterFinished: count,
    priority: integer,
    suspend: flag,
    merge,
  },
  { unbuilt: ["budget", "outcomePolicy", "successPolicy"] },
);

interface MetadataInput {
  readonly name?: string;
  readonly namespace?: string;
  readonly labels?: Readonly<Record<string, string>>;
  readonly annotations?: Readonly<Record<string, string>>;
}

const metadata = object<MetadataInput>(
  { name: text, namespace: text, labels: record(text), annotations: record(text) },
  { serverSet: ["uid", "generation", "resourceVersion", "createTime"] },
);

interface Manifest {
  readonly apiVersion?: string;
  readonly kind?: string;
  readonly metadata?: MetadataInput;
  readonly spec?: JobSpecInput;
}

const manifest = object<Manifest>(
  { apiVersion: oneOf(["agentd/v1"]), kind: oneOf(["Job"]), metadata, spec },
  { serverSet: ["status"] },
);

/**
 * Reads a job from the value of a parsed YAML or JSON document: its shape, then everything that {@link admitJob}
 * checks, so that a user sees all problems at once and before anything is sent.
 */
export function parseManifest(value: unknown): ParsedManifest {
  const problems: FieldProblem[] = [];
  const parsed = manifest(value, "", problems);
  if (parsed === undefined)
    return { problems: [{ field: "", message: "must be a map with apiVersion, kind, metadata and spec" }] };
  for (const field of ["apiVersion", "kind"] as const) {
    const isWrong = problems.some((problem) => problem.field === field);
    const expected = field === "kind" ? "Job" : "agentd/v1";
    if (parsed[field] === undefined && !isWrong)
      problems.push({ field, message: `is missing; write ${field}: ${expected}` });
  }
  const job: JobInput = { ...parsed.metadata, ...(parsed.spec === undefined ? {} : { spec: parsed.spec }) };
  for (const problem of admitJob(job).problems) {
    if (!problems.some((known) => covers(known, problem.field))) problems.push(problem);
  }
  if (problems.length > 0) return { problems };
  return {
    job: {
      name: job.name ?? "",
      namespace: job.namespace ?? "default",
      labels: job.labels ?? {},
      annotations: job.annotations ?? {},
      spec: job.spec ?? {},
    },
    problems,
  };
}

/**
 * Whether a known problem explains a later one at `field`: it is at the same field, inside it or around it, or it is a
 * misspelling of that field.
 */
function covers(known: FieldProblem, field: string): boolean {
  if (isWithin(field, known.field) || isWithin(known.field, field)) return true;
  const dot = field.lastIndexOf(".");
  const parent = field.slice(0, dot + 1);
  return (
    known.field.startsWith(parent) && known.message.endsWith(`did you mean ${JSON.stringify(field.slice(dot + 1))}?`)
  );
}

function isWithin(inner: string, outer: string): boolean {
  return inner === outer || inner.startsWith(`${outer}.`) || inner.startsWith(`${outer}[`);
}
