import { AgentdError, isAgentdError } from "../../core/errors.ts";
import type { Job, JobHead } from "../../core/job.ts";
import type { JobName } from "../../core/resource-name.ts";
import type { Task } from "../../core/task.ts";
import type { Entry, Write } from "../../platform/nats/store.ts";
import { keyPrefixes, keys } from "../../platform/nats/subjects.ts";
import type { ApiDeps } from "./api-deps.ts";
import type { BranchReservation } from "./create-job.ts";
import { branchKey } from "./create-job.ts";
import { findJob } from "./find-resource.ts";
import { updateEntry } from "./update-entry.ts";

/** Tasks deleted in one batch. */
const deleteBatch = 500;
const racesMax = 20;

/**
 * Closes the job's head by compare-and-swap: when this returns, nothing of the job merges any more. What runs is ended
 * by the reconcilers. A job that is closed already stays so.
 * @throws AgentdError NOT_FOUND
 */
export async function cancelJob(deps: ApiDeps, name: JobName, signal: AbortSignal): Promise<Entry<Job>> {
  const job = findJob(deps.store, name);
  if (await closeHead(deps, job.value, signal))
    deps.events.jobEvent(job.value, "Normal", "CancelRequested", "by a user");
  return findJob(deps.store, name);
}

/**
 * Closes the head, then deletes Job, head and branch reservation in one batch, then the tasks. Tasks that are left by
 * a crash in between are swept, since their uid has no job.
 * @throws AgentdError NOT_FOUND
 */
export async function deleteJob(deps: ApiDeps, name: JobName, signal: AbortSignal): Promise<void> {
  const { uid } = findJob(deps.store, name).value.metadata;
  await closeHead(deps, findJob(deps.store, name).value, signal);
  for (let race = 1; ; race += 1) {
    const job = deps.store.get<Job>(keys.job(name.namespace, name.job));
    if (job?.value.metadata.uid !== uid) break;
    try {
      await deps.store.commit(rootWrites(deps, job), signal);
      break;
    } catch (error) {
      // The reconcilers write counters meanwhile.
      if (!isAgentdError(error, "CONFLICT") || race >= racesMax) throw error;
    }
  }
  await deleteTasks(deps, uid, signal);
}

/** @returns whether this call closed it */
async function closeHead(deps: ApiDeps, job: Job, signal: AbortSignal): Promise<boolean> {
  let hasClosed = false;
  await updateEntry<JobHead>(
    deps.store,
    keys.head(job.metadata.uid),
    `job ${job.metadata.name}`,
    ({ value }) => {
      hasClosed = !value.closed;
      return value.closed ? undefined : { ...value, closed: true };
    },
    signal,
  );
  return hasClosed;
}

function rootWrites(deps: ApiDeps, job: Entry<Job>): readonly Write[] {
  const { namespace, uid } = job.value.metadata;
  const head = deps.store.get<JobHead>(keys.head(uid));
  const branch = deps.store.get<BranchReservation>(
    branchKey(namespace, job.value.spec.repository, job.value.spec.target.branch),
  );
  const others = [head, branch?.value.uid === uid ? branch : undefined].filter((entry) => entry !== undefined);
  return [...others, job].map(({ key, revision }) => ({ key, value: undefined, expected: revision }));
}

async function deleteTasks(deps: ApiDeps, uid: string, signal: AbortSignal): Promise<void> {
  for (let race = 1; ; race += 1) {
    const tasks = deps.store.list<Task>(keyPrefixes.tasksOf(uid));
    if (tasks.length === 0) return;
    const writes = tasks
      .slice(0, deleteBatch)
      .map(({ key, revision }) => ({ key, value: undefined, expected: revision }));
    try {
      await deps.store.commit(writes, signal);
      race = 0;
    } catch (error) {
      // A worker's last report may have come in between.
      if (!isAgentdError(error, "CONFLICT")) throw error;
      if (race >= racesMax)
        throw new AgentdError("CONFLICT", "the job is deleted; its tasks go in a moment", { cause: error });
    }
  }
}
