import { createHash, randomUUID } from "node:crypto";
import { access, mkdir, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import PQueue from "p-queue";
import { AgentdError } from "../../core/errors.ts";
import type { Assignment } from "../../core/worker-protocol.ts";
import { hasCommit, openBareRepository, type Repository } from "../../platform/git/bare-repository.ts";
import { fetchBundle } from "../../platform/git/bundles/bundle.ts";
import type { CacheDirectory } from "./cache-directory.ts";

/** Downloads and imports at once in this process: both are heavy on disk and memory. */
const importsMax = 2;

/** Objects of bucket `agentd`, for reading. */
export interface ObjectSource {
  /** Writes the object to `file`. @throws AgentdError OBJECT_MISSING, or STORE_UNAVAILABLE. */
  download(name: string, file: string, signal: AbortSignal): Promise<void>;
}

/** A repository in use: it is not swept before `close`. */
export interface OpenRepository {
  readonly repository: Repository;
  close(): void;
}

/** What {@link createRepositoryCache} needs. */
export interface RepositoryCacheDeps {
  readonly cache: CacheDirectory;
  readonly objects: ObjectSource;
}

/** One bare repository for each job, filled from the bundles that its assignments name. */
export interface RepositoryCache {
  /**
   * The job's repository with the assignment's base in it.
   * @throws AgentdError OBJECT_MISSING when a bundle is gone (the next assignment names others), STORE_UNAVAILABLE, DISK_FULL,
   * or the signal's reason.
   */
  open(assignment: Pick<Assignment, "uid" | "base" | "bundles">, signal: AbortSignal): Promise<OpenRepository>;
}

/** A cache over `deps.cache`, empty or left by an earlier life. */
export function createRepositoryCache(deps: RepositoryCacheDeps): RepositoryCache {
  const heavy = new PQueue({ concurrency: importsMax });
  // One import at a time for each repository: others find there what the first has fetched.
  const queues = new Map<string, PQueue>();
  // What was seen is not looked for again, as long as the repository is in use and so cannot be swept.
  const seen = new Map<string, { users: number; readonly commits: Map<string, Repository> }>();

  async function fill(uid: string, base: string, bundles: readonly string[], signal: AbortSignal): Promise<Repository> {
    const directory = deps.cache.path(uid);
    const repository = await openBareRepository({ directory: join(directory, "repository.git") }, signal);
    if (await hasCommit(repository, base, signal)) return repository;
    for (const bundle of bundles) {
      const mark = join(directory, "bundles", createHash("sha256").update(bundle).digest("hex"));
      if (await exists(mark)) continue;
      await heavy.add(() => importBundle(deps.objects, repository, bundle, directory, signal));
      await mkdir(join(directory, "bundles"), { recursive: true });
      await writeFile(mark, bundle);
    }
    if (await hasCommit(repository, base, signal)) return repository;
    // Marks that lie (a damaged cache) must not keep it damaged.
    await rm(join(directory, "bundles"), { recursive: true, force: true });
    throw new AgentdError("OBJECT_MISSING", `Commit ${base} is in none of the job's ${bundles.length} bundles.`);
  }

  function holdSeen(uid: string, release: () => void): () => void {
    const entry = seen.get(uid) ?? { users: 0, commits: new Map<string, Repository>() };
    seen.set(uid, entry);
    entry.users += 1;
    let isHeld = true;
    return () => {
      if (!isHeld) return;
      isHeld = false;
      entry.users -= 1;
      if (entry.users === 0) seen.delete(uid);
      release();
    };
  }

  return {
    async open({ uid, base, bundles }, signal) {
      const close = holdSeen(uid, deps.cache.use(uid));
      const known = seen.get(uid)?.commits.get(base);
      if (known !== undefined) return { repository: known, close };
      const queue = queues.get(uid) ?? new PQueue({ concurrency: 1 });
      queues.set(uid, queue);
      try {
        // Who waited for the same commit finds it known: a process for each of a hundred tasks would only ask again.
        const find = async () => seen.get(uid)?.commits.get(base) ?? (await fill(uid, base, bundles, signal));
        const repository = await queue.add(find);
        seen.get(uid)?.commits.set(base, repository);
        return { repository, close };
      } catch (error) {
        close();
        throw error;
      } finally {
        if (queue.size === 0 && queue.pending === 0) queues.delete(uid);
      }
    },
  };
}

async function importBundle(
  objects: ObjectSource,
  repository: Repository,
  name: string,
  directory: string,
  signal: AbortSignal,
): Promise<void> {
  const file = join(directory, `download-${randomUUID()}.bundle`);
  try {
    await objects.download(name, file, signal);
    await fetchBundle(repository, file, {}, signal);
  } finally {
    await rm(file, { force: true });
  }
}

function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}
