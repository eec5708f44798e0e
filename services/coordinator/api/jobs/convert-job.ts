import type { MessageInitShape } from "@bufbuild/protobuf";
import type { ExplicitTask, Job, JobHead, JobSpec, JobStatus, Plan, TaskTemplate } from "../../../core/job/job.ts";
import type {
  ExplicitTaskSchema,
  ForEachSchema,
  JobSchema,
  JobSpecSchema,
  JobStatusSchema,
  PlanSchema,
  TaskTemplateSchema,
} from "../../../gen/agentd/v1/job_pb.ts";
import type { Entry } from "../../../platform/nats/store/store.ts";
import { checkMessage, conditionMessage, duration, metadataMessage, time, usageMessage } from "../convert-resource.ts";

/** A job as the API gives it. `head` is absent for a job that was not written (validate_only). */
export function jobMessage(entry: Entry<Job>, head: JobHead | undefined): MessageInitShape<typeof JobSchema> {
  const { metadata, spec, status } = entry.value;
  return {
    metadata: metadataMessage(metadata, entry.revision),
    spec: specMessage(spec),
    status: statusMessage(status, head),
  };
}

function specMessage(spec: JobSpec): MessageInitShape<typeof JobSpecSchema> {
  const { repository, target, workspace, plan, template, merge } = spec;
  return {
    repository: { url: repository.url ?? "", upload: repository.upload ?? "", ref: repository.ref },
    target: { branch: target.branch, push: target.push },
    workspace: { setup: [...workspace.setup] },
    plan: planMessage(plan),
    template: templateMessage(template),
    parallelism: spec.parallelism,
    backoffLimit: spec.backoffLimit,
    allowNoChange: spec.allowNoChange,
    allowUnverified: spec.allowUnverified,
    activeDeadlineSeconds: BigInt(spec.activeDeadlineSeconds),
    // Absent means never; the store says -1.
    ...(spec.ttlSecondsAfterFinished < 0 ? {} : { ttlSecondsAfterFinished: BigInt(spec.ttlSecondsAfterFinished) }),
    priority: spec.priority,
    suspend: spec.suspend,
    merge: { verify: merge.verify.map(checkMessage), onConflict: merge.onConflict },
  };
}

function planMessage(plan: Plan): MessageInitShape<typeof PlanSchema> {
  return plan.kind === "tasks" ? { tasks: plan.tasks.map(explicitTaskMessage) } : { forEach: forEachMessage(plan) };
}

function forEachMessage(plan: Exclude<Plan, { kind: "tasks" }>): MessageInitShape<typeof ForEachSchema> {
  if (plan.kind === "glob") return { glob: plan.glob, exclude: [...plan.exclude] };
  if (plan.kind === "command") return { command: plan.run };
  if (plan.kind === "lines") return { lines: [...plan.lines] };
  return { matrix: Object.entries(plan.matrix).map(([key, values]) => ({ key, values: [...values] })) };
}

function explicitTaskMessage(task: ExplicitTask): MessageInitShape<typeof ExplicitTaskSchema> {
  return {
    name: task.name,
    prompt: task.prompt ?? "",
    item: task.item ?? "",
    writes: [...(task.writes ?? [])],
    checks: (task.checks ?? []).map(checkMessage),
    dependsOn: [...task.dependsOn],
    ...(task.priority === undefined ? {} : { priority: task.priority }),
  };
}

function templateMessage(template: TaskTemplate): MessageInitShape<typeof TaskTemplateSchema> {
  const { limits } = template;
  return {
    prompt: template.prompt,
    pool: template.pool,
    tools: [...(template.tools ?? [])],
    writes: [...(template.writes ?? [])],
    ...(template.protect === undefined ? {} : { protect: { globs: [...template.protect] } }),
    checks: template.checks.map(checkMessage),
    limits: { turns: limits.turns, tokens: BigInt(limits.tokens), wall: duration(limits.wallMs) },
  };
}

function statusMessage(status: JobStatus, head: JobHead | undefined): MessageInitShape<typeof JobStatusSchema> {
  return {
    conditions: status.conditions.map(conditionMessage),
    observedGeneration: BigInt(status.observedGeneration),
    baseCommit: status.base.commit,
    baseRef: status.base.ref,
    headCommit: head?.commit ?? status.base.commit,
    total: status.total ?? 0,
    counts: { ...status.counts },
    usage: usageMessage(status.usage),
    reopened: status.reopened,
    ...(status.startedAtMs === undefined ? {} : { startTime: time(status.startedAtMs) }),
    ...(status.finishedAtMs === undefined ? {} : { finishTime: time(status.finishedAtMs) }),
    traceId: status.traceId,
    publishedCommit: status.publish?.commit ?? "",
  };
}
