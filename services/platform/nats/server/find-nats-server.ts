import { execFile } from "node:child_process";
import { access, constants } from "node:fs/promises";
import { delimiter, join } from "node:path";
import { promisify } from "node:util";

/** The first minor version with atomic batches. */
const versionMin = { major: 2, minor: 12 } as const;

/** A nats-server that agentd can use. */
export interface FoundServer {
  readonly path: string;
  readonly version: string;
}

/** What {@link findNatsServer} looked at; `skipped` has a reason for each candidate that was there but is of no use. */
export interface ServerSearch {
  readonly found: FoundServer | undefined;
  readonly skipped: readonly { readonly path: string; readonly reason: string }[];
}

/**
 * Looks for a nats-server ≥ 2.12: first `<packageRoot>/.cache/bin`, then each folder of `pathVariable` (the value of
 * PATH). Never throws for a candidate that does not work: that is a reason in `skipped`.
 */
export async function findNatsServer(
  options: { readonly packageRoot: string; readonly pathVariable: string },
  signal: AbortSignal,
): Promise<ServerSearch> {
  const name = process.platform === "win32" ? "nats-server.exe" : "nats-server";
  const folders = [join(options.packageRoot, ".cache", "bin"), ...options.pathVariable.split(delimiter)];
  const skipped: { path: string; reason: string }[] = [];
  for (const folder of new Set(folders.filter((each) => each !== ""))) {
    const path = join(folder, name);
    const isThere = await access(path, constants.X_OK).then(
      () => true,
      () => false,
    );
    if (!isThere) continue;
    try {
      const { stdout } = await promisify(execFile)(path, ["--version"], { timeout: 10_000, signal, env: {} });
      const version = parseServerVersion(stdout);
      if (version === undefined) skipped.push({ path, reason: `says ${JSON.stringify(stdout.trim().slice(0, 80))}` });
      else if (!isNewEnough(version)) skipped.push({ path, reason: `version ${version} is older than 2.12` });
      else return { found: { path, version }, skipped };
    } catch (error) {
      signal.throwIfAborted();
      skipped.push({ path, reason: error instanceof Error ? error.message : String(error) });
    }
  }
  return { found: undefined, skipped };
}

/** The version in `nats-server: v2.15.1`, or undefined. */
export function parseServerVersion(output: string): string | undefined {
  return /nats-server: v(\d+\.\d+\.\d+[-\w.]*)/.exec(output)?.[1];
}

/** Whether a version such as `2.15.1` has all that agentd needs. */
export function isNewEnough(version: string): boolean {
  const [major = 0, minor = 0] = version.split(".").map(Number);
  return major > versionMin.major || (major === versionMin.major && minor >= versionMin.minor);
}
