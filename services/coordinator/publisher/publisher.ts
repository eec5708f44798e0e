import { AgentdError, isAgentdError } from "../../core/errors.ts";
import type { Job, JobHead } from "../../core/job/job.ts";
import { isJobFinished } from "../../core/job/progress/job-progress.ts";
import { hasGivenUpAt, isPublishedAt } from "../../core/job/progress/publish-state.ts";
import type { Condition } from "../../core/resource.ts";
import { findCondition, setCondition } from "../../core/resource.ts";
import { cutJson } from "../../core/text/bound-text.ts";
import { countText } from "../../core/text/count-text.ts";
import type { Repository } from "../../platform/git/bare-repository.ts";
import { isAncestor } from "../../platform/git/bare-repository.ts";
import { fetchFromUrl, pushCommit, remoteBranch } from "../../platform/git/remote.ts";
import type { Entry, ResourceStore } from "../../platform/nats/store/store.ts";
import { inSpan } from "../../platform/telemetry/spans/tracer.ts";
import type { EventLog } from "../event-log.ts";
import { findJobOf } from "../job-entries.ts";
import type { JobRepositories } from "../merger/job-repository.ts";
import { jobSpan } from "../observe/job-trace.ts";

/** What {@link createPublisher} needs. */
export interface PublisherDeps {
  readonly store: ResourceStore;
  readonly repositories: JobRepositories;
  readonly events: Pick<EventLog, "jobEvent">;
  /** The coordinator's own variables for git, credentials included: HOME, SSH_AUTH_SOCK, GIT_ASKPASS, proxies. */
  readonly gitEnvironment: Readonly<Record<string, string>>;
  /** Least time between two pushes of a job that still runs. Default 10,000. */
  readonly pushEveryMs?: number;
  /** Failed pushes in a row after which the publisher gives up until the head moves. Default 8. */
  readonly attemptsMax?: number;
  readonly nowMs: () => number;
  readonly monotonicMs: () => number;
}

/** Lets the job's branch on the origin follow its head. To be run by the leader only. */
export interface Publisher {
  /**
   * Publishes the job with that uid as far as it is now; wake it when its head or Job changes.
   * @returns when to come back, if there is something left to do
   */
  reconcile(uid: string, signal: AbortSignal): Promise<{ readonly afterMs: number } | undefined>;
}

const pushEveryMsDefault = 10_000;
const attemptsMaxDefault = 8;
const firstBackOffMs = 1_000;
const longestBackOffMs = 60_000;
const remoteTimeoutMs = 120_000;
/** As JSON: the Job that holds it is at most 32 KiB. */
const publishMessageBytesMax = 768;

/** A publisher over the origin. What it has to remember stands in the Job. */
export function createPublisher(deps: PublisherDeps): Publisher {
  const pushedAtMs = new Map<string, number>();
  /** Back-offs that run: the write of a failure wakes this job at once. */
  const notBeforeMs = new Map<string, number>();
  return {
    async reconcile(uid, signal) {
      const found = findJobOf(deps.store, uid);
      if (found === undefined) {
        pushedAtMs.delete(uid);
        notBeforeMs.delete(uid);
        return undefined;
      }
      const { job, head } = found;
      const { spec } = job.value;
      const { url } = spec.repository;
      const { commit, base } = head.value;
      // An uploaded repository is published by its download; a branch without a merge is nothing to publish.
      if (url === undefined) return undefined;
      const isFinished = isJobFinished(job.value);
      if (commit === base) {
        if (isFinished) await record(deps, job, { commit }, row("True", "NothingLanded", "nothing was merged"), signal);
        return undefined;
      }
      // Then its download publishes it, as for an upload.
      if (!spec.target.push) return undefined;
      if (isPublishedAt(job.value, commit) || hasGivenUpAt(job.value, commit)) return undefined;
      const sinceMs = deps.monotonicMs() - (pushedAtMs.get(uid) ?? Number.NEGATIVE_INFINITY);
      const everyMs = deps.pushEveryMs ?? pushEveryMsDefault;
      if (!isFinished && sinceMs < everyMs) return { afterMs: everyMs - sinceMs };
      const waitMs = (notBeforeMs.get(uid) ?? Number.NEGATIVE_INFINITY) - deps.monotonicMs();
      if (waitMs > 0) return { afterMs: waitMs };
      pushedAtMs.set(uid, deps.monotonicMs());
      const attributes = { "agentd.branch": head.value.branch, "agentd.commit": commit };
      const next = await inSpan("publish", { parent: jobSpan(job.value), attributes }, () =>
        publish(deps, job, head.value, url, signal),
      );
      if (next === undefined) notBeforeMs.delete(uid);
      else notBeforeMs.set(uid, deps.monotonicMs() + next.afterMs);
      return next;
    },
  };
}

async function publish(
  deps: PublisherDeps,
  job: Entry<Job>,
  head: JobHead,
  url: string,
  signal: AbortSignal,
): Promise<{ readonly afterMs: number } | undefined> {
  const { commit, branch } = head;
  try {
    const repository = await deps.repositories.openAt(job.value, head, signal);
    const outcome = await push(deps, repository, { url, branch, commit }, signal);
    if (outcome === "Diverged") {
      const message = `branch ${branch} of the origin holds other commits than ${commit.slice(0, 12)}`;
      await record(deps, job, { gaveUpAt: commit }, row("False", "Diverged", message), signal);
      deps.events.jobEvent(job.value, "Warning", "PublishDiverged", message);
      return undefined;
    }
    await record(deps, job, { commit }, row("True", outcome, `${branch} is at ${commit.slice(0, 12)}`), signal);
    if (isJobFinished(job.value))
      deps.events.jobEvent(job.value, "Normal", "Published", `${branch} at ${commit.slice(0, 12)}`);
    return undefined;
  } catch (error) {
    signal.throwIfAborted();
    const isOutside = isAgentdError(error, "REPOSITORY_UNREACHABLE") || isAgentdError(error, "STATE_CONFLICT");
    if (!isOutside) throw error;
    return await postpone(deps, job, commit, error.message, signal);
  }
}

type Target = { readonly url: string; readonly branch: string; readonly commit: string };

/** @throws AgentdError STATE_CONFLICT when the origin refuses the push; REPOSITORY_UNREACHABLE */
async function push(
  deps: PublisherDeps,
  repository: Repository,
  target: Target,
  signal: AbortSignal,
): Promise<"Pushed" | "AlreadyThere" | "Diverged"> {
  const options = { environment: deps.gitEnvironment, timeoutMs: remoteTimeoutMs };
  const { url, branch, commit } = target;
  const tip = await remoteBranch(repository, { url, branch }, options, signal);
  if (tip === commit) return "AlreadyThere";
  if (tip !== undefined) {
    await fetchFromUrl(repository, { url, ref: `refs/heads/${branch}` }, options, signal);
    if (await isAncestor(repository, commit, tip, signal)) return "AlreadyThere";
    if (!(await isAncestor(repository, tip, commit, signal))) return "Diverged";
  }
  const result = await pushCommit(repository, { ...target, expected: tip ?? null }, options, signal);
  if (result.kind === "pushed") return "Pushed";
  throw new AgentdError("STATE_CONFLICT", `the origin refused the push: ${result.message}`);
}

async function postpone(
  deps: PublisherDeps,
  job: Entry<Job>,
  commit: string,
  why: string,
  signal: AbortSignal,
): Promise<{ readonly afterMs: number } | undefined> {
  const { publish: before, conditions } = job.value.status;
  // A head that moved after the publisher gave up is worth a whole new round.
  const hadGivenUp = findCondition(conditions, "Published")?.reason === "GaveUp";
  const attempts = (hadGivenUp ? 0 : (before?.attempts ?? 0)) + 1;
  const isOver = attempts >= (deps.attemptsMax ?? attemptsMaxDefault);
  const text = why.slice(0, 500);
  if (isOver) {
    const message = `gave up after ${countText(attempts, "attempt")}: ${text}; at ${commit.slice(0, 12)}`;
    await record(deps, job, { attempts, gaveUpAt: commit }, row("False", "GaveUp", message), signal);
    deps.events.jobEvent(job.value, "Warning", "PublishGaveUp", message);
    return undefined;
  }
  await record(deps, job, { attempts }, row("False", "Retrying", text), signal);
  return { afterMs: Math.min(firstBackOffMs * 2 ** (attempts - 1), longestBackOffMs) };
}

type Row = Pick<Condition, "status" | "reason" | "message">;

function row(status: Row["status"], reason: string, message: string): Row {
  return { status, reason, message };
}

/** Writes what is known by compare-and-swap; `commit` says that it is published, and sets the attempts back. */
async function record(
  deps: PublisherDeps,
  job: Entry<Job>,
  known: { readonly commit?: string; readonly attempts?: number; readonly gaveUpAt?: string },
  published: Row,
  signal: AbortSignal,
): Promise<void> {
  const current = deps.store.get<Job>(job.key);
  if (current === undefined || current.value.metadata.uid !== job.value.metadata.uid) return;
  const { metadata, status } = current.value;
  const before = status.publish;
  const commit = known.commit ?? before?.commit;
  const attempts = known.commit === undefined ? (known.attempts ?? before?.attempts ?? 0) : 0;
  const publish = {
    attempts,
    message: cutJson(published.message, publishMessageBytesMax),
    ...(commit === undefined ? {} : { commit }),
    ...(known.gaveUpAt === undefined ? {} : { gaveUpAt: known.gaveUpAt }),
  };
  const conditions = setCondition(status.conditions, {
    ...published,
    type: "Published",
    observedGeneration: metadata.generation,
    lastTransitionAtMs: deps.nowMs(),
  });
  const next: Job = { ...current.value, status: { ...status, publish, conditions } };
  if (isSamePublish(current.value, next)) return;
  await deps.store.commit([{ key: job.key, value: next, expected: current.revision }], signal);
}

/** Whether a write would say nothing new. */
function isSamePublish(before: Job, after: Job): boolean {
  const old = findCondition(before.status.conditions, "Published");
  const now = findCondition(after.status.conditions, "Published");
  return (
    old?.status === now?.status &&
    old?.reason === now?.reason &&
    old?.message === now?.message &&
    JSON.stringify(before.status.publish) === JSON.stringify(after.status.publish)
  );
}
