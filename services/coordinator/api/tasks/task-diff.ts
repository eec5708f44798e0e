import type { MessageInitShape } from "@bufbuild/protobuf";
import { AgentdError } from "../../../core/errors.ts";
import type { Attempt, Task } from "../../../core/task/task.ts";
import type { GetTaskDiffResponseSchema } from "../../../gen/agentd/v1/task_service_pb.ts";
import { diff } from "../../../platform/git/objects/trees.ts";
import type { FoundTask } from "../find-resource.ts";
import { findHead } from "../find-resource.ts";
import type { GitApiDeps } from "../repositories/git-work.ts";

const diffBytesMax = 3 * 1_024 * 1_024;

/**
 * The diff of an attempt's result against its base; attempt 0 is the last one that has a result.
 * @throws AgentdError NOT_FOUND when there is no such attempt or it has no result
 */
export async function taskDiff(
  deps: GitApiDeps,
  found: FoundTask,
  number: number,
  signal: AbortSignal,
): Promise<MessageInitShape<typeof GetTaskDiffResponseSchema>> {
  const { attempt, base, commit, bundle } = resultOf(found.task.value, number);
  const job = found.job.value;
  const { text, isTruncated } = await deps.gitWork.run(async () => {
    const repository = await deps.repositories.openAt(job, findHead(deps.store, job).value, signal);
    await deps.repositories.addBundle(repository, commit, bundle, signal);
    return await diff(repository, base, commit, { maxBytes: diffBytesMax }, signal);
  }, signal);
  const bytes = Buffer.from(text);
  return { attempt, baseCommit: base, commit, diff: bytes.subarray(0, diffBytesMax), isTruncated };
}

function resultOf(
  task: Task,
  number: number,
): { readonly attempt: number; readonly base: string; readonly commit: string; readonly bundle: string } {
  const { name } = task.metadata;
  const { attempts, result } = task.status;
  const isWanted = (each: Attempt): boolean => (number === 0 ? each.commit !== undefined : each.attempt === number);
  const attempt = attempts.findLast(isWanted);
  if (attempt === undefined) {
    const what = number === 0 ? "has no result yet" : `has no attempt ${number} (the last 10 are kept)`;
    throw new AgentdError("NOT_FOUND", `task ${name} ${what}`);
  }
  const landing = result?.attempt === attempt.attempt ? result : undefined;
  const commit = attempt.commit ?? landing?.commit;
  const bundle = attempt.bundle ?? landing?.bundle;
  if (commit !== undefined && bundle !== undefined)
    return { attempt: attempt.attempt, base: attempt.base, commit, bundle };
  const how = attempt.outcome === undefined ? "is still running" : `ended as ${attempt.outcome} without a result`;
  throw new AgentdError("NOT_FOUND", `attempt ${attempt.attempt} of task ${name} ${how}`);
}
