import { randomUUID } from "node:crypto";
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { z } from "zod";

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
  return before.success && !isAlive(before.data.pid) ? { id, predecessor: before.data.id } : { id };
}

async function readJson(file: string): Promise<unknown> {
  try {
    return JSON.parse(await readFile(file, "utf8"));
  } catch {
    // Absent or torn: then there is nothing to take over.
    return undefined;
  }
}

function isAlive(pid: number): boolean {
  // In a container every start has the same process id.
  if (pid === process.pid) return false;
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "EPERM";
  }
}
