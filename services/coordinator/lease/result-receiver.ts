import PQueue from "p-queue";
import { isAgentdError } from "../../core/errors.ts";
import type { Job, JobHead } from "../../core/job/job.ts";
import { renderTask } from "../../core/plan/template.ts";
import type { AttemptEnded } from "../../core/task/machine/task-event.ts";
import type { ChangedFiles, CheckResult, Outcome, Task } from "../../core/task/task.ts";
import { pathsOutOfScope } from "../../core/task/write-scope.ts";
import type { NatsLink } from "../../platform/nats/connect.ts";
import { getObject, putObject } from "../../platform/nats/objects/objects.ts";
import type { JobRepositories } from "../merger/job-repository.ts";
import { checksOf } from "./assignment.ts";

/** A result as a worker reports it, with what it is checked against. */
export interface ReportedResult {
  readonly job: Job;
  readonly head: JobHead;
  readonly task: Task;
  readonly outcome: Outcome;
  /** Name in bucket `inbox`. */
  readonly object: string;
  readonly commit: string;
  readonly checks: readonly CheckResult[];
  /** As the worker counted it. */
  readonly changed?: ChangedFiles;
}

/** What the coordinator makes of it by its own look. */
export type ReceivedResult = Pick<AttemptEnded, "outcome"> &
  Partial<Pick<AttemptEnded, "commit" | "bundle" | "changed" | "message" | "notice">>;

/** Takes what workers put into `inbox`, and believes none of it. */
export interface ResultReceiver {
  /**
   * Verifies the bundle, looks at what it changes and copies it into bucket `agentd`. A bad bundle or a change outside
   * `writes` is an outcome, not an error; of a failed attempt a bad bundle is only left out.
   * @throws AgentdError OBJECT_MISSING, STORE_UNAVAILABLE: the worker repeats its call
   */
  receiveResult(result: ReportedResult, signal: AbortSignal): Promise<ReceivedResult>;
  /** Copies a plan's output (at most 8 MiB) into bucket `agentd`. @returns the object's name */
  receiveOutput(object: string, signal: AbortSignal): Promise<string>;
}

/** What {@link createResultReceiver} needs. */
export interface ResultReceiverDeps {
  readonly link: NatsLink;
  readonly repositories: JobRepositories;
  /** Largest result bundle; default 64 MiB. */
  readonly resultBytesMax?: number;
}

/** Results that are verified at once: git processes, which want a processor each. */
const verifiedAtOnce = 4;
/** As printed by a worker; see its `planOutputBytesMax`. UTF-8 repair may make it a little longer. */
const planOutputBytesMax = 16 * 1_024 * 1_024;

/** A receiver over the object store and the job's cache. */
export function createResultReceiver(deps: ResultReceiverDeps): ResultReceiver {
  const bytesMax = deps.resultBytesMax ?? 64 * 1_024 * 1_024;
  // A burst of results shall be answered one after the other, not all of them too late.
  const queue = new PQueue({ concurrency: verifiedAtOnce });
  const inTurn = <T>(work: (file: string) => Promise<T>, signal: AbortSignal): Promise<T> =>
    queue.add(() => deps.repositories.withFile(work), { signal });
  return {
    receiveResult: (result, signal) =>
      inTurn(async (file) => {
        try {
          await getObject(deps.link, "inbox", result.object, file, { bytesMax }, signal);
          return await verify(deps, result, file, bytesMax, signal);
        } catch (error) {
          const isBad =
            isAgentdError(error, "BUNDLE_INVALID") ||
            isAgentdError(error, "UPLOAD_TOO_LARGE") ||
            isAgentdError(error, "LIMIT_EXCEEDED");
          if (!isBad) throw error;
          return refusedResult(result, `the result was refused: ${error.message}`);
        }
      }, signal),
    receiveOutput: (object, signal) =>
      inTurn(async (file) => {
        await getObject(deps.link, "inbox", object, file, { bytesMax: planOutputBytesMax }, signal);
        return (await putObject(deps.link, "agentd", { file }, signal)).name;
      }, signal),
  };
}

async function verify(
  deps: ResultReceiverDeps,
  result: ReportedResult,
  file: string,
  maxBytes: number,
  signal: AbortSignal,
): Promise<ReceivedResult> {
  const { job, head, task, commit } = result;
  const base = task.status.attempts.at(-1)?.base ?? job.status.base.commit;
  const repository = await deps.repositories.openAt(job, head, signal);
  const claim = { base, commit, maxBytes, isOneCommit: true };
  const files = await deps.repositories.importResult(repository, file, claim, signal);
  const paths = files.map((each) => each.path);
  // The numbers of lines are for people only: the worker's are good enough.
  const { insertions, deletions } = result.changed ?? { insertions: 0, deletions: 0 };
  const seen: ChangedFiles = { count: paths.length, insertions, deletions, paths: paths.slice(0, 50) };
  const bundle = (await putObject(deps.link, "agentd", { file }, signal)).name;
  const evidence = { commit, bundle, changed: seen };
  if (result.outcome !== "Done") return { ...evidence, outcome: result.outcome };
  if (paths.length === 0) return { outcome: "AlreadyDone", changed: seen, message: "nothing was changed" };
  const rendered = renderTask(job, task);
  const outside = pathsOutOfScope(paths, rendered.writes);
  if (outside.length > 0) {
    const listed = outside
      .slice(0, 5)
      .map((path) => JSON.stringify(path))
      .join(", ");
    const message = `changed outside writes: ${listed}${outside.length > 5 ? ` and ${outside.length - 5} more` : ""}`;
    return { ...evidence, outcome: "GateFailed", message, notice: `The last attempt was refused: it ${message}.` };
  }
  const missing = checksOf(job, task, rendered.checks).filter(
    (check) => !result.checks.some((one) => one.name === check.name && one.status === "Passed"),
  );
  if (missing.length === 0) return { ...evidence, outcome: "Done" };
  return { ...evidence, outcome: "GateFailed", message: `check "${missing[0]?.name}" has no green result` };
}

/** A failed attempt stays what it was: its result is only there to be read. */
function refusedResult(result: ReportedResult, message: string): ReceivedResult {
  return result.outcome === "Done" ? { outcome: "ProtocolViolation", message } : { outcome: result.outcome };
}
