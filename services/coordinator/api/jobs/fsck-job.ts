import { AgentdError } from "../../../core/errors.ts";
import type { JobHead } from "../../../core/job/job.ts";
import type { FsckDifference } from "../../../core/merge/fsck.ts";
import { fsckJob as compare } from "../../../core/merge/fsck.ts";
import type { JobName } from "../../../core/resource-name.ts";
import type { Task } from "../../../core/task/task.ts";
import { listFirstParent } from "../../../platform/git/trailers.ts";
import { keyPrefixes, keys } from "../../../platform/nats/subjects.ts";
import { findJob } from "../find-resource.ts";
import type { GitApiDeps } from "../repositories/git-work.ts";
import { readItems } from "./job-items.ts";

/** What the check looked at and found. */
export interface FsckReport {
  readonly differences: readonly FsckDifference[];
  readonly commits: number;
  readonly tasks: number;
}

const triesMax = 10;

/**
 * Recomputes a job's promises from git and the store, at one moment: when the head moved meanwhile, once more.
 * @throws AgentdError NOT_FOUND, OBJECT_MISSING, CONFLICT when the head never stood still
 */
export async function fsckJob(deps: GitApiDeps, name: JobName, signal: AbortSignal): Promise<FsckReport> {
  const { store } = deps;
  for (let tries = 1; tries <= triesMax; tries += 1) {
    const { uid } = findJob(store, name).value.metadata;
    const stored = await store.read<JobHead>(keys.head(uid), signal);
    if (stored === undefined) throw new AgentdError("NOT_FOUND", `job ${name.job} has no head`);
    await store.caughtUp(stored.revision, signal);
    // Head and tasks change in one batch, so the mirror shows them at one moment.
    const job = findJob(store, name).value;
    const head = store.get<JobHead>(keys.head(uid));
    const tasks = store.list<Task>(keyPrefixes.tasksOf(uid)).map(({ value }) => value);
    if (head === undefined || job.metadata.uid !== uid) continue;
    const { value } = head;
    const log = await deps.gitWork.run(async () => {
      const repository = await deps.repositories.openAt(job, value, signal);
      return await listFirstParent(repository, value.base, value.commit, signal);
    }, signal);
    const commits = log.reverse().map(({ commit, trailers }) => ({
      commit,
      taskTrailers: trailers.get("Agentd-Task") ?? [],
      attemptTrailers: trailers.get("Agentd-Attempt") ?? [],
    }));
    const items = await readItems(deps.link, job, signal);
    const input = { job, head: head.value, tasks, commits, nowMs: deps.nowMs() };
    const planned = items?.map((item) => item.name);
    const differences = compare(planned === undefined ? input : { ...input, planned });
    const hasMoved = store.get<JobHead>(keys.head(uid))?.revision !== head.revision;
    if (differences.length > 0 && hasMoved) continue;
    return { differences, commits: commits.length, tasks: tasks.filter(({ spec }) => spec.kind === "Agent").length };
  }
  throw new AgentdError("CONFLICT", `job ${name.job} changes too fast to be checked now; try again`);
}
