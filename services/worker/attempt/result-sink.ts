import { randomUUID } from "node:crypto";
import { mkdir, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { ChangedFiles } from "../../core/task/task.ts";
import type { Assignment } from "../../core/worker-protocol.ts";
import type { Repository } from "../../platform/git/bare-repository.ts";
import { createResultBundle } from "../../platform/git/bundles/bundle.ts";
import type { FewFiles } from "../../platform/git/in-process/apply-few.ts";
import { harvest } from "../../platform/git/worktree/harvest.ts";
import type { Worktree } from "../../platform/git/worktree/worktree.ts";
import type { Logger } from "../../platform/telemetry/log.ts";

/** Bound of `ChangedFiles.paths`. */
const pathsMax = 50;
/** Longest first line of a commit message, as git's own tools expect it. */
const subjectCharactersMax = 72;

/** The agent's change as a commit on the attempt's base. */
export interface HarvestedResult {
  readonly commit: string;
  /** Has the commit's objects. */
  readonly repository: Repository;
  /** The names of the objects that the base has not, where they are few and known. */
  readonly objects?: readonly string[];
  /** The changed files, where they are few and known. */
  readonly few?: FewFiles;
  readonly changed: ChangedFiles;
  /** Every changed path, both sides of a rename. */
  readonly paths: readonly string[];
  /** Unified diff without context; its start where it is long. */
  readonly diff: string;
}

/** Turns what an attempt made into objects that the coordinator can read. */
export interface ResultSink {
  /** The difference between the tree and its base as a commit; undefined when there is none. */
  harvest(worktree: Worktree, assignment: Assignment, signal: AbortSignal): Promise<HarvestedResult | undefined>;
  /** Puts the bundle `base..commit` into `inbox`. @returns the object's name. */
  storeBundle(result: HarvestedResult, base: string, signal: AbortSignal): Promise<string>;
  /** Puts a text into `inbox`. @returns the object's name. */
  storeText(text: string, signal: AbortSignal): Promise<string>;
}

/** What {@link createResultSink} needs. */
export interface ResultSinkDeps {
  /** Drafts of bundles lie here until they are stored. */
  readonly directory: string;
  /** Puts the file into bucket `inbox` and waits while NATS is away. @returns the object's name. */
  upload(file: string, signal: AbortSignal): Promise<string>;
  readonly logger: Logger;
}

/** A sink over `deps.upload`. */
export function createResultSink(deps: ResultSinkDeps): ResultSink {
  const store = async (write: (file: string) => Promise<unknown>, signal: AbortSignal): Promise<string> => {
    await mkdir(deps.directory, { recursive: true });
    const file = join(deps.directory, randomUUID());
    try {
      await write(file);
      return await deps.upload(file, signal);
    } finally {
      await rm(file, { force: true });
    }
  };
  return {
    harvest: (worktree, assignment, signal) => harvestResult(deps.logger, worktree, assignment, signal),
    storeBundle: (result, base, signal) =>
      store((file) => createResultBundle(result.repository, { ...result, base }, file, signal), signal),
    storeText: (text, signal) => store((file) => writeFile(file, text), signal),
  };
}

async function harvestResult(
  logger: Logger,
  worktree: Worktree,
  assignment: Assignment,
  signal: AbortSignal,
): Promise<HarvestedResult | undefined> {
  const { namespace, job, task, attempt } = assignment;
  const subject = `${task}: attempt ${attempt}`.slice(0, subjectCharactersMax);
  const author = { name: "agentd agent", email: "agent@agentd.invalid", dateIso: new Date().toISOString() };
  const message = `${subject}\n\nTask ${namespace}/${job}/${task}\n`;
  const taken = await harvest(worktree, { message, author }, signal);
  if (taken.skipped.length > 0) logger.info({ task, skipped: taken.skipped.slice(0, 10) }, "paths were not harvested");
  if (taken.commit === undefined) return undefined;
  const paths = taken.changes.map((change) => change.path);
  const sum = (count: "insertions" | "deletions") => taken.changes.reduce((total, change) => total + change[count], 0);
  return {
    commit: taken.commit,
    repository: taken.repository,
    ...(taken.objects === undefined ? {} : { objects: taken.objects }),
    ...(taken.few === undefined ? {} : { few: taken.few }),
    paths,
    diff: await readFile(taken.diffFile, "utf8"),
    changed: {
      count: paths.length,
      insertions: sum("insertions"),
      deletions: sum("deletions"),
      paths: paths.slice(0, pathsMax),
    },
  };
}
