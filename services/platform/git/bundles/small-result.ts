import { mkdir, readdir, readFile, rename, stat } from "node:fs/promises";
import { dirname, join } from "node:path";
import { AgentdError } from "../../../core/errors.ts";
import type { Repository } from "../bare-repository.ts";
import { objectNamePattern } from "../bare-repository.ts";
import { gitMessage } from "../git-text.ts";
import { isPlainResult, type PlainResult } from "../in-process/plain-result.ts";
import { newObject, parseCommit } from "../objects/commit-objects.ts";
import { loosePath, readLooseObject, writeLooseObject } from "../objects/loose-object.ts";
import type { GitObject, ObjectReader } from "../objects/object-reader.ts";
import { scanPack } from "../objects/pack-scan.ts";
import { diffTrees } from "../objects/tree-diff.ts";
import { parseTree } from "../objects/tree-entries.ts";
import type { ChangedFile } from "../objects/trees.ts";
import { parseHeader } from "./bundle.ts";
import { withQuarantine } from "./quarantine.ts";
import type { ResultClaim } from "./result-claim.ts";

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
 * Does for a small result of one commit what `importResult` promises. A plain one is checked and taken here, without git; for another a
 * single git process, `unpack-objects --strict`, checks every object and that all that they name is there. All else is read from its output, in memory.
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
  const scanned = scanPack(pack, bounds);
  if (scanned === undefined) return undefined;
  const readers = await readersOf(deps, claim, signal);
  if (readers === undefined) return undefined;
  const whole = new Map(scanned.whole?.map(({ type, content }) => [newObject(type, content).name, { type, content }]));
  const plain = { ...readers, objects: whole, commit: claim.commit, base: claim.base };
  // What cannot even be read is for git to refuse.
  const isPlain = await isPlainResult(plain).catch(() => false);
  signal.throwIfAborted();
  if (isPlain) {
    const changed = await look(deps, readers, whole, claim, signal);
    if (changed !== undefined) await writeAll(repository, whole);
    return changed;
  }
  return await withQuarantine(repository, async (quarantine) => {
    const timeoutMs = claim.timeoutMs ?? 120_000;
    const unpack = ["unpack-objects", "--strict", "-q", `--max-input-size=${packedBytesMax}`];
    const answer = await quarantine.git.run(unpack, { stdin: pack, okExitCodes: [0, 1, 128], timeoutMs }, signal);
    if (answer.exitCode !== 0) {
      if (/No space left on device/i.test(answer.stderr)) throw new AgentdError("DISK_FULL", gitMessage(answer.stderr));
      throw deps.refused(gitMessage(answer.stderr) || "git could not unpack it");
    }
    const objects = await readQuarantine(quarantine, bounds.maxExpandedBytes);
    const changed = await look(deps, readers, objects, claim, signal);
    if (changed !== undefined) await migrate(quarantine, repository, objects);
    return changed;
  });
}

/** What both ways read of the repository; each tree once. */
type Readers = Pick<PlainResult, "baseTree" | "readTree" | "typeOf">;

async function readersOf(
  { reader }: SmallResultDeps,
  { base: name }: ResultClaim,
  signal: AbortSignal,
): Promise<Readers | undefined> {
  const base = await reader.read(name, { maxBytes: treeBytesMax }, signal).catch(() => undefined);
  signal.throwIfAborted();
  const baseTree = base?.type === "commit" ? parseCommit(base.content).tree : undefined;
  if (baseTree === undefined) return undefined;
  const known = new Map<string, Buffer>();
  const readTree = async (tree: string): Promise<Buffer> => {
    const content = known.get(tree);
    if (content !== undefined) return content;
    const object = await reader.read(tree, { maxBytes: treeBytesMax }, signal);
    if (object?.type !== "tree") throw new AgentdError("LIMIT_EXCEEDED", `${tree} is no tree that can be read`);
    known.set(tree, object.content);
    return object.content;
  };
  return { baseTree, readTree, typeOf: (object) => reader.typeOf(object, signal) };
}

async function look(
  deps: SmallResultDeps,
  readers: Readers,
  objects: ReadonlyMap<string, GitObject>,
  claim: ResultClaim,
  signal: AbortSignal,
): Promise<readonly ChangedFile[] | undefined> {
  const commit = objects.get(claim.commit);
  if (commit?.type !== "commit") return undefined;
  const { tree, parents } = parseCommit(commit.content);
  if (parents.length !== 1 || parents[0] !== claim.base || tree === undefined) return undefined;
  const readTree = async (name: string): Promise<Buffer> => {
    const object = objects.get(name);
    return object?.type === "tree" ? object.content : await readers.readTree(name);
  };
  const walk = { readTree, visitsMax: diffVisitsMax };
  const changed = await diffTrees(walk, readers.baseTree, tree).catch(() => undefined);
  signal.throwIfAborted();
  const link = changed?.find((change) => change.oldMode === "160000" || change.newMode === "160000");
  if (link !== undefined) throw deps.refused(`it changes the submodule ${link.path}`);
  return changed;
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

/** Writes the objects into the repository, what they name first, as {@link migrate} does. */
async function writeAll(repository: Repository, objects: ReadonlyMap<string, GitObject>): Promise<void> {
  for (const name of childrenFirst(objects)) {
    const object = objects.get(name);
    if (object !== undefined) await writeLooseObject(repository.objectDirectory, object.type, object.content);
  }
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
