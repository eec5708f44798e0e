import { randomUUID } from "node:crypto";
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { z } from "zod";

const record = z.object({ id: z.uuid(), pid: z.number().int().positive() });

/**
 * The name of this replica in the election. A coordinator that is started again on the data of one that died takes over its
 * name, and with it the lead, at once; while that process is alive (stopped, say) it gets a name of its own and waits.
 */
export async function takeReplicaId(dataDirectory: string): Promise<string> {
  await mkdir(dataDirectory, { recursive: true });
  const file = join(dataDirectory, "replica.json");
  const before = record.safeParse(await readJson(file));
  const isFree = before.success && !isAlive(before.data.pid);
  const id = isFree ? before.data.id : randomUUID();
  await writeFile(file, JSON.stringify({ id, pid: process.pid }));
  return id;
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
