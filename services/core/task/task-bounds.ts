import { cutJson, cutTail, cutText } from "../text/bound-text.ts";
import type { Attempt, Task, TaskStatus } from "./task.ts";

/** Attempts that a task's status keeps. */
export const attemptsKept = 10;

/** A stored resource is at most 32 KiB; the rest is room for the store's own framing. */
export const taskBytesMax = 31 * 1024;

/** The attempt with every text and list at its bound. */
export function boundAttempt(attempt: Attempt): Attempt {
  return {
    ...attempt,
    checks: attempt.checks.slice(0, 32).map((check) => ({ ...check, outputTail: cutTail(check.outputTail, 1_024) })),
    ...(attempt.gates === undefined
      ? {}
      : { gates: attempt.gates.slice(0, 8).map((each) => ({ ...each, detail: cutText(each.detail, 300) })) }),
    ...(attempt.claimed === undefined ? {} : { claimed: cutText(attempt.claimed, 1_024) }),
    ...(attempt.message === undefined ? {} : { message: cutText(attempt.message, 1_024) }),
    ...(attempt.changed === undefined
      ? {}
      : {
          changed: { ...attempt.changed, paths: attempt.changed.paths.slice(0, 50).map((path) => cutText(path, 512)) },
        }),
  };
}

/**
 * The task with its status small enough to be stored: the last 10 attempts, texts at their bounds, and where that is
 * still above 31 KiB, evidence is shortened from the oldest attempt on. `spec` is never touched: admission bounds it.
 */
export function boundTask(task: Task): Task {
  let bounded = withStatus(task, {
    ...task.status,
    attempts: task.status.attempts.slice(-attemptsKept).map(boundAttempt),
    ...(task.status.message === undefined ? {} : { message: cutText(task.status.message, 1_024) }),
    ...(task.status.notice === undefined
      ? {}
      : { notice: { ...task.status.notice, text: cutText(task.status.notice.text, 6_000) } }),
    conditions: task.status.conditions.map((condition) => ({ ...condition, message: cutText(condition.message, 512) })),
  });
  for (const shorten of shortenings) {
    // The newest attempt is what a person looks at, so it is shortened last.
    for (let index = 0; index < bounded.status.attempts.length; index += 1) {
      if (bytesOf(bounded) <= taskBytesMax) return bounded;
      const attempts = bounded.status.attempts.map((attempt, at) => (at === index ? shorten(attempt) : attempt));
      bounded = withStatus(bounded, { ...bounded.status, attempts });
    }
  }
  for (const shorten of lastResorts) {
    if (bytesOf(bounded) <= taskBytesMax) return bounded;
    bounded = withStatus(bounded, shorten(bounded.status));
  }
  return bounded;
}

/** For texts that JSON blows up, beside an item of the largest size: what fences and merges stays, words go. */
const lastResorts: readonly ((status: TaskStatus) => TaskStatus)[] = [
  (status) => ({
    ...status,
    ...(status.message === undefined ? {} : { message: cutJson(status.message, 600) }),
    ...(status.notice === undefined ? {} : { notice: { ...status.notice, text: cutJson(status.notice.text, 2_000) } }),
    conditions: status.conditions.map((condition) => ({ ...condition, message: cutJson(condition.message, 200) })),
    attempts: status.attempts.slice(-3),
  }),
  (status) => ({
    ...status,
    ...(status.notice === undefined ? {} : { notice: { ...status.notice, text: cutJson(status.notice.text, 600) } }),
    attempts: status.attempts.slice(-1).map((attempt) => ({ ...attempt, checks: attempt.checks.slice(0, 4) })),
  }),
];

const shortenings: readonly ((attempt: Attempt) => Attempt)[] = [
  (attempt) => ({
    ...attempt,
    checks: attempt.checks.map((check) => ({ ...check, outputTail: cutTail(check.outputTail, 120) })),
  }),
  (attempt) =>
    attempt.changed === undefined
      ? attempt
      : { ...attempt, changed: { ...attempt.changed, paths: attempt.changed.paths.slice(0, 5) } },
  (attempt) => ({
    ...attempt,
    checks: attempt.checks.slice(0, 8).map((check) => ({ ...check, outputTail: "" })),
    ...(attempt.gates === undefined ? {} : { gates: attempt.gates.map((each) => ({ ...each, detail: "" })) }),
    ...(attempt.claimed === undefined ? {} : { claimed: cutJson(attempt.claimed, 160) }),
    ...(attempt.message === undefined ? {} : { message: cutJson(attempt.message, 160) }),
    ...(attempt.changed === undefined ? {} : { changed: { ...attempt.changed, paths: [] } }),
  }),
];

function bytesOf(task: Task): number {
  return Buffer.byteLength(JSON.stringify(task));
}

function withStatus(task: Task, status: TaskStatus): Task {
  return { ...task, status };
}
