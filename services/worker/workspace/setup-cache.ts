import { randomUUID } from "node:crypto";
import { mkdir, readdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import type PQueue from "p-queue";
import { z } from "zod";
import type { Repository } from "../../platform/git/bare-repository.ts";
import { decodePath, splitNul } from "../../platform/git/git-text.ts";
import { type Worktree, worktreeGit } from "../../platform/git/worktree/worktree.ts";
import type { Logger } from "../../platform/telemetry/log.ts";
import type { Tree } from "./attempt-space.ts";
import { type CacheDirectory, draftPrefix } from "./cache-directory.ts";
import { copyPaths, findRelocations, makeRealDirectory, relocate } from "./copy-tree.ts";
import { setupKey } from "./lockfiles.ts";
import { type CommandPlace, type Shell, type ShellResult, shellStatus } from "./shell.ts";
import { createSingleFlight } from "./single-flight.ts";

/** One setup command may take this long. */
const setupTimeoutMs = 30 * 60_000;
/** Keys remembered. */
const keysMax = 1_000;
/** Tries before a red setup is the job's fault: registries have bad seconds. */
const triesMax = 2;
/** Below HOME: copies of what was installed elsewhere, of no use once the installation is done. */
const uselessHome = [
  ".npm",
  ".yarn/berry/cache",
  ".cache/pip",
  ".cache/yarn",
  ".cache/uv",
  ".cache/pnpm",
  ".local/share/pnpm",
];

const metaSchema = z.strictObject({
  /** Paths below `tree/`, relative. */
  paths: z.array(z.string()),
  /** Names of entries below `home/`. */
  home: z.array(z.string()),
  /** Where the setup ran: absolute paths into it are moved along. */
  treeRoot: z.string(),
  homeRoot: z.string(),
  treeMoves: z.strictObject({ files: z.array(z.string()), links: z.array(z.string()) }),
  homeMoves: z.strictObject({ files: z.array(z.string()), links: z.array(z.string()) }),
});
type Meta = z.infer<typeof metaSchema>;

/** What a setup needs to run. */
export interface SetupRequest {
  readonly repository: Repository;
  readonly commit: string;
  readonly commands: readonly string[];
  /** The job's uid: see {@link setupKey}. */
  readonly scope: string;
}

/** What a setup left behind, ready to be put into any tree. Held until `close`. */
export interface SetupOutput {
  /**
   * Copies it into a fresh tree and its HOME.
   * @throws Error when the disk is full, or the signal's reason.
   */
  copyInto(place: CommandPlace, signal: AbortSignal): Promise<void>;
  close(): void;
}

/** A setup command was red: the job's fault, not the machine's. */
export class SetupError extends Error {
  override readonly name = "SetupError";
  /** How the command ended, and the end of its output. */
  readonly result: ShellResult;

  constructor(message: string, result: ShellResult) {
    super(message);
    this.result = result;
  }
}

/** What {@link createSetupCache} needs. */
export interface SetupCacheDeps {
  readonly cache: CacheDirectory;
  /** Bounds the copies of the whole process. */
  readonly heavy: PQueue;
  readonly shell: Shell;
  /** Calls `use` with a fresh tree at the commit; afterwards its processes are reaped and it is removed. */
  withTree<T>(request: SetupRequest, use: (tree: Tree) => Promise<T>, signal: AbortSignal): Promise<T>;
  readonly logger: Logger;
}

/** Setups, run once for each combination of commands and lockfiles. */
export interface SetupCache {
  /**
   * The output of the request's commands, made if it is not there; undefined when there are no commands.
   * @throws SetupError when a command is red twice, an Error when it cannot be run, or the signal's reason.
   */
  open(request: SetupRequest, signal: AbortSignal): Promise<SetupOutput | undefined>;
}

/** A cache over `deps.cache`. */
export function createSetupCache(deps: SetupCacheDeps): SetupCache {
  const flights = createSingleFlight<Meta>();
  // All tasks of a job ask for the same key: one look into the commit is enough.
  const keys = new Map<string, string>();

  async function keyOf({ repository, commit, commands, scope }: SetupRequest, signal: AbortSignal): Promise<string> {
    const question = JSON.stringify([scope, commit, commands]);
    const known = keys.get(question);
    if (known !== undefined) return known;
    const key = await setupKey(repository.git, commit, commands, scope, signal);
    if (keys.size >= keysMax) keys.delete(keys.keys().next().value ?? "");
    keys.set(question, key);
    return key;
  }

  return {
    async open(request, signal) {
      if (request.commands.length === 0) return undefined;
      const key = await keyOf(request, signal);
      const close = deps.cache.use(key);
      try {
        const directory = deps.cache.path(key);
        const meta = await flights.run(key, (shared) => findOrMake(deps, key, request, shared), signal);
        return { close, copyInto: (place, at) => deps.heavy.add(() => copySetup(deps, directory, meta, place, at)) };
      } catch (error) {
        close();
        throw error;
      }
    },
  };
}

async function findOrMake(
  deps: SetupCacheDeps,
  key: string,
  request: SetupRequest,
  signal: AbortSignal,
): Promise<Meta> {
  const directory = deps.cache.path(key);
  const stored = metaSchema.safeParse(await readJson(join(directory, "meta.json")));
  if (stored.success) return stored.data;
  await rm(directory, { recursive: true, force: true });
  const startedAtMs = performance.now();
  deps.logger.info({ setup: key, commands: request.commands }, "setup started");
  for (let tries = 1; ; tries += 1) {
    try {
      const meta = await deps.withTree(request, (tree) => makeSetup(deps, directory, request, tree, signal), signal);
      deps.logger.info({ setup: key, seconds: Math.round((performance.now() - startedAtMs) / 1_000) }, "setup done");
      return meta;
    } catch (error) {
      if (!(error instanceof SetupError) || tries >= triesMax) throw error;
      deps.logger.warn(
        { setup: key, message: error.message, tail: error.result.outputTail },
        "setup is red, trying once more",
      );
    }
  }
}

/** Runs the commands and moves what they left into the cache; the final rename is the commit point. */
async function makeSetup(
  deps: SetupCacheDeps,
  directory: string,
  request: SetupRequest,
  { place, worktree }: Tree,
  signal: AbortSignal,
): Promise<Meta> {
  for (const command of request.commands) {
    const result = await deps.shell.run({ command, place, timeoutMs: setupTimeoutMs, network: true }, signal);
    if (shellStatus(result) === "Passed") continue;
    const how = result.isTimedOut
      ? `ran out of time after ${setupTimeoutMs / 60_000} minutes`
      : result.exitCode === undefined
        ? "was killed by a signal"
        : `exited ${result.exitCode}`;
    throw new SetupError(`setup command \`${command}\` ${how}`, result);
  }
  const draft = join(dirname(directory), `${draftPrefix}${randomUUID()}`);
  try {
    for (const useless of uselessHome) await rm(join(place.home, useless), { recursive: true, force: true });
    const paths = await ignoredPaths(worktree, signal);
    const meta: Meta = {
      paths: await moveAll(place.tree, join(draft, "tree"), paths),
      home: await moveAll(place.home, join(draft, "home"), await readdir(place.home)),
      treeRoot: place.tree,
      homeRoot: place.home,
      treeMoves: mutable(await findRelocations(join(draft, "tree"), place.tree, signal)),
      homeMoves: mutable(await findRelocations(join(draft, "home"), place.home, signal)),
    };
    await writeFile(join(draft, "meta.json"), JSON.stringify(meta));
    await rename(draft, directory);
    return meta;
  } catch (error) {
    await rm(draft, { recursive: true, force: true });
    throw error;
  }
}

/** What git ignores in a tree that hostile commands have written: with the index of the checkout, not the tree's own. */
async function ignoredPaths(worktree: Worktree, signal: AbortSignal): Promise<readonly string[]> {
  const { cache, tree, indexFile } = worktree;
  const git = worktreeGit(cache.git, { gitDir: cache.gitDir, tree, indexFile });
  const list = ["ls-files", "--others", "--ignored", "--exclude-standard", "--directory", "-z"];
  const { stdout } = await git.run(list, {}, signal);
  return splitNul(stdout).map((path) => decodePath(path).replace(/\/$/, ""));
}

/** Moves what is there, without following links; what vanished or cannot be named is left out. */
async function moveAll(from: string, to: string, paths: readonly string[]): Promise<string[]> {
  await mkdir(to, { recursive: true });
  const moved: string[] = [];
  for (const path of paths) {
    if (!(await makeRealDirectory(to, dirname(path)))) continue;
    const isMoved = await rename(join(from, path), join(to, path)).then(
      () => true,
      (error: NodeJS.ErrnoException) => {
        if (error.code === "ENOENT" || error.code === "ENOTEMPTY") return false;
        throw error;
      },
    );
    if (isMoved) moved.push(path);
  }
  return moved;
}

async function copySetup(
  deps: SetupCacheDeps,
  directory: string,
  meta: Meta,
  place: CommandPlace,
  signal: AbortSignal,
): Promise<void> {
  const refused = await copyPaths(join(directory, "tree"), place.tree, meta.paths, signal);
  if (refused.length > 0)
    deps.logger.warn({ refused: refused.slice(0, 10) }, "setup output behind a symbolic link left out");
  await copyPaths(join(directory, "home"), place.home, meta.home, signal);
  const isCopied = (path: string): boolean =>
    !refused.some((bad) => `${path.replace(/^\.\//, "")}/`.startsWith(`${bad}/`));
  for (const [root, from] of [
    [place.tree, meta.treeRoot],
    [place.home, meta.homeRoot],
  ] as const) {
    const moves = root === place.tree ? meta.treeMoves : meta.homeMoves;
    await relocate(root, from, { files: moves.files.filter(isCopied), links: moves.links.filter(isCopied) });
  }
}

function mutable(found: { readonly files: readonly string[]; readonly links: readonly string[] }) {
  return { files: [...found.files], links: [...found.links] };
}

async function readJson(path: string): Promise<unknown> {
  try {
    return JSON.parse(await readFile(path, "utf8"));
  } catch {
    return undefined;
  }
}
