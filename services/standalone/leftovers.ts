import { execFile } from "node:child_process";
import { readdir, readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { promisify } from "node:util";
import { isAlive } from "../platform/process/is-alive.ts";

const run = promisify(execFile);

/** The command line of a process; undefined when it is gone. Works on Linux and macOS. */
async function commandLineOf(pid: number): Promise<string | undefined> {
  try {
    const { stdout } = await run("ps", ["-ww", "-p", String(pid), "-o", "args="]);
    return stdout.trim() === "" ? undefined : stdout;
  } catch {
    return undefined;
  }
}

/**
 * Ends what an earlier `agentd up` on this data folder left running when it was killed. A process id is trusted only
 * while its command line still names the data folder: ids are used again.
 * @returns names of the parts that were ended.
 */
export async function endLeftovers(runDirectory: string, dataDirectory: string): Promise<readonly string[]> {
  const ended: string[] = [];
  for (const file of await readdir(runDirectory)) {
    if (!file.endsWith(".pid")) continue;
    const path = join(runDirectory, file);
    const pid = Number((await readFile(path, "utf8")).trim());
    const command = Number.isInteger(pid) && pid > 1 ? await commandLineOf(pid) : undefined;
    if (command?.includes(dataDirectory) === true) {
      process.kill(pid, "SIGKILL");
      while (isAlive(pid)) await delay(10);
      ended.push(file.slice(0, -".pid".length));
    }
    await rm(path, { force: true });
  }
  return ended;
}
