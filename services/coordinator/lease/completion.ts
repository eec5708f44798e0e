import { createHash } from "node:crypto";
import { AgentdError, isAgentdError } from "../../core/errors.ts";
import type { Job, JobHead } from "../../core/job/job.ts";
import { renderTask } from "../../core/plan/template.ts";
import type { AttemptEnded } from "../../core/task/machine/task-event.ts";
import { transition } from "../../core/task/machine/task-machine.ts";
import { taskRules } from "../../core/task/machine/task-rules.ts";
import type { Attempt, ChangedFiles, Outcome, Task } from "../../core/task/task.ts";
import type { CompleteReply, CompleteRequest } from "../../core/worker-protocol.ts";
import type { Entry, ResourceStore } from "../../platform/nats/store/store.ts";
import { keys } from "../../platform/nats/subjects.ts";
import { inSpan } from "../../platform/telemetry/spans/tracer.ts";
import type { EventLog } from "../event-log.ts";
import { findJobOf } from "../job-entries.ts";
import type { RepositoryMemory } from "../memory/repository-memory.ts";
import { checksOf } from "./assignment.ts";
import type { AttemptTokens } from "./attempt-token.ts";
import { createKeyedQueue } from "./keyed-queue.ts";
import type { ResultReceiver } from "./result-receiver.ts";

/** What {@link createCompletion} needs. */
export interface CompletionDeps {
  readonly store: ResourceStore;
  readonly tokens: AttemptTokens;
  readonly results: ResultReceiver;
  readonly events: EventLog;
  readonly memory: Pick<RepositoryMemory, "keep">;
  readonly isLeader: () => boolean;
  readonly nowMs: () => number;
  readonly random: () => number;
}

/** Answers a worker's `complete`; `worker` comes from the subject, which NATS has checked. */
export type HandleComplete = (worker: string, request: CompleteRequest, signal: AbortSignal) => Promise<CompleteReply>;

/** Times that a lost race is looked at again before the worker has to repeat its call. */
const racesMax = 5;

/** What a worker may report; the rest is decided by the coordinator alone. */
const reportable: ReadonlySet<Outcome> = new Set<Outcome>([
  ...(["Done", "GateFailed", "StuckLoop", "MaxTurns", "ProtocolViolation", "AlreadyDone", "NoChange"] as const),
  ...(["Blocked", "BudgetExceeded", "DeadlineExceeded", "ModelError", "Infra", "RateLimited", "LeaseLost"] as const),
]);

/**
 * Accepts the end of an attempt: only with its token, only of the current attempt, and Done only with a bundle that was
 * verified here. A repeat gets the answer of the first call; a stale attempt gets ATTEMPT_STALE and leaves an event.
 */
export function createCompletion(deps: CompletionDeps): HandleComplete {
  const queue = createKeyedQueue();
  return async (worker, request, signal) => {
    if (!deps.isLeader()) throw new AgentdError("NOT_LEADER", "this coordinator does not lead");
    const { uid, task, attempt } = request;
    deps.tokens.verify(request.token, { uid, task, attempt, worker }, deps.nowMs());
    return await inSpan("receive result", { kind: "server" }, () =>
      queue.run(`${uid}/${task}`, () => complete(deps, worker, request, signal)),
    );
  };
}

async function complete(
  deps: CompletionDeps,
  worker: string,
  request: CompleteRequest,
  signal: AbortSignal,
): Promise<CompleteReply> {
  const { store } = deps;
  const key = keys.task(request.uid, request.task);
  const report = digestOf(request);
  let event: AttemptEnded | undefined;
  for (let race = 1; ; race += 1) {
    const entry = await seenEntry(store, key, request.attempt, signal);
    const owner = findJobOf(store, request.uid);
    if (owner === undefined || entry === undefined) throw staleOf(request, "its job was deleted");
    const task = entry.value;
    const recorded = task.status.attempts.find((one) => one.attempt === request.attempt);
    if (recorded?.report === report) return { state: task.status.state };
    const job = owner.job.value;
    const rules = taskRules(job.spec, task.spec.kind, deps.nowMs(), deps.random);
    try {
      requireOpen(task, owner.head.value, request);
      event ??= requireEvidence(
        await eventOf(deps, { worker, request, report, job, head: owner.head.value, task }, signal),
        job,
        task,
      );
      const next = transition(task, event, rules);
      await store.commit([{ key, value: next, expected: entry.revision }], signal);
      tell(deps.events, next, request);
      // After the end is written: notes of a refused result must not teach anybody.
      if (event.outcome === "Done") await deps.memory.keep(job, task, request.memories ?? [], signal);
      return { state: next.status.state };
    } catch (error) {
      if (isAgentdError(error, "CONFLICT") && race < racesMax) continue;
      if (isAgentdError(error, "ATTEMPT_STALE")) {
        const what = `attempt ${request.attempt} from ${worker}`;
        if (owner.head.value.closed || wasStopped(recorded)) {
          deps.events.taskEvent(task, "Normal", "AttemptStopped", `${what} has ended as it was told to`);
        } else {
          const message = `result of ${what} was refused: ${error.message}`;
          deps.events.taskEvent(task, "Warning", "StaleResultRejected", message);
        }
      }
      throw error;
    }
  }
}

/** The task as far as this replica has seen it, but at least with the attempt: its token says that a coordinator granted it. */
async function seenEntry(
  store: ResourceStore,
  key: string,
  attempt: number,
  signal: AbortSignal,
): Promise<Entry<Task> | undefined> {
  const entry = store.get<Task>(key);
  if (entry === undefined || entry.value.status.attempt >= attempt) return entry;
  const stored = await store.read<Task>(key, signal);
  if (stored !== undefined) await store.caughtUp(stored.revision, signal);
  return store.get<Task>(key);
}

/** Whether the attempt was ended from outside, by a cancel or the job's deadline: its worker was told to stop. */
function wasStopped(recorded: Attempt | undefined): boolean {
  if (recorded === undefined || recorded.report !== undefined) return false;
  return recorded.outcome === "Cancelled" || recorded.outcome === "DeadlineExceeded";
}

interface Reported {
  readonly worker: string;
  readonly request: CompleteRequest;
  readonly report: string;
  readonly job: Job;
  readonly head: JobHead;
  readonly task: Task;
}

async function eventOf(deps: CompletionDeps, reported: Reported, signal: AbortSignal): Promise<AttemptEnded> {
  const { request, report, task } = reported;
  const base: AttemptEnded = {
    type: "Ended",
    attempt: request.attempt,
    outcome: outcomeOf(request),
    report,
    checks: request.checks,
    usage: request.usage,
    claimed: request.claimed,
    message: request.message,
    ...(request.changed === undefined ? {} : { changed: boundChanged(request.changed) }),
    ...(request.gates === undefined ? {} : { gates: request.gates }),
    ...(request.repairs === undefined ? {} : { repairs: request.repairs }),
    ...(request.notice === undefined ? {} : { notice: request.notice }),
    ...(request.childDied === undefined ? {} : { childDied: request.childDied }),
  };
  if (request.object === undefined) return base.outcome === "Done" ? withoutObject(task, base) : base;
  if (task.spec.kind === "Plan") {
    return { ...base, output: await deps.results.receiveOutput(request.object, signal) };
  }
  if (task.spec.kind === "Verify" || request.commit === undefined) return withoutObject(task, base);
  const { object, commit, checks } = request;
  const changed = request.changed === undefined ? {} : { changed: request.changed };
  const result = { ...reported, object, commit, checks, ...changed, outcome: base.outcome };
  return { ...base, ...(await deps.results.receiveResult(result, signal)) };
}

/** Done of an Agent task needs a result, and of a Plan its output; a Verify task has neither. */
function withoutObject(task: Task, event: AttemptEnded): AttemptEnded {
  if (task.spec.kind === "Verify" || event.outcome !== "Done") return event;
  return { ...event, outcome: "ProtocolViolation", message: "the worker said Done but sent no result" };
}

/** Green means every check that was asked for: an attempt that leaves one out has proven nothing. */
function requireEvidence(event: AttemptEnded, job: Job, task: Task): AttemptEnded {
  if (event.outcome !== "Done" && event.outcome !== "AlreadyDone") return event;
  const asked = checksOf(job, task, renderTask(job, task).checks);
  const missing = asked.find(({ name }) => !event.checks.some((one) => one.name === name && one.status === "Passed"));
  if (missing === undefined) return event;
  const outcome = event.outcome === "Done" ? "GateFailed" : "NoChange";
  return { ...event, outcome, message: `check "${missing.name}" has no green result` };
}

function outcomeOf(request: CompleteRequest): Outcome {
  if (reportable.has(request.outcome)) return request.outcome;
  // A stopped attempt of a task that is still wanted, or a death: neither is the task's fault by itself.
  if (request.outcome === "Cancelled" || request.outcome === "Poison") return "Infra";
  throw new AgentdError("INVALID_SPEC", `a worker cannot report the outcome ${String(request.outcome).slice(0, 40)}`);
}

function requireOpen(task: Task, head: JobHead, request: CompleteRequest): void {
  const { status } = task;
  if (head.closed && status.state === "Running" && status.attempt === request.attempt) {
    throw staleOf(request, "its job was cancelled");
  }
  if (status.attempt !== request.attempt) throw staleOf(request, `attempt ${status.attempt} is the current one`);
  if (status.state !== "Running") throw staleOf(request, `the attempt has ended; the task is ${status.state}`);
}

function staleOf(request: CompleteRequest, why: string): AgentdError {
  return new AgentdError("ATTEMPT_STALE", `attempt ${request.attempt} of task ${request.task} is stale: ${why}`, {
    metadata: { uid: request.uid, task: request.task, attempt: String(request.attempt) },
  });
}

/** Names one report: the same call repeated has the same digest, whatever token it carries. */
function digestOf(request: CompleteRequest): string {
  const { token: _token, ...rest } = request;
  return createHash("sha256").update(JSON.stringify(rest)).digest("hex").slice(0, 16);
}

function boundChanged(changed: ChangedFiles): ChangedFiles {
  return { ...changed, paths: changed.paths.slice(0, 50) };
}

function tell(events: EventLog, task: Task, request: CompleteRequest): void {
  const { state, outcome, message } = task.status;
  const isGood = state === "Merging" || state === "Succeeded";
  const text = `attempt ${request.attempt}: ${outcome ?? state}${message === undefined ? "" : `, ${message}`}`;
  events.taskEvent(task, isGood ? "Normal" : "Warning", isGood ? "Completed" : (outcome ?? state), text);
}
