import { randomUUID } from "node:crypto";
import { rm, stat } from "node:fs/promises";
import { join } from "node:path";
import { changingTools } from "../../agent/tools/changing-tools.ts";
import type { Checkpoint, TurnRecord } from "../../agent/transcript.ts";
import type { Repository } from "../../platform/git/bare-repository.ts";
import { createResultBundle } from "../../platform/git/bundles/bundle.ts";
import { harvest } from "../../platform/git/worktree/harvest.ts";
import type { Worktree } from "../../platform/git/worktree/worktree.ts";
import type { Logger } from "../../platform/telemetry/log.ts";

/** Keeps the files of an attempt as they were after its turns, for whoever goes on there. */
export interface Checkpoints {
  /** To be told of each file that a tool changes: after a turn without a command nothing else has changed. */
  noteChange(path: string): void;
  /**
   * To be called when the turn is over and before its record is stored. Costs nothing where no file can have changed.
   * @returns what the turn's record is to name; undefined where the files are not kept.
   * @throws the signal's reason
   */
  after(turn: TurnRecord, signal: AbortSignal): Promise<Checkpoint | undefined>;
}

/** Whose files are kept, and where. */
export interface CheckpointDeps {
  readonly worktree: Worktree;
  /** The files as they are now; undefined where they are not kept yet. */
  readonly start: Checkpoint | undefined;
  /** Puts the file into bucket `inbox`. @returns the object's name. */
  upload(file: string, signal: AbortSignal): Promise<string>;
  /** Whether an upload could be answered now: the work does not wait for it. */
  isConnected(): boolean;
  readonly nowMs: () => number;
  readonly logger: Logger;
}

const timeoutMs = 30_000;
const filesMax = 5_000;
const filesBytesMax = 64 * 1_024 ** 2;
/** As the coordinator takes results. */
const bundleBytesMax = 64 * 1_024 ** 2;
/** A fixed date: the same files give the same commit, so that what did not change is not stored again. */
const author = { name: "agentd agent", email: "agent@agentd.invalid", dateIso: "2000-01-01T00:00:00Z" };

/** Every turn has its checkpoint, but where one takes so long (thousands of changed files) that the work would stand still. */
const slowMs = 2_000;
/** Of fewer changed files one takes long only where the machine is busy: without it a command would be run twice after a loss. */
const fewFiles = 1_000;
const slowOfFewMs = 10_000;
/** What cannot be kept, for there is too much of it, is not tried at every turn. */
const afterFailureMs = 10_000;

/** What is known of the tree, so that the next look at it is cheaper. */
interface Known {
  stored: Checkpoint | undefined;
  /** Changed paths, bytes as characters. */
  readonly paths: Set<string>;
  /** A command has run since: it may have changed anything. */
  hasRun: boolean;
  /** Of the last harvest. */
  repository?: Repository;
}

/** Checkpoints of one attempt's tree. */
export function createCheckpoints(deps: CheckpointDeps): Checkpoints {
  // A tree that was moved to a checkpoint differs from its base in what nobody has listed yet.
  const known: Known = { stored: deps.start, paths: new Set(), hasRun: deps.start?.commit !== deps.worktree.base };
  let isDirty = deps.start === undefined;
  let endedAtMs = deps.nowMs();
  let gapMs = 0;
  return {
    noteChange: (path) => void known.paths.add(Buffer.from(path).toString("latin1")),
    async after(turn, signal) {
      const hasRun = turn.calls.some(({ name }) => name === "bash");
      known.hasRun ||= hasRun;
      isDirty ||= hasRun || turn.calls.some(({ name, isError }) => changingTools.has(name) && !isError);
      if (!isDirty) return known.stored;
      const startedAtMs = deps.nowMs();
      const isTooSoon = startedAtMs - endedAtMs < gapMs;
      if (isTooSoon || turn.session?.isLast === true || !deps.isConnected()) return undefined;
      try {
        known.stored = await store(deps, known, AbortSignal.any([signal, AbortSignal.timeout(timeoutMs)]));
        isDirty = false;
        const costMs = deps.nowMs() - startedAtMs;
        gapMs = costMs < (known.paths.size < fewFiles ? slowOfFewMs : slowMs) ? 0 : 2 * costMs;
        return known.stored;
      } catch (error) {
        signal.throwIfAborted();
        gapMs = afterFailureMs;
        deps.logger.info({ turn: turn.turn, err: error }, "the files after a turn were not kept");
        return undefined;
      } finally {
        endedAtMs = deps.nowMs();
      }
    },
  };
}

async function store(deps: CheckpointDeps, known: Known, signal: AbortSignal): Promise<Checkpoint> {
  const { worktree } = deps;
  const bounds = { maxFiles: filesMax, maxBytes: filesBytesMax, isBrief: true };
  const { paths, repository: used } = known;
  const last = used === undefined ? {} : { last: { commit: known.stored?.commit ?? "", repository: used } };
  const found = { paths, isAll: !known.hasRun, ...last };
  const taken = await harvest(worktree, { message: "Checkpoint\n", author, ...bounds, known: found }, signal);
  for (const path of taken.touched) known.paths.add(path);
  known.hasRun = false;
  known.repository = taken.repository;
  const file = join(worktree.directory, `checkpoint-${randomUUID()}.bundle`);
  try {
    const { commit, repository, objects } = taken;
    if (commit === undefined) return { commit: worktree.base };
    if (commit === known.stored?.commit) return known.stored;
    await createResultBundle(repository, { commit, base: worktree.base, objects }, file, signal);
    const { size } = await stat(file);
    if (size > bundleBytesMax) throw new Error(`a checkpoint of ${size} bytes; at most ${bundleBytesMax} are kept`);
    return { commit, object: await deps.upload(file, signal) };
  } finally {
    await rm(file, { force: true });
  }
}
