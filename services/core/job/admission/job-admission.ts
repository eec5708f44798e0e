import type { FieldProblem } from "../../errors.ts";
import { admitPlan, checkTaskTexts } from "../../plan/plan-admission.ts";
import { templateProblems, variablesOf } from "../../plan/template.ts";
import {
  branchProblem,
  dnsLabelProblem,
  labelKeyProblem,
  labelValueProblem,
  ownNameProblem,
  refProblem,
} from "../../text/names.ts";
import type { JobSpec, Limits, Plan, RepositorySource, TaskTemplate } from "../job.ts";
import type { Note } from "./admission-checks.ts";
import {
  admitChecks,
  checkDuration,
  checkGlob,
  checkKnown,
  checkLength,
  checkNoVariables,
  checkRange,
  checkText,
  checkWrites,
} from "./admission-checks.ts";
import { jobBounds, jobDefaults, toolNames } from "./job-bounds.ts";
import type { JobInput, JobSpecInput, LimitsInput, MergeInput, RepositoryInput, TemplateInput } from "./job-input.ts";

/** A job that may be created: every default filled in. */
export interface AdmittedJob {
  readonly name: string;
  readonly namespace: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations: Readonly<Record<string, string>>;
  readonly spec: JobSpec;
}

/** What admission says: the job, or everything that is wrong with it. */
export type Admission =
  | { readonly job: AdmittedJob; readonly problems: readonly [] }
  | { readonly job?: undefined; readonly problems: readonly FieldProblem[] };

/** More problems than this help nobody. */
const problemsMax = 100;

/**
 * Fills in the defaults and checks everything that can be checked without the repository. Pure: agentctl runs it for
 * quick answers, the server because it trusts no client. Field paths are those of the manifest.
 */
export function admitJob(input: JobInput): Admission {
  const problems: FieldProblem[] = [];
  const note: Note = (field, message) => {
    if (message !== undefined && problems.length < problemsMax) problems.push({ field, message });
  };
  const name = input.name ?? "";
  const namespace = input.namespace ?? jobDefaults.namespace;
  note("metadata.name", input.name === undefined ? "is missing" : ownNameProblem(name));
  note("metadata.namespace", dnsLabelProblem(namespace));
  checkLabels(note, input.labels ?? {}, input.annotations ?? {});
  if (input.spec === undefined) {
    note("spec", "is missing");
    return { problems };
  }
  const spec = admitSpec(note, name, input.spec);
  if (problems.length > 0) return { problems };
  const job = { name, namespace, labels: input.labels ?? {}, annotations: input.annotations ?? {}, spec };
  return { job, problems: [] };
}

function admitSpec(note: Note, name: string, input: JobSpecInput): JobSpec {
  const repository = admitRepository(note, input.repository);
  const branch = input.target?.branch ?? `agentd/${name}`;
  if (input.target?.branch !== undefined) note("spec.target.branch", branchProblem(branch));
  const isUpload = repository.upload !== undefined;
  if (isUpload && input.target?.push === true) {
    note("spec.target.push", "an uploaded repository is not pushed; fetch its branch with `agentctl fetch`");
  }
  const setup = input.workspace?.setup ?? [];
  checkLength(note, "spec.workspace.setup", setup.length, jobBounds.setupMax);
  for (const [at, command] of setup.entries()) {
    checkText(note, `spec.workspace.setup[${at}]`, command, jobBounds.runCharactersMax);
    checkNoVariables(note, `spec.workspace.setup[${at}]`, command);
  }
  const plan = admitPlan(note, input.plan);
  const template = admitTemplate(note, plan, input.template);
  return {
    repository,
    target: { branch, push: input.target?.push ?? !isUpload },
    workspace: { setup },
    plan,
    template,
    ...admitNumbers(note, input),
    allowNoChange: input.allowNoChange ?? false,
    allowUnverified: input.allowUnverified ?? false,
    suspend: input.suspend ?? false,
    merge: admitMerge(note, input.merge),
  };
}

type Numbers = Pick<
  JobSpec,
  "parallelism" | "backoffLimit" | "activeDeadlineSeconds" | "ttlSecondsAfterFinished" | "priority"
>;

function admitNumbers(note: Note, input: JobSpecInput): Numbers {
  const numbers: Numbers = {
    parallelism: input.parallelism ?? 0,
    backoffLimit: input.backoffLimit ?? jobDefaults.backoffLimit,
    activeDeadlineSeconds: input.activeDeadlineSeconds ?? 0,
    ttlSecondsAfterFinished: input.ttlSecondsAfterFinished ?? -1,
    priority: input.priority ?? 0,
  };
  checkRange(note, "spec.parallelism", numbers.parallelism, 0, jobBounds.parallelismMax);
  checkRange(note, "spec.backoffLimit", numbers.backoffLimit, 0, jobBounds.backoffLimitMax);
  checkRange(note, "spec.activeDeadlineSeconds", numbers.activeDeadlineSeconds, 0, jobBounds.deadlineSecondsMax);
  if (input.ttlSecondsAfterFinished !== undefined) {
    checkRange(note, "spec.ttlSecondsAfterFinished", numbers.ttlSecondsAfterFinished, 0, jobBounds.deadlineSecondsMax);
  }
  checkRange(note, "spec.priority", numbers.priority, -jobBounds.priorityMax, jobBounds.priorityMax);
  return numbers;
}

function admitRepository(note: Note, input: RepositoryInput | undefined): RepositorySource {
  const field = "spec.repository";
  const url = input?.url === "" ? undefined : input?.url;
  const upload = input?.upload === "" ? undefined : input?.upload;
  if (url === undefined && upload === undefined) {
    note(
      field,
      input === undefined ? "is missing; write repository: { url: . }" : "needs a url; write url: . for this folder",
    );
  }
  if (url !== undefined && upload !== undefined) note(field, "has both url and upload; exactly one of them is needed");
  if (url !== undefined) {
    checkText(note, `${field}.url`, url, jobBounds.urlCharactersMax);
    // Such a "url" would reach git's command line as an option, or run a command (git-remote-ext).
    if (url.startsWith("-")) note(`${field}.url`, 'begins with "-"');
    if (/^ext::/i.test(url)) note(`${field}.url`, "ext:: URLs run commands and are refused");
    if (/^https?:\/\/[^/@]*:[^/@]*@/.test(url)) {
      note(`${field}.url`, "holds a password, which everyone who reads the job would see; use a git credential helper");
    }
  }
  if (upload !== undefined && !/^sha256:[0-9a-f]{64}$/.test(upload)) {
    note(`${field}.upload`, 'is no digest of an uploaded bundle; it is "sha256:" and 64 hex digits');
  }
  const ref = input?.ref === undefined || input.ref === "" ? jobDefaults.ref : input.ref;
  note(`${field}.ref`, refProblem(ref));
  return { ...(url === undefined ? {} : { url }), ...(upload === undefined ? {} : { upload }), ref };
}

function admitTemplate(note: Note, plan: Plan, input: TemplateInput | undefined): TaskTemplate {
  const field = "spec.template";
  const known = variablesOf(plan);
  const checks = admitChecks(note, `${field}.checks`, input?.checks ?? [], known);
  const prompt = input?.prompt === "" ? undefined : input?.prompt;
  if (prompt !== undefined) {
    checkText(note, `${field}.prompt`, prompt, jobBounds.promptCharactersMax);
    for (const problem of templateProblems(`${field}.prompt`, prompt, known, "text"))
      note(problem.field, problem.message);
  } else if (plan.kind !== "tasks") {
    note(`${field}.prompt`, "is missing; write what every sub-agent is told");
  }
  if (input?.writes !== undefined) checkWrites(note, `${field}.writes`, input.writes, known);
  checkLength(note, `${field}.protect`, input?.protect?.length ?? 0, jobBounds.writesMax);
  for (const [at, glob] of (input?.protect ?? []).entries()) checkGlob(note, `${field}.protect[${at}]`, glob);
  if (plan.kind === "tasks") {
    const texts = [
      ...(input?.writes ?? []).map((text) => ({ field: `${field}.writes`, text })),
      ...checks.map(({ run }) => ({ field: `${field}.checks`, text: run })),
    ];
    checkTaskTexts(note, plan.tasks, { texts, ...(prompt === undefined ? {} : { prompt }) });
  }
  const pool = input?.pool ?? jobDefaults.pool;
  note(`${field}.pool`, dnsLabelProblem(pool));
  if (input?.tools !== undefined) checkKnown(note, `${field}.tools`, input.tools, toolNames);
  return {
    prompt: prompt ?? "",
    pool,
    ...(input?.tools === undefined || input.tools.length === 0 ? {} : { tools: [...new Set(input.tools)] }),
    ...(input?.writes === undefined ? {} : { writes: input.writes }),
    ...(input?.protect === undefined ? {} : { protect: input.protect }),
    checks,
    limits: admitLimits(note, `${field}.limits`, input?.limits ?? {}),
  };
}

function admitLimits(note: Note, field: string, input: LimitsInput): Limits {
  const limits: Limits = {
    turns: input.turns ?? jobDefaults.turns,
    tokens: input.tokens ?? jobDefaults.tokens,
    wallMs: input.wallMs ?? jobDefaults.wallMs,
  };
  checkRange(note, `${field}.turns`, limits.turns, 1, jobBounds.turnsMax);
  checkRange(note, `${field}.tokens`, limits.tokens, 1, jobBounds.tokensMax);
  checkDuration(note, `${field}.wall`, limits.wallMs, jobBounds.wallMsMin, jobBounds.wallMsMax);
  return limits;
}

function admitMerge(note: Note, input: MergeInput | undefined): JobSpec["merge"] {
  const verify = admitChecks(note, "spec.merge.verify", input?.verify ?? [], undefined);
  for (const [at, { redOnBase }] of verify.entries()) {
    if (redOnBase)
      note(`spec.merge.verify[${at}].redOnBase`, "cannot be asked for here: the base itself must pass merge.verify");
  }
  const onConflict = input?.onConflict ?? "Reopen";
  if (onConflict === "Reopen" || onConflict === "Fail") return { verify, onConflict };
  note("spec.merge.onConflict", `must be Reopen or Fail, got ${JSON.stringify(onConflict.slice(0, 40))}`);
  return { verify, onConflict: "Reopen" };
}

/** Notes what is wrong with labels and annotations. */
export function checkLabels(
  note: Note,
  labels: Readonly<Record<string, string>>,
  annotations: Readonly<Record<string, string>>,
): void {
  checkLength(note, "metadata.labels", Object.keys(labels).length, jobBounds.labelsMax);
  for (const [key, value] of Object.entries(labels)) {
    note(`metadata.labels.${key}`, labelKeyProblem(key) ?? labelValueProblem(value));
  }
  const bytes = Object.entries(annotations).reduce(
    (sum, [key, value]) => sum + Buffer.byteLength(key) + Buffer.byteLength(value),
    0,
  );
  if (bytes > jobBounds.annotationBytesMax) {
    note("metadata.annotations", `have ${bytes} bytes together; the bound is ${jobBounds.annotationBytesMax}`);
  }
  for (const key of Object.keys(annotations)) note(`metadata.annotations.${key}`, labelKeyProblem(key));
}
