import { execFile } from "node:child_process";
import { randomBytes } from "node:crypto";
import { access, open, readFile, rm, statfs } from "node:fs/promises";
import { connect } from "node:net";
import { dirname, join } from "node:path";
import { promisify } from "node:util";
import { type Address, showAddress } from "../../platform/config/setting.ts";
import { checkGitVersion } from "../../platform/git/git-version.ts";
import { findNatsServer } from "../../platform/nats/server/find-nats-server.ts";
import { detectSandbox } from "../../platform/process/sandbox.ts";
import { type Finding, fail, ok, warn } from "./finding.ts";

const nodeMajorMin = 24;
const gibibyte = 1_024 ** 3;

/** The version of the Node that runs this. */
export function checkNode(version: string): Finding {
  const major = Number(/^v(\d+)\./.exec(version)?.[1]);
  if (major >= nodeMajorMin) return ok("node", version);
  return fail("node", `${version} is older than ${nodeMajorMin}`, "run `make setup`, which brings its own Node");
}

/** The git in PATH. */
export async function checkGit(searchPath: string, signal: AbortSignal): Promise<Finding> {
  try {
    return ok("git", await checkGitVersion(searchPath, signal));
  } catch (error) {
    return fail("git", error instanceof Error ? error.message : String(error), "install git 2.38 or newer");
  }
}

/** The nats-server that `agentd up` would start. */
export async function checkNatsServer(packageRoot: string, searchPath: string, signal: AbortSignal): Promise<Finding> {
  const { found, skipped } = await findNatsServer({ packageRoot, pathVariable: searchPath }, signal);
  if (found !== undefined) return ok("nats-server", `${found.version} (${found.path})`);
  const seen = skipped.map(({ path, reason }) => `; ${path}: ${reason}`).join("");
  return fail("nats-server", `there is none of 2.12 or newer${seen}`, "run `make setup`, or put one on PATH");
}

/** Whether tools and checks can run in a sandbox. */
export async function checkSandbox(searchPath: string, signal: AbortSignal): Promise<Finding> {
  const sandbox = await detectSandbox(searchPath, signal);
  if (sandbox.kind === "bubblewrap") return ok("sandbox", `bubblewrap ${sandbox.version}`);
  const namespaces = await userNamespaces();
  const remedy = "install bubblewrap and allow user namespaces, or run workers as a user that has nothing to lose";
  return warn("sandbox", `none: ${sandbox.reason}${namespaces === undefined ? "" : `; ${namespaces}`}`, remedy);
}

/** Why the kernel would refuse user namespaces; undefined = it does not say so. */
async function userNamespaces(): Promise<string | undefined> {
  const read = async (name: string): Promise<string | undefined> =>
    (await readFile(`/proc/sys/${name}`, "utf8").catch(() => undefined))?.trim();
  if ((await read("user/max_user_namespaces")) === "0") return "user.max_user_namespaces is 0";
  if ((await read("kernel/unprivileged_userns_clone")) === "0") return "kernel.unprivileged_userns_clone is 0";
  if ((await read("kernel/apparmor_restrict_unprivileged_userns")) === "1") {
    return "kernel.apparmor_restrict_unprivileged_userns is 1";
  }
  return undefined;
}

/** The nearest folder that is there: the data folder may not have been made yet. */
async function existing(folder: string): Promise<string> {
  const isThere = await access(folder).then(
    () => true,
    () => false,
  );
  return isThere || dirname(folder) === folder ? folder : await existing(dirname(folder));
}

/** Free space of the data folder's disk. */
export async function checkDisk(dataDirectory: string): Promise<Finding> {
  const { bavail, bsize } = await statfs(await existing(dataDirectory));
  const free = bavail * bsize;
  const message = `${(free / gibibyte).toFixed(1)} GiB free for ${dataDirectory}`;
  const remedy = "free space, or choose another folder with --data";
  if (free < gibibyte) return fail("disk", message, remedy);
  return free < 10 * gibibyte ? warn("disk", message, remedy) : ok("disk", message);
}

const syncRounds = 21;
const slowSyncMs = 20;

/** How long one write to the disk takes: every change of a resource waits for one. */
export async function checkSync(dataDirectory: string): Promise<Finding> {
  const path = join(await existing(dataDirectory), `.agentd-doctor-${randomBytes(6).toString("hex")}`);
  const times: number[] = [];
  try {
    await using file = await open(path, "wx", 0o600);
    for (let round = 0; round < syncRounds; round += 1) {
      const startedMs = performance.now();
      await file.write(Buffer.alloc(4_096, round));
      await file.datasync();
      times.push(performance.now() - startedMs);
    }
  } catch (error) {
    const message = `${dirname(path)} cannot be written: ${(error as NodeJS.ErrnoException).code ?? String(error)}`;
    return fail("fsync", message, "choose another folder with --data");
  } finally {
    await rm(path, { force: true });
  }
  const medianMs = times.sort((a, b) => a - b)[Math.floor(syncRounds / 2)] ?? 0;
  const message = `a write reaches the disk in ${medianMs.toFixed(1)} ms (median of ${syncRounds})`;
  if (medianMs <= slowSyncMs) return ok("fsync", message);
  return warn("fsync", message, "put the data folder on an SSD: each claim and merge waits for such a write");
}

const filesWanted = 4_096;
const filesMin = 512;

/** How many files a process may have open. */
export async function checkFileLimit(): Promise<Finding> {
  const { stdout } = await promisify(execFile)("/bin/sh", ["-c", "ulimit -n"], { timeout: 5_000, env: {} });
  const text = stdout.trim();
  const limit = text === "unlimited" ? Number.POSITIVE_INFINITY : Number(text);
  const message = `${text} open files a process`;
  const remedy = `raise it with \`ulimit -n ${filesWanted}\` or LimitNOFILE`;
  if (limit >= filesWanted) return ok("files", message);
  return limit < filesMin ? fail("files", message, remedy) : warn("files", message, remedy);
}

/** Whether the port of the API is free, or is that of the agentd that runs here. */
export async function checkPort(listen: Address, runningGrpc: string | undefined): Promise<Finding> {
  const address = showAddress(listen);
  if (listen.port === 0) return ok("port", "a free one will be taken");
  const isTaken = await new Promise<boolean>((resolve) => {
    const socket = connect({ host: listen.host, port: listen.port, timeout: 2_000 });
    const end = (answer: boolean) => {
      socket.destroy();
      resolve(answer);
    };
    socket.once("connect", () => end(true));
    socket.once("timeout", () => end(false));
    socket.once("error", () => end(false));
  });
  if (!isTaken) return ok("port", `${address} is free`);
  if (address === runningGrpc) return ok("port", `${address} is this agentd's`);
  return fail("port", `something else listens on ${address}`, "stop it, or choose another address with --listen");
}
