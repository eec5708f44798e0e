import { randomUUID } from "node:crypto";
import { readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import { branchTo, lastTurn } from "../../agent/session/branch.ts";
import { branchNote } from "../../agent/session/branch-note.ts";
import { filesBefore } from "../../agent/session/files-before.ts";
import { type RebuiltRun, rebuildRun } from "../../agent/session/rebuild.ts";
import type { StoredRecord } from "../../agent/session/session-record.ts";
import type { ToolSet } from "../../agent/tools/tool-set.ts";
import type { Checkpoint, FileChangeRecord } from "../../agent/transcript.ts";
import { createWorktreeFiles } from "../../agent/worktree/worktree-files.ts";
import type { Assignment, ResumeFrom } from "../../core/worker-protocol.ts";
import { importResult } from "../../platform/git/bundles/result-bundle.ts";
import { moveTree, type Worktree } from "../../platform/git/worktree/worktree.ts";
import type { Logger } from "../../platform/telemetry/log.ts";
import { readFileImages } from "./file-images.ts";

/** The tree is half at a checkpoint: it must be made anew, and the attempt begins afresh. */
export class TreeSpoilt extends Error {
  override readonly name = "TreeSpoilt";
}

/** A session that goes on, with its tree moved to where it stood. */
export interface Resumed {
  readonly run: RebuiltRun;
  /** Undefined where its files are not kept as they are now. */
  readonly checkpoint: Checkpoint | undefined;
}

/** What going on with an earlier session needs. */
export interface ResumeDeps {
  /** Reads an object of bucket `agentd` into a file. */
  download(name: string, file: string, signal: AbortSignal): Promise<void>;
  readonly logger: Logger;
}

/** Everything of it together: the last part of getting on must not take longer than beginning again. */
const timeoutMs = 60_000;
const bundleBytesMax = 64 * 1_024 ** 2;

/**
 * Rebuilds the session that the assignment goes on from and moves the tree there. Whatever is missing or does not fit is logged, and
 * the attempt begins afresh.
 * @throws TreeSpoilt; the signal's reason
 */
export async function resumeSession(
  deps: ResumeDeps,
  assignment: Assignment,
  from: ResumeFrom,
  place: { readonly worktree: Worktree; readonly tools: ToolSet },
  signal: AbortSignal,
): Promise<Resumed | undefined> {
  const { uid, task, attempt } = assignment;
  const bounded = AbortSignal.any([signal, AbortSignal.timeout(timeoutMs)]);
  const told = { uid, task, attempt, from: { attempt: from.attempt, turn: from.turn } };
  try {
    const resumed = await rebuild(deps, from, place, bounded);
    deps.logger.info(told, "goes on with the session of an earlier attempt");
    return resumed;
  } catch (error) {
    signal.throwIfAborted();
    deps.logger.warn({ ...told, err: error }, "an earlier attempt's session cannot be gone on with: begins afresh");
    if (error instanceof TreeSpoilt) throw error;
    return undefined;
  }
}

async function rebuild(
  deps: ResumeDeps,
  from: ResumeFrom,
  { worktree, tools }: { readonly worktree: Worktree; readonly tools: ToolSet },
  signal: AbortSignal,
): Promise<Resumed> {
  const text = await withObject(deps, from.transcript, worktree, (file) => readFile(file, "utf8"), signal);
  const records = text.split("\n").flatMap((line) => (line === "" ? [] : [JSON.parse(line) as StoredRecord]));
  const branch = sound(branchTo(records, from));
  const files = from.files === undefined ? undefined : sound(filesBefore(branch, from.files));
  const run = sound(rebuildRun(branch, tools.schemas, branchNote(from.turn, branch.lostCommands, files)));
  const last = files === undefined ? lastTurn(branch) : files.at;
  const checkpoint = last === undefined ? { commit: worktree.base } : last.checkpoint;
  if (checkpoint === undefined) throw new Error(`the files after turn ${last?.turn} were not kept`);
  const images = await readImages(deps, from, worktree, signal);
  if (checkpoint.commit !== worktree.base) await fetchCheckpoint(deps, from, { worktree, checkpoint }, signal);
  try {
    if (checkpoint.commit !== worktree.base) await moveTree(worktree, checkpoint.commit, signal);
    if (files === undefined || files.undo.length === 0) return { run, checkpoint };
    await takeBack(worktree.tree, files.undo, images);
  } catch (cause) {
    throw new TreeSpoilt("the tree could not be moved to the checkpoint", { cause });
  }
  return { run, checkpoint: undefined };
}

async function fetchCheckpoint(
  deps: ResumeDeps,
  { checkpoint: object, turn }: ResumeFrom,
  at: { readonly worktree: Worktree; readonly checkpoint: Checkpoint },
  signal: AbortSignal,
): Promise<void> {
  const { worktree } = at;
  if (object === undefined) throw new Error(`the files to go on with behind turn ${turn} are gone`);
  // The bundle is a worker's word: it is checked as the coordinator checks a result.
  const claim = { base: worktree.base, commit: at.checkpoint.commit, isOneCommit: true, maxBytes: bundleBytesMax };
  await withObject(deps, object, worktree, (file) => importResult(worktree.cache, file, claim, signal), signal);
}

async function readImages(
  deps: ResumeDeps,
  { images }: ResumeFrom,
  worktree: Worktree,
  signal: AbortSignal,
): Promise<ReadonlyMap<string, Buffer>> {
  if (images === undefined) return new Map();
  return await withObject(deps, images, worktree, async (file) => readFileImages(await readFile(file)), signal);
}

/** Puts files back to what they were before these changes, the last one first. */
async function takeBack(
  tree: string,
  undo: readonly FileChangeRecord[],
  images: ReadonlyMap<string, Buffer>,
): Promise<void> {
  const files = await createWorktreeFiles(tree);
  for (const { path, before } of undo) {
    const bytes = before === null ? undefined : images.get(before);
    if (before !== null && bytes === undefined) throw new Error(`${path} as it was is not kept`);
    if (bytes !== undefined) await files.write(path, bytes);
    else if ((await files.locate(path)).exists) await files.remove(path);
  }
}

function sound<T extends object>(found: T | { readonly problem: string }): T {
  if ("problem" in found) throw new Error(found.problem);
  return found;
}

async function withObject<T>(
  deps: ResumeDeps,
  name: string,
  worktree: Worktree,
  use: (file: string) => Promise<T>,
  signal: AbortSignal,
): Promise<T> {
  const file = join(worktree.directory, `resume-${randomUUID()}`);
  try {
    await deps.download(name, file, signal);
    return await use(file);
  } finally {
    await rm(file, { force: true });
  }
}
