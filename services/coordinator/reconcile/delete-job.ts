import { AgentdError, isAgentdError } from "../../core/errors.ts";
import type { JobHead } from "../../core/job/job.ts";
import type { ResourceStore, Write } from "../../platform/nats/store/store.ts";
import { keyPrefixes, keys } from "../../platform/nats/subjects.ts";
import { findJobOf } from "../job-entries.ts";

/** Lost races after which the caller is asked to repeat. */
const racesMax = 20;
/** Tasks deleted in one batch. */
const deleteBatch = 500;

/**
 * Closes the head of the job with that uid by compare-and-swap: when this returns, nothing of the job merges any more.
 *
 * @returns whether this call closed it
 * @throws AgentdError NOT_FOUND when there is no such job; CONFLICT after 20 lost races
 */
export async function closeHead(store: ResourceStore, uid: string, signal: AbortSignal): Promise<boolean> {
  let hasClosed = false;
  await unlessMoved(async () => {
    const head = store.get<JobHead>(keys.head(uid));
    if (head === undefined) throw new AgentdError("NOT_FOUND", "the job was deleted");
    if (head.value.closed) return;
    const closed: JobHead = { ...head.value, closed: true };
    await store.commit([{ key: head.key, value: closed, expected: head.revision }], signal);
    hasClosed = true;
  });
  return hasClosed;
}

/**
 * Deletes a job: first its head is closed, so that nothing merges any more; then Job, head and reservation of the branch go
 * in one batch; then its tasks. What a crash in between leaves has no Job by its uid and is swept. A job that is gone
 * already is fine.
 *
 * @throws AgentdError CONFLICT when something moved too often meanwhile: repeat
 */
export async function deleteJob(store: ResourceStore, uid: string, signal: AbortSignal): Promise<void> {
  if (findJobOf(store, uid) === undefined) return;
  await closeHead(store, uid, signal).catch((error: unknown) => {
    // Somebody else deletes it at the same time.
    if (!isAgentdError(error, "NOT_FOUND")) throw error;
  });
  await unlessMoved(async () => {
    // The reconcilers write counters meanwhile.
    const found = findJobOf(store, uid);
    if (found === undefined) return;
    const reservations = store
      .list<{ readonly uid?: string }>(keyPrefixes.branches)
      .filter((entry) => entry.value.uid === uid);
    await store.commit([found.head, ...reservations, found.job].map(deletion), signal);
  });
  await deleteTasks(store, uid, signal);
}

async function deleteTasks(store: ResourceStore, uid: string, signal: AbortSignal): Promise<void> {
  let isDone = false;
  while (!isDone) {
    await unlessMoved(async () => {
      // A worker's last report may come in between.
      const tasks = store.list(keyPrefixes.tasksOf(uid));
      if (tasks.length > 0) await store.commit(tasks.slice(0, deleteBatch).map(deletion), signal);
      isDone = tasks.length <= deleteBatch;
    });
  }
}

/** Does the work again while it loses against other writers. */
async function unlessMoved(work: () => Promise<void>): Promise<void> {
  for (let race = 1; ; race += 1) {
    try {
      return await work();
    } catch (error) {
      if (!isAgentdError(error, "CONFLICT") || race >= racesMax) throw error;
    }
  }
}

function deletion({ key, revision }: { readonly key: string; readonly revision: number }): Write {
  return { key, value: undefined, expected: revision };
}
