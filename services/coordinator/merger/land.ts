import { AgentdError } from "../../core/errors.ts";
import type { Job, JobHead } from "../../core/job/job.ts";
import { transition } from "../../core/task/machine/task-machine.ts";
import type { TaskRules } from "../../core/task/machine/task-rules.ts";
import type { Task } from "../../core/task/task.ts";
import type { Repository } from "../../platform/git/bare-repository.ts";
import type { PackFile } from "../../platform/git/objects/pack-file.ts";
import { listFirstParent } from "../../platform/git/trailers.ts";
import type { Entry, ResourceStore, Write } from "../../platform/nats/store/store.ts";
import type { MergedTask } from "./candidate.ts";
import type { JobRepositories } from "./job-repository.ts";

/** A chain that shall become the head. */
export interface Landing {
  readonly job: Job;
  readonly head: Entry<JobHead>;
  readonly commit: string;
  /** The tasks that the chain lands, at the revisions that were read before it was built. */
  readonly merged: readonly MergedTask[];
  readonly entries: ReadonlyMap<string, Entry<Task>>;
  /** Bundle `head..commit`, where one is stored already. */
  readonly bundle?: string;
  /** What that bundle would hold, where it is known. */
  readonly pack?: PackFile;
  readonly isVerified: boolean;
}

/** What {@link land} needs. */
export interface LandDeps {
  readonly store: ResourceStore;
  readonly repositories: JobRepositories;
  /** Between the last read and the batch; tests stop the merger here. */
  readonly beforeBatch?: (uid: string) => Promise<void>;
}

/** Bundles after which a landing stores one from the base instead, so that an empty disk needs few of them. */
export const bundlesBeforeRollUp = 20;

/**
 * Stores the new objects, then moves the head and turns every landed task to Succeeded in ONE atomic batch, each key at the
 * revision that was read: that is the commit point.
 *
 * @returns the tasks as they are now
 * @throws AgentdError CONFLICT when the head or a task has moved on: nothing landed. STORE_UNAVAILABLE with outcome
 *   `unknown`: read the head again
 */
export async function land(
  deps: LandDeps,
  landing: Landing,
  repository: Repository,
  rules: TaskRules,
  signal: AbortSignal,
): Promise<readonly Task[]> {
  const { head, commit, merged } = landing;
  const { base, bundles } = head.value;
  const isRollUp = bundles.length >= bundlesBeforeRollUp;
  const nextBundles = isRollUp
    ? [await deps.repositories.storeBundle(repository, base, commit, signal)]
    : [
        ...bundles,
        landing.bundle ??
          (await deps.repositories.storeBundle(repository, head.value.commit, commit, signal, landing.pack)),
      ];
  const nextHead: JobHead = {
    ...head.value,
    commit,
    bundles: nextBundles,
    landed: head.value.landed + merged.length,
    ...(landing.isVerified ? { verified: commit } : {}),
  };
  const landed = merged.map(({ task, commit: as }) =>
    transition(task, { type: "Landed", attempt: task.status.attempt, commit: as }, rules),
  );
  const writes: Write[] = landed.map((task) => {
    const entry = landing.entries.get(task.metadata.name);
    if (entry === undefined)
      throw new AgentdError("INTERNAL", `task ${task.metadata.name} was landed without being read`);
    return { key: entry.key, value: task, expected: entry.revision };
  });
  await deps.beforeBatch?.(head.value.uid);
  await deps.store.commit([{ key: head.key, value: nextHead, expected: head.revision }, ...writes], signal);
  return landed;
}

/**
 * The commits of a candidate that was built earlier, matched to its tasks by their trailers.
 *
 * @throws AgentdError INTERNAL when the chain does not hold exactly these tasks
 */
export async function readChain(
  repository: Repository,
  chain: { readonly head: string; readonly commit: string; readonly tasks: readonly Task[] },
  signal: AbortSignal,
): Promise<readonly MergedTask[]> {
  const commits = await listFirstParent(repository, chain.head, chain.commit, signal);
  const oldestFirst = [...commits].reverse();
  const isWhole =
    oldestFirst.length === chain.tasks.length && (oldestFirst[0]?.parents[0] ?? chain.head) === chain.head;
  const merged = chain.tasks.map((task, at): MergedTask | undefined => {
    const found = oldestFirst[at];
    const { namespace, name, uid } = task.metadata;
    const trailer = `${namespace}/${task.job}/${name}@${uid}`;
    if (found?.trailers.get("Agentd-Task")?.join() !== trailer) return undefined;
    return found.parents[1] === task.status.result?.commit ? { task, commit: found.commit } : undefined;
  });
  const known = merged.filter((one) => one !== undefined);
  if (isWhole && known.length === chain.tasks.length) return known;
  throw new AgentdError("INTERNAL", `candidate ${chain.commit} does not hold exactly its ${chain.tasks.length} tasks`);
}
