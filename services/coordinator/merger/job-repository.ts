import { randomUUID } from "node:crypto";
import { mkdir, readdir, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import { AgentdError } from "../../core/errors.ts";
import type { Job, JobHead } from "../../core/job/job.ts";
import type { Task } from "../../core/task/task.ts";
import type { Repository } from "../../platform/git/bare-repository.ts";
import { openBareRepository } from "../../platform/git/bare-repository.ts";
import { createBundle, fetchBundle } from "../../platform/git/bundles/bundle.ts";
import { importResult, sweepQuarantines } from "../../platform/git/bundles/result-bundle.ts";
import type { ResultClaim } from "../../platform/git/bundles/result-claim.ts";
import { writePackBundle } from "../../platform/git/in-process/small-bundle.ts";
import type { ObjectReader } from "../../platform/git/objects/object-reader.ts";
import { createObjectReader } from "../../platform/git/objects/object-reader.ts";
import type { PackFile } from "../../platform/git/objects/pack-file.ts";
import type { ChangedFile } from "../../platform/git/objects/trees.ts";
import type { NatsLink } from "../../platform/nats/connect.ts";
import { getObject, putObject } from "../../platform/nats/objects/objects.ts";
import { createKeyedQueue } from "../lease/keyed-queue.ts";

/** The coordinator's git caches, one a job: all of them can be deleted at any time. */
export interface JobRepositories {
  /**
   * The job's cache with everything up to its head in it; on an empty disk it is rebuilt from the object store.
   * @throws AgentdError OBJECT_MISSING when a bundle is gone: read the head again
   */
  openAt(job: Job, head: JobHead, signal: AbortSignal): Promise<Repository>;
  /** Verifies a worker's result and takes it into the cache. @throws AgentdError as `importResult` in `platform/git` */
  importResult(
    repository: Repository,
    file: string,
    claim: Omit<ResultClaim, "reader">,
    signal: AbortSignal,
  ): Promise<readonly ChangedFile[]>;
  /** Makes sure that the verified results of these tasks are in the cache. @throws AgentdError OBJECT_MISSING */
  addResults(repository: Repository, tasks: readonly Task[], signal: AbortSignal): Promise<void>;
  /** Adds the objects of a bundle of ours (a candidate) to the cache, unless its commit is there. */
  addBundle(repository: Repository, commit: string, object: string, signal: AbortSignal): Promise<void>;
  /** Stores `from..to` as a bundle object that was read back. @param pack what it holds, where that is known. @returns its name */
  storeBundle(repository: Repository, from: string, to: string, signal: AbortSignal, pack?: PackFile): Promise<string>;
  /** Reads the cache's objects. */
  reader(repository: Repository): ObjectReader;
  /** Runs `work` with a path that nothing else uses; whatever is there afterwards is removed. */
  withFile<T>(work: (file: string) => Promise<T>): Promise<T>;
  /** Removes the caches of jobs that are gone. @param liveUids is asked after the caches were listed */
  sweep(liveUids: () => ReadonlySet<string>): Promise<void>;
}

/** What {@link createJobRepositories} needs. */
export interface JobRepositoriesDeps {
  readonly link: NatsLink;
  /** Holds `repos/<uid>.git` and `tmp/`. */
  readonly dataDirectory: string;
  /** PATH in which git is found; default the usual places. */
  readonly searchPath?: string;
}

/** Git's own name for the tip inside our bundles; bundles need one and nobody reads it. */
const bundleRef = "refs/agentd/head";
/** Commits remembered for one job. */
const knownMax = 100_000;

/** Caches under `dataDirectory/repos`, filled from the object store. */
export function createJobRepositories(deps: JobRepositoriesDeps): JobRepositories {
  const reposDirectory = join(deps.dataDirectory, "repos");
  const temporary = join(deps.dataDirectory, "tmp");
  const filling = createKeyedQueue();
  const known = createKnownCommits();
  const take: JobRepositories["importResult"] = (repository, file, claim, signal) =>
    importResult(repository, file, { ...claim, reader: known.reader(repository) }, signal);
  const withFile: JobRepositories["withFile"] = (work) => withFileIn(temporary, work);
  const addBundle = async (
    repository: Repository,
    commit: string,
    object: string,
    signal: AbortSignal,
  ): Promise<void> => {
    if (await known.has(repository, commit, signal)) return;
    await addObject(repository, object, signal);
  };
  const addObject = (repository: Repository, object: string, signal: AbortSignal): Promise<unknown> =>
    withFile(async (file) => {
      await getObject(deps.link, "agentd", object, file, {}, signal);
      return await fetchBundle(repository, file, {}, signal);
    });
  const open = async (job: Job, head: JobHead, signal: AbortSignal): Promise<Repository> => {
    const { uid } = job.metadata;
    await mkdir(reposDirectory, { recursive: true });
    const directory = join(reposDirectory, `${uid}.git`);
    const searchPath = deps.searchPath === undefined ? {} : { searchPath: deps.searchPath };
    // Somebody deleted the cache: nothing is known any more.
    if ((await stat(join(directory, "HEAD")).catch(() => undefined)) === undefined) known.forget(directory);
    const repository = await openBareRepository({ directory, ...searchPath }, signal);
    if (known.begin(directory)) await sweepQuarantines(repository);
    await addBundle(repository, job.status.base.commit, job.status.baseBundle, signal);
    if (await known.has(repository, head.commit, signal)) return repository;
    for (const object of head.bundles) await addObject(repository, object, signal);
    if (await known.has(repository, head.commit, signal)) return repository;
    throw new AgentdError("OBJECT_MISSING", `the bundles of job ${head.job} do not give its head ${head.commit}`);
  };

  return {
    // One at a time for a job: two fillings of an empty cache would only do the same work twice.
    openAt: (job, head, signal) => filling.run(job.metadata.uid, () => open(job, head, signal)),
    importResult: take,
    async addResults(repository, tasks, signal) {
      for (const task of tasks) {
        const { result, attempts } = task.status;
        if (result === undefined || (await known.has(repository, result.commit, signal))) continue;
        const base = attempts.find((attempt) => attempt.attempt === result.attempt)?.base;
        if (base === undefined)
          throw new AgentdError("INTERNAL", `task ${task.metadata.name} has no base to merge from`);
        await withFile(async (file) => {
          await getObject(deps.link, "agentd", result.bundle, file, {}, signal);
          await take(repository, file, { base, commit: result.commit }, signal);
        });
      }
    },
    addBundle,
    reader: known.reader,
    storeBundle: (repository, from, to, signal, pack) =>
      withFile(async (file) => {
        const written = pack && writePackBundle({ ref: bundleRef, commit: to, base: from }, pack.bytes, file);
        await (written ?? createBundle(repository, { refs: { [bundleRef]: to }, exclude: [from] }, file, signal));
        return (await putObject(deps.link, "agentd", { file }, signal)).name;
      }),
    withFile,
    sweep: (liveUids) => sweepCaches(reposDirectory, liveUids, known),
  };
}

async function withFileIn<T>(directory: string, work: (file: string) => Promise<T>): Promise<T> {
  await mkdir(directory, { recursive: true });
  const file = join(directory, randomUUID());
  try {
    return await work(file);
  } finally {
    await rm(file, { force: true, recursive: true });
  }
}

async function sweepCaches(
  reposDirectory: string,
  liveUids: () => ReadonlySet<string>,
  known: KnownCommits,
): Promise<void> {
  const names = await readdir(reposDirectory).catch(() => [] as string[]);
  const live = liveUids();
  for (const name of names) {
    const uid = /^([0-9a-f-]{36})\.git/.exec(name)?.[1];
    if (uid === undefined || live.has(uid)) continue;
    known.forget(join(reposDirectory, name));
    await rm(join(reposDirectory, name), { recursive: true, force: true });
  }
}

/** What is in the caches, without a git process for each question. */
interface KnownCommits {
  has(repository: Repository, commit: string, signal: AbortSignal): Promise<boolean>;
  reader(repository: Repository): ObjectReader;
  /** Starts to remember for a cache. @returns whether that is new */
  begin(gitDir: string): boolean;
  forget(gitDir: string): void;
}

function createKnownCommits(): KnownCommits {
  const known = new Map<string, Set<string>>();
  const readers = new Map<string, ObjectReader>();
  const reader = (repository: Repository): ObjectReader => {
    const open = readers.get(repository.gitDir) ?? createObjectReader(repository);
    readers.set(repository.gitDir, open);
    return open;
  };
  return {
    reader,
    async has(repository, commit, signal) {
      const commits = known.get(repository.gitDir);
      if (commits?.has(commit) === true) return true;
      if ((await reader(repository).typeOf(commit, signal)) !== "commit") return false;
      if (commits !== undefined && commits.size < knownMax) commits.add(commit);
      return true;
    },
    begin(gitDir) {
      if (known.has(gitDir)) return false;
      known.set(gitDir, new Set());
      return true;
    },
    forget(gitDir) {
      known.delete(gitDir);
      // It would go on reading the files of a cache that was deleted.
      readers.get(gitDir)?.[Symbol.dispose]();
      readers.delete(gitDir);
    },
  };
}
