import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { isAgentdError } from "../../core/errors.ts";
import type { Job } from "../../gen/agentd/v1/job_pb.ts";
import type { Task } from "../../gen/agentd/v1/task_pb.ts";
import { formatAge, formatCount, shortCommit } from "../output/quantity.ts";
import { jobStatusText, trueCondition } from "../output/tables/job-table.ts";
import { visible, visibleLine } from "../output/visible.ts";
import { applyChanges } from "../repository/apply-changes.ts";
import { downloadBranch } from "../repository/download-branch.ts";
import { taskWord } from "../resource-name.ts";
import { type ExitCode, exitCodes, type Session } from "../session.ts";
import type { RunPlace } from "./follow-run.ts";

/** What is done with a result that was accepted. */
export interface FinishOptions {
  /** Top folder of the repository. */
  readonly directory: string;
  readonly isApplied: boolean;
}

/** Shows the diff of a run that has ended and says what to do next; with `isApplied` takes it into the work tree. */
export async function finishRun(
  session: Session,
  place: RunPlace,
  job: Job,
  options: FinishOptions,
): Promise<ExitCode> {
  const task = await taskOf(session, place);
  const { terminal } = session;
  const isDone = trueCondition(job, "Complete") !== undefined;
  const changed = await showDiff(session, place, task);
  terminal.err(`job/${place.name} ${jobStatusText(job)}: ${endText(job, task)}\n`);
  if (!isDone) {
    const word =
      task === undefined ? `job/${place.name}` : taskWord({ job: place.name, name: task.metadata?.name ?? "" });
    terminal.err(`next: agentctl describe ${word}  ·  agentctl logs ${word}\n`);
    return exitCodes.jobFailed;
  }
  if (!changed) {
    terminal.err("nothing was changed\n");
    return exitCodes.done;
  }
  if (!options.isApplied) {
    const branch = job.spec?.target?.branch ?? "";
    terminal.err(`your work tree is unchanged; take it: agentctl fetch job/${place.name} && git merge ${branch}\n`);
    return exitCodes.done;
  }
  await applyResult(session, place, job, options.directory);
  return exitCodes.done;
}

async function taskOf(session: Session, place: RunPlace): Promise<Task | undefined> {
  try {
    return await session.tasks.getTask({ name: place.task }, { signal: session.signal });
  } catch (error) {
    // A job that failed before it was planned has no task.
    if (isAgentdError(error, "NOT_FOUND")) return undefined;
    throw error;
  }
}

/** Prints the diff of the last result; false when there is none. */
async function showDiff(session: Session, place: RunPlace, task: Task | undefined): Promise<boolean> {
  const attempts = task?.status?.attempts ?? [];
  if (!attempts.some(({ changedCount }) => changedCount > 0)) return false;
  const { diff, isTruncated } = await session.tasks.getTaskDiff({ name: place.task }, { signal: session.signal });
  const bytes = Buffer.from(diff);
  // A pipe gets git's own bytes, for `git apply`; a screen gets text that cannot act on it.
  session.terminal.out(session.terminal.isInteractive ? visible(bytes.toString("utf8")) : bytes);
  if (isTruncated) session.terminal.err("(cut: the diff is larger than 3 MiB)\n");
  return bytes.length > 0;
}

function endText(job: Job, task: Task | undefined): string {
  const usage = job.status?.usage;
  const tokens = formatCount((usage?.inputTokens ?? 0n) + (usage?.outputTokens ?? 0n));
  const turns = usage?.turns ?? 0n;
  const used = `${turns} ${turns === 1n ? "turn" : "turns"}, ${tokens} tokens, ${formatAge((usage?.seconds ?? 0) * 1000)}`;
  const status = task?.status;
  if (trueCondition(job, "Complete") !== undefined) {
    const commit = status?.landedCommit ?? "";
    const merged = commit === "" ? [] : [`merged as ${shortCommit(commit)} on ${job.spec?.target?.branch ?? ""}`];
    return [...merged, ...checksText(task), used].join("; ");
  }
  const why = status?.message || trueCondition(job, "Failed")?.message || "";
  const outcome = status?.outcome ?? "";
  return [outcome, visibleLine(why), used].filter((part) => part !== "").join("; ");
}

function checksText(task: Task | undefined): readonly string[] {
  const checks = task?.status?.attempts.at(-1)?.checks ?? [];
  return checks.length === 0 ? [] : [checks.map(({ name, exitCode }) => `${name} exit ${exitCode ?? "-"}`).join(", ")];
}

async function applyResult(session: Session, place: RunPlace, job: Job, directory: string): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), "agentctl-"));
  try {
    const file = join(folder, "branch.bundle");
    const { commit, branch, bytes } = await downloadBranch(session, place.job, file);
    const paths = await applyChanges(
      directory,
      {
        base: job.status?.baseCommit ?? "",
        commit,
        folder,
        otherwise: `agentctl fetch job/${place.name} && git merge ${branch}`,
        ...(bytes > 0 ? { bundleFile: file } : {}),
      },
      session.signal,
    );
    const what = paths.length === 1 ? (paths[0] ?? "") : `${paths.length} files`;
    session.terminal.err(`applied to your work tree: ${visibleLine(what)}; nothing is staged or committed\n`);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
