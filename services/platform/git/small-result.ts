import { mkdir, readdir, readFile, rename, stat } from "node:fs/promises";
import { dirname, join } from "node:path";
import { AgentdError } from "../../core/errors.ts";
import type { Repository } from "./bare-repository.ts";
import { objectNamePattern } from "./bare-repository.ts";
import { parseHeader } from "./bundle.ts";
import { gitMessage } from "./git-text.ts";
import { loosePath, readLooseObject } from "./loose-object.ts";
import type { GitObject, ObjectReader } from "./object-reader.ts";
import { scanPack } from "./pack-scan.ts";
import { withQuarantine } from "./quarantine.ts";
import type { ResultClaim } from "./result-bundle.ts";
import { diffTrees, parseTree } from "./tree-diff.ts";
import type { ChangedFile } from "./trees.ts";

/** Bounds of a small result: all of it is looked at in memory. */
const packedBytesMax = 1024 * 1024;
const expandedBytesMax = 16 * 1024 * 1024;
/** So many objects are stored one by one, also of a larger result. */
export const looseObjectsMax = 1_000;
const diffVisitsMax = 20_000;
const treeBytesMax = 4 * 1024 * 1024;

/** What the result is checked with. */
export interface SmallResultDeps {
  readonly repository: Repository;
  /** Reads the repository. */
  readonly reader: ObjectReader;
  /** Makes the error of a refusal. */
  refused(why: string): AgentdError;
}

/**
 * Does for a small result of one commit what `importResult` promises, with a single git process: `unpack-objects
 * --strict` checks every object and that all that they name is there. All else is read from its output, in memory.
 *
 * @returns what differs; undefined when the result is not of that kind, or anything is odd about it: nothing has
 *   happened then, and the long way tells what it is.
 * @throws AgentdError BUNDLE_INVALID, OBJECT_MISSING
 */
export async function importSmallResult(
  deps: SmallResultDeps,
  file: string,
  claim: ResultClaim,
  signal: AbortSignal,
): Promise<readonly ChangedFile[] | undefined> {
  const { repository, reader } = deps;
  if ((await stat(file)).size > Math.min(packedBytesMax, claim.maxBytes ?? packedBytesMax)) return undefined;
  const bytes = await readFile(file);
  const { refs, prerequisites, packOffset } = parseHeader(bytes);
  const tips = new Set(refs.values());
  if (tips.size !== 1 || !tips.has(claim.commit) || claim.commit === claim.base) return undefined;
  for (const commit of new Set([claim.base, ...prerequisites])) {
    if ((await reader.typeOf(commit, signal)) !== "commit") return undefined;
  }
  const pack = bytes.subarray(packOffset);
  const bounds = {
    maxObjects: Math.min(looseObjectsMax, claim.maxObjects ?? looseObjectsMax),
    maxExpandedBytes: Math.min(expandedBytesMax, claim.maxExpandedBytes ?? expandedBytesMax),
  };
  if (scanPack(pack, bounds) === undefined) return undefined;
  return await withQuarantine(repository, async (quarantine) => {
    const timeoutMs = claim.timeoutMs ?? 120_000;
    const unpack = ["unpack-objects", "--strict", "-q", `--max-input-size=${packedBytesMax}`];
    const answer = await quarantine.git.run(unpack, { stdin: pack, okExitCodes: [0, 1, 128], timeoutMs }, signal);
    if (answer.exitCode !== 0) {
      if (/No space left on device/i.test(answer.stderr)) throw new AgentdError("DISK_FULL", gitMessage(answer.stderr));
      throw deps.refused(gitMessage(answer.stderr) || "git could not unpack it");
    }
    const objects = await readQuarantine(quarantine, bounds.maxExpandedBytes);
    const changed = await look(deps, objects, claim, signal);
    if (changed !== undefined) await migrate(quarantine, repository, objects);
    return changed;
  });
}

async function look(
  deps: SmallResultDeps,
  objects: ReadonlyMap<string, GitObject>,
  claim: ResultClaim,
  signal: AbortSignal,
): Promise<readonly ChangedFile[] | undefined> {
  const commit = objects.get(claim.commit);
  const base = await deps.reader.read(claim.base, { maxBytes: treeBytesMax }, signal).catch(() => undefined);
  signal.throwIfAborted();
  if (commit?.type !== "commit" || base?.type !== "commit") return undefined;
  const [{ tree, parents }, { tree: baseTree }] = [parseCommit(commit.content), parseCommit(base.content)];
  if (parents.length !== 1 || parents[0] !== claim.base || tree === undefined || baseTree === undefined)
    return undefined;
  const readTree = async (name: string): Promise<Buffer> => {
    const object = objects.get(name) ?? (await deps.reader.read(name, { maxBytes: treeBytesMax }, signal));
    if (object?.type !== "tree") throw new AgentdError("LIMIT_EXCEEDED", `${name} is no tree that can be read`);
    return object.content;
  };
  const changed = await diffTrees({ readTree, visitsMax: diffVisitsMax }, baseTree, tree).catch(() => undefined);
  signal.throwIfAborted();
  const link = changed?.find((change) => change.oldMode === "160000" || change.newMode === "160000");
  if (link !== undefined) throw deps.refused(`it changes the submodule ${link.path}`);
  return changed;
}

/** The header lines of a commit that git has found in order: `tree`, then `parent` for each. */
function parseCommit(content: Buffer): { readonly tree: string | undefined; readonly parents: readonly string[] } {
  const [first = "", ...lines] = content.toString("latin1").split("\n");
  const parents: string[] = [];
  for (const line of lines) {
    if (!line.startsWith("parent ")) break;
    parents.push(line.slice(7));
  }
  return { tree: /^tree ([0-9a-f]{40})$/.exec(first)?.[1], parents };
}

async function readQuarantine(quarantine: Repository, maxBytes: number): Promise<ReadonlyMap<string, GitObject>> {
  const objects = new Map<string, GitObject>();
  for (const folder of await readdir(quarantine.objectDirectory)) {
    if (!/^[0-9a-f]{2}$/.test(folder)) continue;
    for (const rest of await readdir(join(quarantine.objectDirectory, folder))) {
      const name = `${folder}${rest}`;
      if (!objectNamePattern.test(name)) continue;
      const object = await readLooseObject(quarantine.objectDirectory, name, maxBytes);
      if (object !== undefined) objects.set(name, object);
    }
  }
  return objects;
}

/** Moves the objects into the repository, what they name first: a crash leaves no commit or tree without its files. */
async function migrate(
  quarantine: Repository,
  repository: Repository,
  objects: ReadonlyMap<string, GitObject>,
): Promise<void> {
  for (const name of childrenFirst(objects)) {
    const target = join(repository.objectDirectory, loosePath(name));
    await mkdir(dirname(target), { recursive: true });
    await rename(join(quarantine.objectDirectory, loosePath(name)), target);
  }
}

function childrenFirst(objects: ReadonlyMap<string, GitObject>): readonly string[] {
  const order = new Set<string>();
  const visit = (name: string): void => {
    const object = objects.get(name);
    if (object === undefined || order.has(name)) return;
    if (object.type === "tree") for (const entry of parseTree(object.content)) visit(entry.object);
    if (object.type === "commit") {
      const { tree, parents } = parseCommit(object.content);
      for (const child of [tree, ...parents]) if (child !== undefined) visit(child);
    }
    order.add(name);
  };
  for (const name of objects.keys()) visit(name);
  return [...order];
}
