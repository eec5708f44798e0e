import type { JobHead } from "../../core/job.ts";
import type { ResourceStore, Write } from "../../platform/nats/store.ts";
import { keyPrefixes } from "../../platform/nats/subjects.ts";
import { findJobOf } from "../job-view.ts";

/**
 * Deletes a job: first its head is closed, so that nothing merges any more; then the job and its reservation of the branch
 * go in one batch. Its tasks, head and plan have no Job then and are swept. A job that is gone already is fine.
 *
 * @throws AgentdError CONFLICT when something moved meanwhile: repeat
 */
export async function deleteJob(store: ResourceStore, uid: string, signal: AbortSignal): Promise<void> {
  const found = findJobOf(store, uid);
  if (found === undefined) return;
  const { job, head } = found;
  if (!head.value.closed) {
    const closed: JobHead = { ...head.value, closed: true };
    await store.commit([{ key: head.key, value: closed, expected: head.revision }], signal);
  }
  const reservations = store
    .list<{ readonly uid?: string }>(keyPrefixes.branches)
    .filter((entry) => entry.value.uid === uid);
  const writes: Write[] = [job, ...reservations].map(({ key, revision }) => ({
    key,
    value: undefined,
    expected: revision,
  }));
  await store.commit(writes, signal);
}
