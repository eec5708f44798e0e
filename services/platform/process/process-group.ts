import { readdir, readFile } from "node:fs/promises";
import { setTimeout as delay } from "node:timers/promises";

/** How long a process group may tidy up after SIGTERM before SIGKILL, unless told otherwise. */
export const TERMINATE_GRACE_MS = 2_000;
/** How long to wait for a killed group to vanish; longer only in an uninterruptible system call. */
const KILL_WAIT_MS = 2_000;
const POLL_MS = 10;

/** Sends a signal to every process of a group. False when there is none left that may be signalled. */
function signalGroup(groupId: number, name: NodeJS.Signals | 0): boolean {
  try {
    process.kill(-groupId, name);
    return true;
  } catch {
    // ESRCH: nobody is left. EPERM: only zombies are left (macOS).
    return false;
  }
}

/**
 * Ends a process group: SIGTERM, up to `graceMs` to tidy up, then SIGKILL. Resolves when no living process is
 * left in the group, or 2 s after SIGKILL. Does nothing, and quickly, when the group is already gone.
 */
export async function endProcessGroup(groupId: number, graceMs: number = TERMINATE_GRACE_MS): Promise<void> {
  if (!signalGroup(groupId, "SIGTERM")) return;
  if (await groupVanishes(groupId, graceMs)) return;
  signalGroup(groupId, "SIGKILL");
  await groupVanishes(groupId, KILL_WAIT_MS);
}

async function groupVanishes(groupId: number, timeoutMs: number): Promise<boolean> {
  const end = performance.now() + timeoutMs;
  for (let round = 0; signalGroup(groupId, 0); round += 1) {
    // In a container without an init process, zombies stay for ever and still count as signalled.
    if (round % 10 === 5 && !(await hasLivingMember(groupId))) return true;
    if (performance.now() >= end) return false;
    await delay(POLL_MS);
  }
  return true;
}

/** Whether a process that is no zombie belongs to the group; true where /proc does not tell. */
async function hasLivingMember(groupId: number): Promise<boolean> {
  if (process.platform !== "linux") return true;
  const names = (await readdir("/proc")).filter((name) => /^\d+$/.test(name));
  for (const name of names) {
    const stat = await readFile(`/proc/${name}/stat`, "latin1").catch(() => "");
    // The command name, in parentheses, may itself contain spaces and parentheses.
    const [state, , group] = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    if (group === String(groupId) && state !== "Z" && state !== "X") return true;
  }
  return false;
}
