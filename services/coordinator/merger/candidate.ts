import { createHash } from "node:crypto";
import type { Job, JobHead } from "../../core/job/job.ts";
import { renderTask } from "../../core/plan/template.ts";
import type { CheckResult, Task } from "../../core/task/task.ts";
import type { Repository } from "../../platform/git/bare-repository.ts";
import { createMemoryMerger } from "../../platform/git/merge/memory-merger.ts";
import { conflictText, mergeTrees } from "../../platform/git/merge/merge.ts";
import { createTreeMerger, type QuickMerge } from "../../platform/git/merge/tree-merger.ts";
import type { ObjectReader } from "../../platform/git/objects/object-reader.ts";
import type { PackFile } from "../../platform/git/objects/pack-file.ts";
import { formatMessage } from "../../platform/git/trailers.ts";

/** A merged task and the commit that it became. */
export interface MergedTask {
  readonly task: Task;
  readonly commit: string;
}

/** A task that cannot be merged into the head. */
export interface ConflictingTask {
  readonly task: Task;
  /** Git's words on one line each. */
  readonly message: string;
  /** For the next attempt's prompt, at most 6,000 characters. */
  readonly notice: string;
}

/** The head with tasks merged onto it, one commit a task. */
export interface CandidateChain {
  /** The head itself when nothing was merged. */
  readonly commit: string;
  readonly merged: readonly MergedTask[];
  readonly conflicting: readonly ConflictingTask[];
  /** Everything between the head and the commit, where it was made here. */
  readonly pack?: PackFile;
}

const author = { name: "agentd", email: "agentd@agentd.invalid" } as const;
const noticeBytesMax = 5_800;

/**
 * Merges `tasks` in their order onto the head. A task that conflicts with the head is reported; one that conflicts only with
 * a task merged just before it is left out, to be tried again when that one has landed. The same head and tasks give
 * the same commits on every machine.
 */
export async function buildChain(
  { repository, reader }: { readonly repository: Repository; readonly reader: ObjectReader },
  input: {
    readonly job: Job;
    readonly head: JobHead;
    readonly tasks: readonly Task[];
    /** Asked after each merge: whether what is merged shall land before the rest is tried. Default never. */
    readonly isEnough?: () => boolean;
  },
  signal: AbortSignal,
): Promise<CandidateChain> {
  const { job, head } = input;
  const merged: MergedTask[] = [];
  const conflicting: ConflictingTask[] = [];
  let tip = head.commit;
  using merger = createTreeMerger(repository);
  // Without git, as long as nothing needs it: its trees and commits are written once, at the end.
  const memory = createMemoryMerger({ repository, reader, bases: new Set([head.base, head.commit]) });
  const merge = async (ours: string, theirs: string): Promise<QuickMerge> => {
    const tree = await memory.merge(ours, theirs, signal);
    if (tree !== undefined) return { kind: "clean", tree };
    await memory.store();
    return await merger.merge(ours, theirs, signal);
  };
  for (const task of input.tasks) {
    const theirs = task.status.result?.commit;
    if (theirs === undefined) continue;
    const result = await merge(tip, theirs);
    if (result.kind === "clean") {
      const identity = { ...author, dateIso: mergeDate(task) };
      const commit = { tree: result.tree, parents: [tip, theirs], message: mergeMessage(job, task), author: identity };
      tip = memory.commit(commit);
      merged.push({ task, commit: tip });
      if (input.isEnough?.() === true) break;
      continue;
    }
    if (tip !== head.commit && (await merge(head.commit, theirs)).kind === "clean") continue;
    const alone = await mergeTrees(repository, head.commit, theirs, signal);
    if (alone.kind === "clean") continue;
    const text = await conflictText(repository, alone, { maxBytes: noticeBytesMax }, signal);
    const notice = `The last result could not be merged into the job's branch.\n${text}`;
    conflicting.push({ task, message: alone.messages.join("; ").slice(0, 1_000), notice });
  }
  const pack = await memory.finish(signal);
  return { commit: tip, merged, conflicting, ...(pack === undefined ? {} : { pack }) };
}

/** The message of the commit that lands `task`: its evidence stands in the trailers. */
export function mergeMessage(job: Job, task: Task): string {
  const { namespace, name, uid } = task.metadata;
  const attemptNumber = task.status.result?.attempt ?? task.status.attempt;
  const attempt = task.status.attempts.find((one) => one.attempt === attemptNumber);
  return formatMessage(subjectOf(job, task), "", [
    ["Agentd-Task", `${namespace}/${task.job}/${name}@${uid}`],
    ["Agentd-Attempt", String(attemptNumber)],
    ["Agentd-Checks", checksTrailer(attempt?.checks ?? [])],
  ]);
}

/** `types=0 test=0 sha256:<digest over all results>`, or `none`. */
export function checksTrailer(checks: readonly CheckResult[]): string {
  if (checks.length === 0) return "none";
  const words = checks.map((check) => `${check.name}=${check.exitCode ?? check.status}`);
  const digest = createHash("sha256");
  for (const check of checks)
    digest.update(`${JSON.stringify([check.name, check.exitCode ?? null, check.outputDigest])}\n`);
  return `${words.join(" ")} sha256:${digest.digest("hex")}`;
}

const subjectCharactersMax = 72;

function subjectOf(job: Job, task: Task): string {
  const lines = renderTask(job, task).prompt.split("\n");
  const first = lines.map((line) => line.trim()).find((line) => line !== "") ?? task.metadata.name;
  const subject = `${job.metadata.name}: ${first.charAt(0).toLowerCase()}${first.slice(1).replace(/\.$/, "")}`;
  return subject.length <= subjectCharactersMax ? subject : `${subject.slice(0, subjectCharactersMax - 1).trimEnd()}…`;
}

/** When the attempt ended, which is stored: every replica writes the same commit. Git counts whole seconds. */
function mergeDate(task: Task): string {
  const attempt = task.status.attempts.find((one) => one.attempt === task.status.result?.attempt);
  const timeMs = attempt?.endedAtMs ?? attempt?.startedAtMs ?? task.metadata.createdAtMs;
  return new Date(Math.floor(timeMs / 1_000) * 1_000).toISOString();
}
