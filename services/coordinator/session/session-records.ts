import { isHeader, type StoredRecord } from "../../agent/session/session-record.ts";
import type { Task } from "../../core/task/task.ts";
import type { NatsLink } from "../../platform/nats/connect.ts";
import { readTranscripts } from "../../platform/nats/messages/transcripts.ts";

/** All records of one task's attempts that are looked at together. */
const recordsBytesMax = 64 * 1_024 ** 2;

/** A record and who wrote it. */
export interface WorkersRecord extends StoredRecord {
  readonly worker: string;
}

/**
 * What the task's attempts have recorded, oldest first: only what the worker wrote that the attempt was granted to. Of attempts that
 * the task does not list any more (it lists the last 10), the session that goes on from one says who ran it.
 * @returns undefined when it is more than 64 MiB.
 * @throws AgentdError STORE_UNAVAILABLE; the signal's reason
 */
export async function readSessionRecords(
  link: NatsLink,
  task: Task,
  signal: AbortSignal,
): Promise<readonly WorkersRecord[] | undefined> {
  const { uid, name } = task.metadata;
  const records: WorkersRecord[] = [];
  let bytes = 0;
  const items = readTranscripts<StoredRecord["value"] | null>(link, { uid, task: name, follow: false }, signal);
  for await (const { attempt, worker, value } of items) {
    if (typeof value !== "object" || value === null) continue;
    bytes += Buffer.byteLength(JSON.stringify(value));
    if (bytes > recordsBytesMax) return undefined;
    records.push({ attempt, worker, value });
  }
  const workers = workersOf(task, records);
  return records.filter(({ attempt, worker }) => workers.get(attempt) === worker);
}

/** Any worker may write under its own name whatever it likes: believed is who was granted the attempt, and whom those name. */
function workersOf(task: Task, records: readonly WorkersRecord[]): ReadonlyMap<number, string> {
  const workers = new Map(task.status.attempts.map(({ attempt, worker }) => [attempt, worker]));
  for (let attempt = task.status.attempt; attempt > 0; attempt -= 1) {
    const worker = workers.get(attempt);
    const own = records.filter((record) => record.attempt === attempt && record.worker === worker);
    const parent = own.map(({ value }) => value).find(isHeader)?.parent;
    if (parent !== undefined && parent.attempt < attempt && !workers.has(parent.attempt)) {
      workers.set(parent.attempt, parent.worker);
    }
  }
  return workers;
}
