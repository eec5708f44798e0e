import { execFile } from "node:child_process";
import { existsSync, realpathSync } from "node:fs";
import { access, constants } from "node:fs/promises";
import { delimiter, join } from "node:path";
import { promisify } from "node:util";

/** What isolates the children of an attempt. */
export type Sandbox =
  | { readonly kind: "bubblewrap"; readonly path: string; readonly version: string; readonly nestedUserns: boolean }
  | { readonly kind: "none"; readonly reason: string };

/** What a sandboxed command may see. All paths are absolute; the deeper path wins. */
export interface SandboxRequest {
  /** May be changed: the worktree, the throw-away home. */
  readonly writable: readonly string[];
  /** Visible although they lie below something hidden, read-only: shared git objects, tools in a home directory. */
  readonly readable?: readonly string[];
  /** Replaced by an empty directory: the user's home, agentd's data folder. */
  readonly hidden?: readonly string[];
  /** A directory that the command sees as /tmp; without it /tmp is empty and forgotten afterwards. */
  readonly tmp?: string;
  readonly cwd: string;
  readonly argv: readonly string[];
  /** False: no network but a loopback of its own. */
  readonly network: boolean;
}

const PROBE_TIMEOUT_MS = 10_000;

/** Namespaces and rights that every sandboxed command gets. */
const baseFlags = ["--unshare-pid", "--unshare-ipc", "--unshare-uts", "--die-with-parent", "--new-session"];

/** Below /run lie the sockets of system services (docker.sock would be a way out); these parts are needed. */
const runParts = ["/run/systemd/resolve", "/run/resolvconf", "/run/current-system", "/run/nscd"];

/**
 * Finds out whether bubblewrap is installed in `searchPath` (a PATH) and can really start here: user
 * namespaces may be switched off, and containers often refuse to mount /proc.
 */
export async function detectSandbox(searchPath: string, signal: AbortSignal): Promise<Sandbox> {
  if (process.platform !== "linux") return { kind: "none", reason: `no bubblewrap on ${process.platform}` };
  const path = await findProgram("bwrap", searchPath);
  if (path === undefined) return { kind: "none", reason: "bubblewrap (bwrap) is not installed" };
  const run = async (parameters: readonly string[]): Promise<string> => {
    const options = { env: {}, timeout: PROBE_TIMEOUT_MS, signal };
    return (await promisify(execFile)(path, parameters, options)).stdout;
  };
  let version: string;
  try {
    version = (await run(["--version"])).trim().replace(/^bubblewrap /, "");
  } catch (error) {
    signal.throwIfAborted();
    return { kind: "none", reason: `${path} does not run: ${firstLine(error)}` };
  }
  let refusal = "";
  // --disable-userns came with 0.8 and needs a user namespace; without it a nested namespace could mount.
  for (const nestedUserns of [false, true]) {
    const sandbox: Sandbox = { kind: "bubblewrap", path, version, nestedUserns };
    const request = { writable: [], cwd: "/", argv: ["/bin/sh", "-c", "exit 0"], network: true };
    try {
      await run(sandboxArgv(sandbox, request).slice(1));
      return sandbox;
    } catch (error) {
      signal.throwIfAborted();
      refusal = firstLine(error);
    }
  }
  return { kind: "none", reason: `bubblewrap ${version} cannot start here: ${refusal}` };
}

/**
 * The argument vector that runs `request.argv` inside the sandbox; unchanged for kind "none". The root is
 * read-only, /tmp private, /run and /var/tmp empty but for name resolution, all capabilities are dropped, and
 * every process inside dies with the command. The environment must already be an allow-listed one.
 */
export function sandboxArgv(sandbox: Sandbox, request: SandboxRequest): readonly string[] {
  if (sandbox.kind === "none") return request.argv;
  const userns = sandbox.nestedUserns ? [] : ["--unshare-user", "--disable-userns"];
  const network = request.network ? [] : ["--unshare-net"];
  return [
    sandbox.path,
    ...baseFlags,
    ...userns,
    ...network,
    "--cap-drop",
    "ALL",
    "--ro-bind",
    "/",
    "/",
    "--dev",
    "/dev",
    "--proc",
    "/proc",
    ...mounts(request).flat(),
    "--chdir",
    request.cwd,
    "--",
    ...request.argv,
  ];
}

type Mount = readonly string[];

/** Mounts in an order in which no mount covers a deeper one. */
function mounts(request: SandboxRequest): Mount[] {
  const hidden = (request.hidden ?? []).filter((path) => path !== "/" && existsSync(path)).map(realPath);
  const covered = [...hidden, "/tmp", "/run", "/var/tmp"];
  const byPath: { path: string; mount: Mount }[] = [];
  const add = (path: string, kind: string, source?: string): void => {
    const at = placeAmong(covered, path);
    byPath.push({ path: at, mount: source === undefined ? [kind, at] : [kind, source, at] });
  };
  // A mount point cannot be made below a read-only root: what does not exist needs no hiding either.
  for (const path of ["/run", "/var/tmp"]) if (existsSync(path)) add(path, "--tmpfs");
  for (const path of runParts) if (existsSync(path)) add(path, "--ro-bind", path);
  for (const path of ["/etc/shadow", "/etc/gshadow"]) {
    // A worker that runs as root owns these files, with or without capabilities.
    if (existsSync(path)) add(path, "--ro-bind", "/dev/null");
  }
  if (request.tmp === undefined) add("/tmp", "--tmpfs");
  else add("/tmp", "--bind", request.tmp);
  for (const path of hidden) add(path, "--tmpfs");
  for (const path of request.readable ?? []) add(path, "--ro-bind-try", path);
  for (const path of request.writable) add(path, "--bind", path);
  // The sort is stable: of two mounts at one path the later kind wins.
  return byPath.sort((a, b) => depth(a.path) - depth(b.path)).map(({ mount }) => mount);
}

/**
 * Where to mount what is to be seen at `path`: its real path, for bubblewrap cannot follow a link to an absolute path, as a home folder may
 * be, while it builds the new root. In a folder that is covered there are no links left: what lies below it keeps its name.
 */
function placeAmong(covered: readonly string[], path: string): string {
  if (covered.some((top) => path === top || path.startsWith(`${top}/`))) return path;
  for (let end = path.lastIndexOf("/"); end > 0; end = path.lastIndexOf("/", end - 1)) {
    const top = realPath(path.slice(0, end));
    if (covered.includes(top)) return top + path.slice(end);
  }
  return realPath(path);
}

/** The path without links; as it is where nothing is there. */
function realPath(path: string): string {
  try {
    return realpathSync.native(path);
  } catch {
    return path;
  }
}

function depth(path: string): number {
  return path.split("/").filter((part) => part !== "").length;
}

async function findProgram(name: string, searchPath: string): Promise<string | undefined> {
  for (const directory of searchPath.split(delimiter)) {
    if (!directory.startsWith("/")) continue;
    const path = join(directory, name);
    const isExecutable = await access(path, constants.X_OK).then(
      () => true,
      () => false,
    );
    if (isExecutable) return path;
  }
  return undefined;
}

function firstLine(error: unknown): string {
  const { stderr, message } = error as { stderr?: string; message: string };
  return (stderr?.trim() || message).split("\n", 1)[0] ?? "";
}
