import { randomUUID } from "node:crypto";
import { rm, stat } from "node:fs/promises";
import { join } from "node:path";
import { changingTools } from "../../agent/tools/changing-tools.ts";
import type { Checkpoint, TurnRecord } from "../../agent/transcript.ts";
import { createBundle } from "../../platform/git/bundle.ts";
import { harvest } from "../../platform/git/harvest.ts";
import type { Worktree } from "../../platform/git/worktree.ts";
import type { Logger } from "../../platform/telemetry/log.ts";

/** Keeps the files of an attempt as they were after its turns, for whoever goes on there. */
export interface Checkpoints {
  /**
   * To be called when the turn is over and before its record is stored. Costs nothing where no file can have changed.
   * @returns what the turn's record is to name; undefined where the files are not kept.
   * @throws the signal's reason
   */
  after(turn: TurnRecord, signal: AbortSignal): Promise<Checkpoint | undefined>;
}

export interface CheckpointDeps {
  readonly worktree: Worktree;
  /** The files as they are now. */
  readonly start: Checkpoint;
  /** Puts the file into bucket `inbox`. @returns the object's name. */
  upload(file: string, signal: AbortSignal): Promise<string>;
  /** Whether an upload could be answered now: the work does not wait for it. */
  isConnected(): boolean;
  readonly nowMs: () => number;
  /** Least time between two checkpoints when the last one took `costMs`. Default {@link gapMs}. */
  readonly gapMs?: (costMs: number) => number;
  readonly logger: Logger;
}

const timeoutMs = 30_000;
const filesMax = 5_000;
const filesBytesMax = 64 * 1_024 ** 2;
/** As the coordinator takes results. */
const bundleBytesMax = 64 * 1_024 ** 2;
/** A fixed date: the same files give the same commit, so that what did not change is not stored again. */
const author = { name: "agentd agent", email: "agent@agentd.invalid", dateIso: "2000-01-01T00:00:00Z" };

/** Turns of a real model are longer: each has its checkpoint, and only what is quick to do again goes without. */
export function gapMs(costMs: number): number {
  return Math.max(2_000, 2 * costMs);
}

/** Checkpoints of one attempt's tree. */
export function createCheckpoints(deps: CheckpointDeps): Checkpoints {
  let stored = deps.start;
  let isDirty = false;
  let endedAtMs = deps.nowMs();
  let costMs = 0;
  return {
    async after(turn, signal) {
      isDirty ||= mayHaveChanged(turn);
      if (!isDirty) return stored;
      const startedAtMs = deps.nowMs();
      const isTooSoon = startedAtMs - endedAtMs < (deps.gapMs ?? gapMs)(costMs);
      if (isTooSoon || turn.session?.isLast === true || !deps.isConnected()) return undefined;
      try {
        stored = await store(deps, stored, AbortSignal.any([signal, AbortSignal.timeout(timeoutMs)]));
        isDirty = false;
        return stored;
      } catch (error) {
        signal.throwIfAborted();
        deps.logger.info({ turn: turn.turn, err: error }, "the files after a turn were not kept");
        return undefined;
      } finally {
        endedAtMs = deps.nowMs();
        costMs = endedAtMs - startedAtMs;
      }
    },
  };
}

function mayHaveChanged(turn: TurnRecord): boolean {
  return turn.calls.some(({ name, isError }) => name === "bash" || (changingTools.has(name) && !isError));
}

async function store(deps: CheckpointDeps, stored: Checkpoint, signal: AbortSignal): Promise<Checkpoint> {
  const { worktree } = deps;
  const bounds = { maxFiles: filesMax, maxBytes: filesBytesMax, isBrief: true };
  const taken = await harvest(worktree, { message: "Checkpoint\n", author, ...bounds }, signal);
  const file = join(worktree.directory, `checkpoint-${randomUUID()}.bundle`);
  try {
    const { commit, repository } = taken;
    if (commit === undefined) return { commit: worktree.base };
    if (commit === stored.commit) return stored;
    const contents = { refs: { "refs/agentd/result": commit }, exclude: [worktree.base] };
    await createBundle(repository, contents, file, signal);
    const { size } = await stat(file);
    if (size > bundleBytesMax) throw new Error(`a checkpoint of ${size} bytes; at most ${bundleBytesMax} are kept`);
    return { commit, object: await deps.upload(file, signal) };
  } finally {
    await rm(file, { force: true });
    await rm(taken.repository.gitDir, { recursive: true, force: true });
  }
}
