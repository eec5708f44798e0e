import { AgentdError, isAgentdError } from "../../core/errors.ts";
import type { Job } from "../../core/job/job.ts";
import { findBlocker } from "../../core/task/dispatch/dispatch-order.ts";
import { transition } from "../../core/task/machine/task-machine.ts";
import { taskRules } from "../../core/task/machine/task-rules.ts";
import type { Task } from "../../core/task/task.ts";
import type { Worker } from "../../core/worker.ts";
import type { Assignment, ClaimReply, ClaimRequest } from "../../core/worker-protocol.ts";
import type { ResourceStore } from "../../platform/nats/store/store.ts";
import { keys } from "../../platform/nats/subjects.ts";
import { inSpan } from "../../platform/telemetry/spans/tracer.ts";
import type { EventLog } from "../event-log.ts";
import { findJobOf } from "../job-entries.ts";
import type { RepositoryMemory } from "../memory/repository-memory.ts";
import type { ResumePoints } from "../session/resume-points.ts";
import type { StartPoint } from "./assignment.ts";
import { assignmentOf, startPoint } from "./assignment.ts";
import type { AttemptTokens } from "./attempt-token.ts";
import { createKeyedQueue } from "./keyed-queue.ts";
import type { TaskIndex } from "./task-index.ts";

/** What {@link createClaims} needs. */
export interface ClaimDeps {
  readonly store: ResourceStore;
  readonly index: TaskIndex;
  readonly tokens: AttemptTokens;
  readonly events: EventLog;
  readonly memory: Pick<RepositoryMemory, "shownTo">;
  readonly resumePoints: ResumePoints;
  readonly isLeader: () => boolean;
  readonly nowMs: () => number;
  readonly random: () => number;
}

/** Lost races after which the claim is refused. */
const racesMax = 3;

/** Answers a worker's claim; `worker` comes from the subject, which NATS has checked. */
export type HandleClaim = (worker: string, request: ClaimRequest, signal: AbortSignal) => Promise<ClaimReply>;

/**
 * Grants tasks to workers. A repeat with the same claim id gets the same answer; two claims of one job are decided one
 * after the other, so that parallelism holds.
 */
export function createClaims(deps: ClaimDeps): HandleClaim {
  const queue = createKeyedQueue();
  return async (worker, request, signal) => {
    requireLead(deps);
    if (request.worker !== worker) {
      throw new AgentdError("TOKEN_INVALID", `worker ${worker} cannot claim in the name of ${request.worker}`);
    }
    return await inSpan("claim", { kind: "server", attributes: { "agentd.worker": worker } }, async () => {
      const reply = await queue.run(request.uid, () => decide(deps, request, signal));
      // Outside of the queue: other claims need not wait for a session to be read.
      return reply.granted ? { ...reply, assignment: await withSession(deps, reply.assignment, signal) } : reply;
    });
  };
}

function requireLead({ isLeader }: ClaimDeps): void {
  if (!isLeader()) throw new AgentdError("NOT_LEADER", "this coordinator does not lead");
}

async function withSession(deps: ClaimDeps, assignment: Assignment, signal: AbortSignal): Promise<Assignment> {
  if (assignment.attempt === 1) return assignment;
  const task = deps.store.get<Task>(keys.task(assignment.uid, assignment.task))?.value;
  if (task?.status.attempt !== assignment.attempt) return assignment;
  return { ...assignment, ...(await deps.resumePoints.find(task, signal)) };
}

async function decide(deps: ClaimDeps, request: ClaimRequest, signal: AbortSignal): Promise<ClaimReply> {
  for (let race = 1; ; race += 1) {
    // Again: it may have waited while this process slept and another began to lead.
    requireLead(deps);
    try {
      return await decideNow(deps, request, signal);
    } catch (error) {
      // Somebody else was first, or this very claim was: granted by another replica, whose answer was lost, and not seen here yet.
      if (isAgentdError(error, "CONFLICT") && race < racesMax) continue;
      if (isAgentdError(error, "CONFLICT") || isAgentdError(error, "STATE_CONFLICT")) return refused(error.message);
      throw error;
    }
  }
}

/** @throws AgentdError CONFLICT, STATE_CONFLICT: the hint was about a past state */
async function decideNow(deps: ClaimDeps, request: ClaimRequest, signal: AbortSignal): Promise<ClaimReply> {
  const { store } = deps;
  const owner = findJobOf(store, request.uid);
  const entry = store.get<Task>(keys.task(request.uid, request.task));
  if (owner === undefined || entry === undefined) return refused(`there is no task ${request.task} any more`);
  const job = owner.job.value;
  const head = owner.head.value;
  const task = entry.value;
  const isRepeat = task.status.state === "Running" && isHeldBy(task, request);
  if (!isRepeat && store.get<Worker>(keys.worker(request.worker))?.value.spec.cordoned === true) {
    return { ...refused(`worker ${request.worker} is cordoned`), isCordoned: true };
  }
  const stateOf = (name: string) => store.get<Task>(keys.task(request.uid, name))?.value.status.state;
  const siblings = { running: deps.index.runningOf(request.uid), stateOf };
  const blocker = findBlocker({ job, head }, task, siblings, deps.nowMs());
  if (blocker !== undefined && !isRepeat) return refused(`task ${request.task} may not run now (${blocker.kind})`);
  const usual = startPoint(job, head, task);
  // The bundles reach every earlier head too.
  const start = { ...usual, commit: task.status.rewind?.base ?? usual.commit };
  const memory = deps.memory.shownTo(job);
  if (isRepeat) return { granted: true, assignment: repeatedAssignment(task, { job, start, memory }, deps.tokens) };
  const rules = taskRules(job.spec, task.spec.kind, deps.nowMs(), deps.random);
  const { worker, claimId } = request;
  const granted = transition(task, { type: "Granted", worker, claimId, base: start.commit }, rules);
  await store.commit([{ key: entry.key, value: granted, expected: entry.revision }], signal);
  deps.events.taskEvent(granted, "Normal", "Started", `attempt ${granted.status.attempt} on ${worker}`);
  return { granted: true, assignment: assignmentOf({ job, task: granted, start, memory }, deps.tokens) };
}

function isHeldBy(task: Task, request: ClaimRequest): boolean {
  const { lease } = task.status;
  return lease?.claimId === request.claimId && lease.worker === request.worker;
}

/** The answer that was given before: the recorded base, with today's bundles, which reach every earlier head too. */
function repeatedAssignment(
  task: Task,
  given: { readonly job: Job; readonly start: StartPoint; readonly memory: readonly string[] },
  tokens: AttemptTokens,
): Assignment {
  const { start } = given;
  const base = task.status.attempts.at(-1)?.base ?? start.commit;
  return assignmentOf({ ...given, task, start: { ...start, commit: base } }, tokens);
}

function refused(message: string): Extract<ClaimReply, { granted: false }> {
  return { granted: false, message };
}
