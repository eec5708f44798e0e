import type { MessageInitShape } from "@bufbuild/protobuf";
import type { Job } from "../../../core/job/job.ts";
import { renderTask } from "../../../core/plan/template.ts";
import type { Usage } from "../../../core/resource.ts";
import type { Attempt, CheckResult, Task } from "../../../core/task/task.ts";
import type { AttemptSchema, CheckResultSchema, TaskSchema, TaskSpecSchema } from "../../../gen/agentd/v1/task_pb.ts";
import type { Entry } from "../../../platform/nats/store/store.ts";
import { checkMessage, conditionMessage, duration, metadataMessage, time, usageMessage } from "../convert-resource.ts";

/**
 * A task as the API gives it: rendered with its job's template, which is absent when the job was just deleted. Without its spec where
 * nobody asks for that.
 */
export function taskMessage(
  entry: Entry<Task>,
  job: Job | undefined,
  now: { readonly waitingFor: string; readonly usage: Usage },
  isSpecWanted = true,
): MessageInitShape<typeof TaskSchema> {
  const { metadata, job: jobName, status } = entry.value;
  return {
    metadata: metadataMessage(metadata, entry.revision),
    job: jobName,
    ...(isSpecWanted ? { spec: specMessage(entry.value, job) } : {}),
    status: {
      state: status.state,
      attempt: status.attempt,
      attempts: status.attempts.map(attemptMessage),
      conditions: status.conditions.map(conditionMessage),
      outcome: status.outcome ?? "",
      message: status.message ?? "",
      worker: status.lease?.worker ?? "",
      landedCommit: status.landedCommit ?? "",
      usage: usageMessage(now.usage),
      waitingFor: now.waitingFor,
      traceId: job?.status.traceId ?? "",
      ...(status.finishedAtMs === undefined ? {} : { finishTime: time(status.finishedAtMs) }),
    },
  };
}

function specMessage(task: Task, job: Job | undefined): MessageInitShape<typeof TaskSpecSchema> {
  const { spec } = task;
  const plain = { index: spec.index, item: spec.item, matrix: { ...spec.matrix }, dependsOn: [...spec.dependsOn] };
  if (job === undefined) return { ...plain, priority: spec.overrides?.priority ?? 0 };
  // One of agentd's own has no prompt.
  if (spec.kind !== "Agent") {
    const checks = spec.kind === "Verify" ? job.spec.merge.verify.map(checkMessage) : [];
    return { ...plain, checks, priority: job.spec.priority };
  }
  const rendered = renderTask(job, task);
  const { turns, tokens, wallMs } = rendered.limits;
  return {
    ...plain,
    prompt: rendered.prompt,
    writes: (rendered.writes ?? []).map(({ pattern }) => pattern),
    checks: rendered.checks.map(checkMessage),
    limits: { turns, tokens: BigInt(tokens), wall: duration(wallMs) },
    priority: spec.overrides?.priority ?? job.spec.priority,
  };
}

function attemptMessage(attempt: Attempt): MessageInitShape<typeof AttemptSchema> {
  const { changed } = attempt;
  return {
    attempt: attempt.attempt,
    worker: attempt.worker,
    startTime: time(attempt.startedAtMs),
    ...(attempt.endedAtMs === undefined ? {} : { endTime: time(attempt.endedAtMs) }),
    outcome: attempt.outcome ?? "",
    baseCommit: attempt.base,
    commit: attempt.commit ?? "",
    changedPaths: [...(changed?.paths ?? [])],
    changedCount: changed?.count ?? 0,
    insertions: changed?.insertions ?? 0,
    deletions: changed?.deletions ?? 0,
    checks: attempt.checks.map(checkResultMessage),
    usage: usageMessage(attempt.usage),
    claimed: attempt.claimed ?? "",
    message: attempt.message ?? "",
    gates: (attempt.gates ?? []).map((each) => ({ ...each })),
    repairs: attempt.repairs ?? 0,
  };
}

function checkResultMessage(result: CheckResult): MessageInitShape<typeof CheckResultSchema> {
  return {
    name: result.name,
    status: result.status,
    ...(result.exitCode === undefined ? {} : { exitCode: result.exitCode }),
    duration: duration(result.durationMs),
    outputDigest: result.outputDigest,
    outputTail: result.outputTail,
    baseStatus: result.base ?? "",
  };
}
