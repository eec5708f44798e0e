import { execFileSync } from "node:child_process";
import { readlinkSync } from "node:fs";

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
