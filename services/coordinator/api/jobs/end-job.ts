import type { Job } from "../../../core/job/job.ts";
import type { JobName } from "../../../core/resource-name.ts";
import type { Entry } from "../../../platform/nats/store/store.ts";
import { closeHead, deleteJob as deleteByUid } from "../../reconcile/delete-job.ts";
import type { ApiDeps } from "../api-deps.ts";
import { findJob } from "../find-resource.ts";

/**
 * Closes the job's head by compare-and-swap: when this returns, nothing of the job merges any more. What runs is ended
 * by the reconcilers. A job that is closed already stays so.
 * @throws AgentdError NOT_FOUND
 */
export async function cancelJob(deps: ApiDeps, name: JobName, signal: AbortSignal): Promise<Entry<Job>> {
  const job = findJob(deps.store, name);
  if (await closeHead(deps.store, job.value.metadata.uid, signal))
    deps.events.jobEvent(job.value, "Normal", "CancelRequested", "by a user");
  return findJob(deps.store, name);
}

/** Deletes the job that has the name now, with all that belongs to it. @throws AgentdError NOT_FOUND */
export async function deleteJob(deps: ApiDeps, name: JobName, signal: AbortSignal): Promise<void> {
  await deleteByUid(deps.store, findJob(deps.store, name).value.metadata.uid, signal);
}
