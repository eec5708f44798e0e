import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { type Duration, durationFromMs } from "@bufbuild/protobuf/wkt";
import type { CheckInput, JobSpecInput, PlanInput, TemplateInput } from "../../core/job/admission/job-input.ts";
import type { ManifestJob } from "../../core/job/manifest/manifest.ts";
import {
  type CheckSchema,
  type Job,
  JobSchema,
  type JobSpecSchema,
  type PlanSchema,
  type TaskTemplateSchema,
} from "../../gen/agentd/v1/job_pb.ts";

type Present<T> = { [K in keyof T]?: Exclude<T[K], undefined> };

/** `value` without the fields that the user left out: a message takes absent fields, not undefined ones. */
function present<T extends object>(value: T): Present<T> {
  return Object.fromEntries(Object.entries(value).filter(([, field]) => field !== undefined)) as Present<T>;
}

function duration(ms: number | undefined): Duration | undefined {
  return ms === undefined ? undefined : durationFromMs(ms);
}

function checkInit(check: CheckInput): MessageInitShape<typeof CheckSchema> {
  return present({ name: check.name, run: check.run, timeout: duration(check.timeoutMs), redOnBase: check.redOnBase });
}

function planInit(plan: PlanInput): MessageInitShape<typeof PlanSchema> {
  const each = plan.forEach;
  return present({
    tasks: plan.tasks?.map((task) => ({
      ...task,
      writes: [...(task.writes ?? [])],
      checks: (task.checks ?? []).map(checkInit),
      dependsOn: [...(task.dependsOn ?? [])],
    })),
    forEach:
      each &&
      present({
        glob: each.glob,
        command: each.command,
        exclude: [...(each.exclude ?? [])],
        lines: [...(each.lines ?? [])],
        matrix: Object.entries(each.matrix ?? {}).map(([key, values]) => ({ key, values: [...values] })),
      }),
  });
}

function templateInit(template: TemplateInput): MessageInitShape<typeof TaskTemplateSchema> {
  const { limits } = template;
  return present({
    prompt: template.prompt,
    pool: template.pool,
    tools: [...(template.tools ?? [])],
    writes: [...(template.writes ?? [])],
    protect: template.protect && { globs: [...template.protect] },
    checks: (template.checks ?? []).map(checkInit),
    limits:
      limits &&
      present({
        turns: limits.turns,
        tokens: limits.tokens === undefined ? undefined : BigInt(limits.tokens),
        wall: duration(limits.wallMs),
      }),
  });
}

function specInit(spec: JobSpecInput): MessageInitShape<typeof JobSpecSchema> {
  const { activeDeadlineSeconds: deadline, ttlSecondsAfterFinished: ttl } = spec;
  return present({
    repository: spec.repository,
    target: spec.target,
    workspace: spec.workspace && { setup: [...(spec.workspace.setup ?? [])] },
    plan: spec.plan && planInit(spec.plan),
    template: spec.template && templateInit(spec.template),
    parallelism: spec.parallelism,
    backoffLimit: spec.backoffLimit,
    allowNoChange: spec.allowNoChange,
    allowUnverified: spec.allowUnverified,
    activeDeadlineSeconds: deadline === undefined ? undefined : BigInt(deadline),
    ttlSecondsAfterFinished: ttl === undefined ? undefined : BigInt(ttl),
    priority: spec.priority,
    suspend: spec.suspend,
    merge:
      spec.merge && present({ verify: (spec.merge.verify ?? []).map(checkInit), onConflict: spec.merge.onConflict }),
  });
}

/** The API's message for a job from a manifest. What the user left out stays absent: the server fills in defaults. */
export function manifestMessage(job: ManifestJob): Job {
  return create(JobSchema, {
    metadata: {
      name: job.name,
      namespace: job.namespace,
      labels: { ...job.labels },
      annotations: { ...job.annotations },
    },
    spec: specInit(job.spec),
  });
}
