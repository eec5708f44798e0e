import { randomUUID } from "node:crypto";
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { z } from "zod";
import { isAlive } from "../../platform/process/is-alive.ts";

const record = z.object({ id: z.uuid(), pid: z.number().int().positive() });

/** Who a replica is in the election. */
export interface ReplicaId {
  /** New with each start: two processes never have the same, not even on one data folder. */
  readonly id: string;
  /** The last one on this data folder, where its process is gone: its lead is free at once. */
  readonly predecessor?: string;
}

/**
 * Names this replica. A coordinator that is started again on the data of one that died need not wait until that one's lead
 * runs out; while that process is alive (stopped, say) it waits like any other.
 */
export async function takeReplicaId(dataDirectory: string): Promise<ReplicaId> {
  await mkdir(dataDirectory, { recursive: true });
  const file = join(dataDirectory, "replica.json");
  const before = record.safeParse(await readJson(file));
  const id = randomUUID();
  await writeFile(file, JSON.stringify({ id, pid: process.pid }));
  // In a container every start has the same process id.
  const isGone = before.success && (before.data.pid === process.pid || !isAlive(before.data.pid));
  return isGone ? { id, predecessor: before.data.id } : { id };
}

async function readJson(file: string): Promise<unknown> {
  try {
    return JSON.parse(await readFile(file, "utf8"));
  } catch {
    // Absent or torn: then there is nothing to take over.
    return undefined;
  }
}
