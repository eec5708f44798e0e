import { randomBytes } from "node:crypto";
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { lookThrough, type Worktree } from "../../../platform/git/worktree/worktree.ts";
import type { Logger } from "../../../platform/telemetry/log.ts";
import type { LargeTrees } from "./large-trees.ts";
import { placeName, type TreePlace } from "./tree-place.ts";

/** Trees that are made before somebody asks for them. */
export interface SpareTrees {
  /** A ready tree of the place, moved to `directory`; undefined when there is none. */
  take(base: TreePlace, directory: string): Promise<Worktree | undefined>;
  /** Makes more of what was just taken, in the background; trees of other places go. */
  refill(base: TreePlace): void;
  /** Resolves when nothing is made in the background. */
  settled(): Promise<void>;
  /** Ends what is made and removes what is ready. */
  close(): Promise<void>;
}

/** What {@link createSpareTrees} needs. */
export interface SpareTreesDeps {
  /** They lie here, on the file system of the attempts' trees. */
  readonly directory: string;
  readonly large: LargeTrees;
  /** Trees that are kept ready, over all places. */
  readonly sparesMax: number;
  readonly logger: Logger;
}

interface Spares {
  readonly ready: Worktree[];
  making: Promise<void> | undefined;
}

const removeTimeoutMs = 60_000;

/** An empty supply. */
export function createSpareTrees(deps: SpareTreesDeps): SpareTrees {
  const { large, logger, sparesMax } = deps;
  const closing = new AbortController();
  const spares = new Map<string, Spares>();
  const countReady = (): number => [...spares.values()].reduce((sum, { ready }) => sum + ready.length, 0);

  async function fill(name: string, base: TreePlace, kept: Spares): Promise<void> {
    for (const [other, { ready, making }] of spares) {
      if (other === name || making !== undefined) continue;
      spares.delete(other);
      for (const { directory } of ready) await large.remove(directory, closing.signal);
    }
    while (!closing.signal.aborted && countReady() < sparesMax)
      kept.ready.push(await makeSpare(deps, base, closing.signal));
  }

  const settled = async (): Promise<void> => {
    for (const { making } of [...spares.values()]) await making;
  };
  return {
    async take(base, directory) {
      const worktree = spares.get(placeName(base))?.ready.shift();
      return worktree === undefined ? undefined : await large.move(worktree, directory);
    },
    refill(base) {
      if (closing.signal.aborted || sparesMax === 0) return;
      const name = placeName(base);
      const kept: Spares = spares.get(name) ?? { ready: [], making: undefined };
      spares.set(name, kept);
      kept.making ??= fill(name, base, kept)
        .catch((error: unknown) => {
          if (!closing.signal.aborted) logger.warn({ err: error }, "no tree could be made ahead");
        })
        .finally(() => {
          kept.making = undefined;
        });
    },
    settled,
    async close() {
      closing.abort(new DOMException("the worker stops", "AbortError"));
      await settled();
      const ready = [...spares.values()].flatMap((each) => each.ready);
      spares.clear();
      for (const { directory } of ready) await large.remove(directory, AbortSignal.timeout(removeTimeoutMs));
    },
  };
}

async function makeSpare(deps: SpareTreesDeps, base: TreePlace, signal: AbortSignal): Promise<Worktree> {
  const directory = join(deps.directory, `spare-${randomBytes(6).toString("hex")}`);
  await mkdir(deps.directory, { recursive: true, mode: 0o700 });
  try {
    // Behind whatever an attempt waits for.
    const worktree = await deps.large.make(base, directory, signal, -1);
    // The first look at a tree of many files is what takes long: the kernel reads every name.
    await lookThrough(worktree, signal);
    return worktree;
  } catch (error) {
    await deps.large.remove(directory, AbortSignal.timeout(removeTimeoutMs));
    throw error;
  }
}
