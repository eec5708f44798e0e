import { durationMs } from "@bufbuild/protobuf/wkt";
import type {
  CheckInput,
  ExplicitTaskInput,
  ForEachInput,
  JobInput,
  JobSpecInput,
  PlanInput,
  TemplateInput,
} from "../../../core/job/admission/job-input.ts";
import type {
  Check,
  ExplicitTask,
  ForEach,
  Job,
  JobSpec,
  Merge,
  Plan,
  TaskTemplate,
} from "../../../gen/agentd/v1/job_pb.ts";

/**
 * What a client asked for, for admission. On the wire empty is absent, so empty texts, lists and zeros of fields that
 * have a default count as absent; what only the server sets (status, uid, …) is not looked at.
 */
export function jobInput(job: Job | undefined, namespace: string): JobInput {
  const metadata = job?.metadata;
  return {
    ...(metadata === undefined || metadata.name === "" ? {} : { name: metadata.name }),
    namespace,
    labels: metadata?.labels ?? {},
    annotations: metadata?.annotations ?? {},
    ...(job?.spec === undefined ? {} : { spec: specInput(job.spec) }),
  };
}

function specInput(spec: JobSpec): JobSpecInput {
  const { repository, target, workspace, plan, template, merge, backoffLimit, ttlSecondsAfterFinished: ttl } = spec;
  return {
    ...(repository === undefined
      ? {}
      : { repository: texts({ url: repository.url, upload: repository.upload, ref: repository.ref }) }),
    ...(target === undefined
      ? {}
      : {
          target: { ...texts({ branch: target.branch }), ...(target.push === undefined ? {} : { push: target.push }) },
        }),
    ...(workspace === undefined ? {} : { workspace: { setup: workspace.setup } }),
    ...(plan === undefined ? {} : { plan: planInput(plan) }),
    ...(template === undefined ? {} : { template: templateInput(template) }),
    parallelism: spec.parallelism,
    ...(backoffLimit === undefined ? {} : { backoffLimit }),
    allowNoChange: spec.allowNoChange,
    allowUnverified: spec.allowUnverified,
    activeDeadlineSeconds: Number(spec.activeDeadlineSeconds),
    ...(ttl === undefined ? {} : { ttlSecondsAfterFinished: Number(ttl) }),
    priority: spec.priority,
    suspend: spec.suspend,
    ...(merge === undefined ? {} : { merge: mergeInput(merge) }),
  };
}

function planInput(plan: Plan): PlanInput {
  return {
    ...(plan.tasks.length === 0 ? {} : { tasks: plan.tasks.map(explicitTaskInput) }),
    ...(plan.forEach === undefined ? {} : { forEach: forEachInput(plan.forEach) }),
  };
}

function forEachInput(forEach: ForEach): ForEachInput {
  const { glob, exclude, command, lines, matrix } = forEach;
  return {
    ...texts({ glob, command }),
    ...lists({ exclude, lines }),
    ...(matrix.length === 0 ? {} : { matrix: Object.fromEntries(matrix.map(({ key, values }) => [key, values])) }),
  };
}

function explicitTaskInput(task: ExplicitTask): ExplicitTaskInput {
  const { name, prompt, item, writes, checks, dependsOn, priority } = task;
  return {
    ...texts({ name, prompt, item }),
    ...lists({ writes }),
    ...(checks.length === 0 ? {} : { checks: checks.map(checkInput) }),
    dependsOn,
    ...(priority === undefined ? {} : { priority }),
  };
}

function templateInput(template: TaskTemplate): TemplateInput {
  const { prompt, pool, tools, writes, protect, checks, limits } = template;
  return {
    ...texts({ prompt, pool }),
    ...lists({ tools, writes }),
    ...(protect === undefined ? {} : { protect: protect.globs }),
    checks: checks.map(checkInput),
    ...(limits === undefined
      ? {}
      : {
          limits: {
            ...(limits.turns === 0 ? {} : { turns: limits.turns }),
            ...(limits.tokens === 0n ? {} : { tokens: Number(limits.tokens) }),
            ...(limits.wall === undefined ? {} : { wallMs: durationMs(limits.wall) }),
          },
        }),
  };
}

function mergeInput(merge: Merge): NonNullable<JobSpecInput["merge"]> {
  return { verify: merge.verify.map(checkInput), ...texts({ onConflict: merge.onConflict }) };
}

function checkInput(check: Check): CheckInput {
  const { name, run, timeout, redOnBase } = check;
  return {
    ...texts({ name, run }),
    ...(timeout === undefined ? {} : { timeoutMs: durationMs(timeout) }),
    ...(redOnBase ? { redOnBase } : {}),
  };
}

/** The fields that are not empty. */
function texts<K extends string>(fields: Readonly<Record<K, string>>): { [P in K]?: string } {
  const present = Object.entries<string>(fields).filter(([, value]) => value !== "");
  return Object.fromEntries(present) as { [P in K]?: string };
}

/** The lists that are not empty. */
function lists<K extends string>(fields: Readonly<Record<K, readonly string[]>>): { [P in K]?: readonly string[] } {
  const present = Object.entries<readonly string[]>(fields).filter(([, value]) => value.length > 0);
  return Object.fromEntries(present) as { [P in K]?: readonly string[] };
}
