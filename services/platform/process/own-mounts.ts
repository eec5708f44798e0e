import { execFile, execFileSync } from "node:child_process";
import { readlinkSync } from "node:fs";
import { mkdir } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { promisify } from "node:util";
import { mountsBelow } from "../git/worktree/overlay-mount.ts";

const program = "/usr/bin/unshare";
/** What is mounted outside later is seen inside; what is mounted inside is nobody else's. */
const flags = ["--mount", "--propagation", "slave", "--"];
const probeTimeoutMs = 5_000;

/**
 * The argument vector that runs `argv` with mounts of its own, which go with its last process however that ends; `argv` itself where
 * this process may not do so. The process id stays that of the command.
 */
export function withOwnMounts(argv: readonly string[]): readonly string[] {
  if (process.platform !== "linux" || process.getuid?.() !== 0) return argv;
  try {
    execFileSync(program, [...flags, "/bin/true"], { env: {}, stdio: "ignore", timeout: probeTimeoutMs });
    return [program, ...flags, ...argv];
  } catch {
    return argv;
  }
}

/** Whether this process has mounts that its parent does not see. */
export function hasOwnMounts(): boolean {
  try {
    return readlinkSync("/proc/self/ns/mnt") !== readlinkSync(`/proc/${process.ppid}/ns/mnt`);
  } catch {
    return false;
  }
}

/** A folder whose mounts can be left out of a command's sight in one step. */
export interface GatheredMounts {
  readonly directory: string;
  /** An empty folder outside it. */
  readonly stage: string;
}

/**
 * Makes the folder, given by its real path, a mount of itself, so that all that is mounted in it later hangs on that one. Undefined where
 * this is refused, and where something is mounted in it already (a disk of its own for the caches): commands could not be left that.
 * To be called once, by a process that {@link hasOwnMounts}.
 */
export async function gatherMounts(directory: string): Promise<GatheredMounts | undefined> {
  if ((await mountsBelow([directory])).some((target) => target !== directory)) return undefined;
  const stage = join(dirname(directory), `.${basename(directory)}-stage`);
  try {
    await mkdir(stage, { recursive: true, mode: 0o700 });
    await promisify(execFile)("/usr/bin/mount", ["--bind", directory, directory], { env: {}, timeout: probeTimeoutMs });
    return { directory, stage };
  } catch {
    return undefined;
  }
}

/** $1: the mount that stays, $2: the stage, $3: the folder of all of them; then the command. The folder's files stay where they are. */
const leaveOut = `if { /usr/bin/mount --bind "$1" "$2" && /usr/bin/umount -l "$3"; } 2>/dev/null; then /usr/bin/mount --move "$2" "$1" || exit 126; fi
cd "$1" && shift 3 && exec "$@"`;

/**
 * The argument vector that runs `argv` in `kept`, a folder among the gathered mounts, without the others. Bubblewrap reads the table of
 * mounts a dozen times: among 1,000 overlays it takes 170 ms of processor time to start, like this 30 ms (of 10 and 18 among few).
 */
export function withoutOtherMounts(mounts: GatheredMounts, kept: string, argv: readonly string[]): readonly string[] {
  const script = ["/bin/sh", "-c", leaveOut, "sh", kept, mounts.stage, mounts.directory];
  return [program, "--mount", "--propagation", "private", "--", ...script, ...argv];
}
