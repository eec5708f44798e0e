import { AgentdError } from "../../errors.ts";
import { addUsage, noUsage } from "../../resource.ts";
import { outcomeRules, reopenLimit } from "../outcomes.ts";
import type { Attempt, Notice, Task, TaskStatus } from "../task.ts";
import { boundTask } from "../task-bounds.ts";
import { closeAttempt, relabelAttempt } from "./end-attempt.ts";
import { requireNotEnded, requireOpenAttempt, stateConflict } from "./refusals.ts";
import { isBackOffOver, retryDelayMs } from "./retry-delay.ts";
import * as conditions from "./task-conditions.ts";
import type { AttemptEnded, TaskEvent } from "./task-event.ts";
import { judgeEvidence, noticeOfChecks } from "./task-evidence.ts";
import type { TaskRules } from "./task-rules.ts";

/**
 * The task after `event`: the only place where a task's state changes.
 *
 * Decisions where the design leaves room: Done without any check and without `allowUnverified` is Failed(GateFailed) at
 * once, since another attempt could not prove more; a repeated Cancelled is no change; Retried resets all counters but
 * keeps counting attempts, the notice and the suspicion; a lost lease makes the task a suspect, other infrastructure
 * ends do not.
 *
 * @throws AgentdError ATTEMPT_STALE when the event's attempt is not the open one, STATE_CONFLICT when the state does
 *   not allow the event
 */
export function transition(task: Task, event: TaskEvent, rules: TaskRules): Task {
  const next = statusAfter(task, event, rules);
  return next === task.status ? task : boundTask({ ...task, status: next });
}

function statusAfter(task: Task, event: TaskEvent, rules: TaskRules): TaskStatus {
  switch (event.type) {
    case "Granted":
      return granted(task, event, rules);
    case "Ended":
      requireOpenAttempt(task, event.attempt, "Running");
      return ended(task, event, rules);
    case "LeaseLost":
      requireOpenAttempt(task, event.attempt, "Running");
      return ended(
        { ...task, status: { ...task.status, isSuspect: true } },
        { ...event, type: "Ended", outcome: "LeaseLost", checks: [], usage: event.usage ?? noUsage },
        rules,
      );
    case "Landed":
      requireOpenAttempt(task, event.attempt, "Merging");
      return finish(task, "Succeeded", rules, {
        landedCommit: event.commit,
        conditions: conditions.landed(task, event.commit, rules.nowMs),
      });
    case "Reopened":
      requireOpenAttempt(task, event.attempt, "Merging");
      return reopened(task, event, rules);
    case "Cancelled":
      if (task.status.state === "Cancelled") return task.status;
      requireNotEnded(task, "cancelled");
      return stopped(task, "Cancelled", event.reason, event.message, rules);
    case "DeadlineExceeded":
      requireNotEnded(task, "ended by its job's deadline");
      return stopped(task, "DeadlineExceeded", "DeadlineExceeded", event.message, rules);
    case "Retried":
      return retried(task, rules, "retried");
    case "Rewound":
      return {
        ...retried(task, rules, "rewound"),
        rewind: { ...event.to, since: task.status.attempt },
      };
  }
}

function granted(task: Task, event: Extract<TaskEvent, { type: "Granted" }>, rules: TaskRules): TaskStatus {
  const { status } = task;
  if (status.state !== "Pending") throw stateConflict(task, "started");
  if (!isBackOffOver(status.notBeforeMs, rules.nowMs)) {
    throw new AgentdError("STATE_CONFLICT", `task ${task.metadata.name} waits for its back-off`);
  }
  const attempt = status.attempt + 1;
  const opened: Attempt = {
    attempt,
    worker: event.worker,
    startedAtMs: rules.nowMs,
    base: event.base,
    checks: [],
    usage: noUsage,
  };
  const { message: _message, ...rest } = status;
  return {
    ...rest,
    state: "Running",
    attempt,
    attempts: [...status.attempts, opened],
    lease: { worker: event.worker, claimId: event.claimId, grantedAtMs: rules.nowMs },
    conditions: conditions.started(task, rules.nowMs),
  };
}

function ended(task: Task, reported: AttemptEnded, rules: TaskRules): TaskStatus {
  const { event, isHopeless } = judgeEvidence(task, reported, rules);
  const rule = outcomeRules[event.outcome];
  const counted = countedStatus(task, event);
  const base: TaskStatus = {
    ...counted,
    outcome: event.outcome,
    attempts: closeAttempt(counted, event, rules.nowMs),
    conditions: conditions.ended(
      task,
      {
        outcome: event.outcome,
        isGateRed: reported.outcome === "GateFailed",
        checks: event.checks,
        message: event.message ?? "",
      },
      rules.nowMs,
    ),
    // What is said about a success is no reason for anything.
    ...(event.message && rule.then !== "Merge" ? { message: event.message } : {}),
  };
  const { rewind: _rewind, ...settled } = withoutLease(base);
  const closed = rule.counts === "infraEnds" ? withoutLease(base) : settled;
  const after = { ...task, status: closed };
  if (rule.then === "Merge") return accepted(after, event, rules);
  if (rule.then === "SucceedOrRetry" && rules.allowNoChange) return finish(after, "Succeeded", rules, {});
  if (rule.then === "Cancel") return finish(after, "Cancelled", rules, {});
  const isOut =
    rule.then === "Fail" || isHopeless || (rule.counts === "failures" && closed.failures > rules.backoffLimit);
  if (isOut) return finish(after, "Failed", rules, {});
  const text = event.notice ?? noticeOfChecks(event.checks);
  return {
    ...closed,
    state: "Pending",
    notBeforeMs: laterBy(rules.nowMs, retryDelayMs(event.outcome, task.status.infraEnds, rules.random)),
    ...(rule.counts === "failures" && text !== "" ? { notice: { outcome: event.outcome, text } } : {}),
  };
}

function countedStatus(task: Task, event: AttemptEnded): TaskStatus {
  const { status } = task;
  const { counts } = outcomeRules[event.outcome];
  return {
    ...status,
    failures: status.failures + (counts === "failures" ? 1 : 0),
    infraEnds: counts === "infraEnds" ? status.infraEnds + 1 : 0,
    deaths: status.deaths + (event.childDied === true ? 1 : 0),
    isSuspect: status.isSuspect || event.childDied === true,
    usage: addUsage(status.usage, event.usage),
  };
}

function accepted(task: Task, event: AttemptEnded, rules: TaskRules): TaskStatus {
  if (task.spec.kind !== "Agent") {
    return finish(task, "Succeeded", rules, event.output === undefined ? {} : { output: event.output });
  }
  const { commit, bundle } = event;
  if (commit === undefined || bundle === undefined) {
    throw new AgentdError(
      "STATE_CONFLICT",
      `task ${task.metadata.name} cannot be Done without a commit and its bundle`,
    );
  }
  return {
    ...task.status,
    state: "Merging",
    notBeforeMs: 0,
    result: { attempt: event.attempt, commit, bundle },
  };
}

function reopened(task: Task, event: Extract<TaskEvent, { type: "Reopened" }>, rules: TaskRules): TaskStatus {
  const { result: _result, ...rest } = task.status;
  const reopens = rest.reopens + 1;
  const notice: Notice = { outcome: event.outcome, text: event.notice };
  const status: TaskStatus = {
    ...rest,
    outcome: event.outcome,
    message: event.message,
    reopens,
    startAtHead: true,
    notice,
    attempts: relabelAttempt(rest, event),
    conditions: conditions.reopened(task, event.outcome, event.message, rules.nowMs),
  };
  const mayNot = event.outcome === "MergeConflict" && rules.onConflict === "Fail";
  if (mayNot || reopens > reopenLimit) return finish({ ...task, status }, "Failed", rules, {});
  return { ...status, state: "Pending", notBeforeMs: 0 };
}

/** Ends a task from outside its attempt: a running attempt is closed with the same outcome, a result is dropped. */
function stopped(
  task: Task,
  outcome: "Cancelled" | "DeadlineExceeded",
  reason: string,
  message: string,
  rules: TaskRules,
): TaskStatus {
  const { result: _result, ...rest } = task.status;
  const isRunning = rest.state === "Running";
  const status: TaskStatus = {
    ...withoutLease(rest),
    outcome,
    message,
    conditions: conditions.stopped(task, reason, message, rules.nowMs),
    ...(isRunning
      ? { attempts: closeAttempt(rest, { outcome, message, checks: [], usage: noUsage }, rules.nowMs) }
      : {}),
  };
  return finish({ ...task, status }, outcome === "Cancelled" ? "Cancelled" : "Failed", rules, {});
}

function retried(task: Task, rules: TaskRules, verb: string): TaskStatus {
  const { state } = task.status;
  if (state !== "Failed" && state !== "Cancelled") throw stateConflict(task, verb);
  const { finishedAtMs: _finishedAtMs, message: _message, result: _result, rewind: _rewind, ...rest } = task.status;
  return {
    ...rest,
    state: "Pending",
    failures: 0,
    reopens: 0,
    infraEnds: 0,
    deaths: 0,
    notBeforeMs: 0,
    conditions: conditions.retried(task, rules.nowMs),
  };
}

function finish(
  task: Task,
  state: "Succeeded" | "Failed" | "Cancelled",
  rules: TaskRules,
  more: Partial<TaskStatus>,
): TaskStatus {
  const { notice: _notice, ...settled } = task.status;
  // What failed may be retried by hand: the notice then still helps.
  const kept = state === "Succeeded" ? settled : task.status;
  return { ...kept, state, notBeforeMs: 0, finishedAtMs: rules.nowMs, ...more };
}

function withoutLease(status: TaskStatus): TaskStatus {
  const { lease: _lease, ...rest } = status;
  return rest;
}

function laterBy(nowMs: number, delayMs: number): number {
  return delayMs === 0 ? 0 : nowMs + delayMs;
}
