import { open, readdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { AgentdError } from "../../../core/errors.ts";
import type { Repository } from "../bare-repository.ts";
import { hasCommit, isAncestor, objectNamePattern } from "../bare-repository.ts";
import { createObjectReader } from "../objects/object-reader.ts";
import type { ChangedFile } from "../objects/trees.ts";
import { changedFiles } from "../objects/trees.ts";
import { indexBundle } from "./bundle.ts";
import { migratePacks, quarantinePrefix, withQuarantine } from "./quarantine.ts";
import type { ResultClaim } from "./result-claim.ts";
import { importSmallResult, looseObjectsMax } from "./small-result.ts";

/**
 * Verifies a worker's result and, only then, takes it into the cache. The bundle is hostile until proven
 * otherwise: it is unpacked with `--strict` into a quarantine and must hold exactly the claimed commit, all of
 * whose objects are there, which descends from the claimed base and changes no submodule.
 *
 * @returns what differs between base and commit.
 * @throws AgentdError BUNDLE_INVALID, OBJECT_MISSING (the base is not in the cache), UPLOAD_TOO_LARGE.
 */
export async function importResult(
  repository: Repository,
  file: string,
  claim: ResultClaim,
  signal: AbortSignal,
): Promise<readonly ChangedFile[]> {
  const small = await tryShortWay(repository, file, claim, signal);
  if (small !== undefined) return small;
  return withQuarantine(repository, async (quarantine) => {
    const { pack, objects, changed } = await verify(quarantine, file, claim, signal);
    const packFile = join(quarantine.objectDirectory, "pack", `pack-${pack}.pack`);
    if (objects <= looseObjectsMax) await unpack(repository, packFile, signal);
    else await migratePacks(quarantine, repository);
    return changed;
  });
}

async function tryShortWay(
  repository: Repository,
  file: string,
  claim: ResultClaim,
  signal: AbortSignal,
): Promise<readonly ChangedFile[] | undefined> {
  const { reader } = claim;
  if (reader !== undefined) return await importSmallResult({ repository, reader, refused }, file, claim, signal);
  using own = createObjectReader(repository);
  return await importSmallResult({ repository, reader: own, refused }, file, claim, signal);
}

/** Removes quarantines that a killed process left behind. For a service that starts. */
export async function sweepQuarantines(repository: Repository): Promise<void> {
  for (const name of await readdir(repository.gitDir)) {
    if (!name.startsWith(quarantinePrefix)) continue;
    await rm(join(repository.gitDir, name), { recursive: true, force: true });
  }
}

async function verify(
  quarantine: Repository,
  file: string,
  claim: ResultClaim,
  signal: AbortSignal,
): Promise<{ pack: string; objects: number; changed: ChangedFile[] }> {
  const { base, commit } = claim;
  const maxBytes = claim.maxBytes ?? 64 * 1024 ** 2;
  if (!(await hasCommit(quarantine, base, signal))) {
    throw new AgentdError("OBJECT_MISSING", `The result's base ${base} is not in the cache.`, { metadata: { base } });
  }
  const { header, pack } = await indexBundle(quarantine, file, { maxBytes, isStrict: true }, signal);
  const tips = new Set(header.refs.values());
  if (tips.size !== 1 || !tips.has(commit)) throw refused(`it does not hold exactly the claimed commit ${commit}`);
  const objects = await checkSizes(quarantine, pack, claim, signal);
  const isCommit = await hasCommit(quarantine, commit, signal);
  if (!isCommit || commit === base || !(await isAncestor(quarantine, base, commit, signal))) {
    throw refused(`commit ${commit} does not descend from its base ${base}`);
  }
  if (claim.isOneCommit === true && (await parentsOf(quarantine, commit, signal)) !== base) {
    throw refused("it is not one commit on the attempt's base");
  }
  const walk = ["rev-list", "--objects", "--quiet", "--end-of-options", commit, `^${base}`];
  const walked = await quarantine.git.run(walk, { okExitCodes: [0, 1, 128], ...timeoutOf(claim) }, signal);
  if (walked.exitCode !== 0) throw refused("objects of its commit are missing");
  const changed = await changedFiles(quarantine, base, commit, signal);
  const link = changed.find((change) => change.oldMode === "160000" || change.newMode === "160000");
  if (link !== undefined) throw refused(`it changes the submodule ${link.path}`);
  return { pack, objects, changed };
}

async function parentsOf(repository: Repository, commit: string, signal: AbortSignal): Promise<string> {
  const { stdout } = await repository.git.run(["rev-parse", "--end-of-options", `${commit}^@`], {}, signal);
  return stdout
    .toString("latin1")
    .split("\n")
    .filter((line) => objectNamePattern.test(line))
    .join(" ");
}

/** Bounds what the pack's objects unpack to. */
async function checkSizes(
  quarantine: Repository,
  pack: string,
  claim: ResultClaim,
  signal: AbortSignal,
): Promise<number> {
  const maxObjects = claim.maxObjects ?? 100_000;
  const index = await open(join(quarantine.objectDirectory, "pack", `pack-${pack}.idx`), "r");
  try {
    const listed = await quarantine.git.run(["show-index"], { stdin: { fd: index.fd } }, signal);
    const names = listed.stdout.toString("latin1").match(/\b[0-9a-f]{40}\b/g) ?? [];
    if (names.length > maxObjects) throw tooLarge(`${names.length} objects; at most ${maxObjects}`);
    const check = ["cat-file", "--batch-check=%(objectsize)", "--buffer"];
    const sizes = await quarantine.git.run(check, { stdin: names.map((name) => `${name}\n`).join("") }, signal);
    const bytes = sizes.stdout
      .toString("latin1")
      .split("\n")
      .reduce((sum, line) => sum + Number(line), 0);
    const maxBytes = claim.maxExpandedBytes ?? 512 * 1024 ** 2;
    if (!(bytes <= maxBytes)) throw tooLarge(`${bytes} bytes when unpacked; at most ${maxBytes}`);
    return names.length;
  } finally {
    await index.close();
  }
}

/** Stores the objects one by one (thousands of packs would slow down every later command), children first (`--strict`): a crash leaves no commit without its files. */
async function unpack(repository: Repository, packFile: string, signal: AbortSignal): Promise<void> {
  const pack = await open(packFile, "r");
  try {
    await repository.git.run(["unpack-objects", "-q", "--strict"], { stdin: { fd: pack.fd } }, signal);
  } finally {
    await pack.close();
  }
}

function timeoutOf(claim: ResultClaim): { timeoutMs: number } {
  return { timeoutMs: claim.timeoutMs ?? 120_000 };
}

function refused(why: string): AgentdError {
  return new AgentdError("BUNDLE_INVALID", `The worker's result was refused: ${why}.`);
}

function tooLarge(what: string): AgentdError {
  return new AgentdError("UPLOAD_TOO_LARGE", `The worker's result has ${what} are accepted.`);
}
